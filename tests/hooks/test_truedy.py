from __future__ import annotations

import inspect
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx
from airflow.providers.common.compat.sdk import BaseHook, Connection
from truedy_sandbox.app import create_app
from truedy_sandbox.server import SandboxThread
from truedy_sandbox.settings import Settings

from airflow_truedy import __version__
from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import AuthenticationError, ForbiddenByConnectionError, InvalidPayloadError, TruedyError
from airflow_truedy.api.request import ListRequest, Request
from airflow_truedy.hooks.settings import ConnectionFieldError
from airflow_truedy.hooks.short_lived import short_lived_client
from airflow_truedy.hooks.truedy import TruedyAsyncHook, TruedyHook

KEY = "truedy_0123456789abcdefghijklmn"
BASE = "https://truedy.test/api/public/v1"
Define = Callable[..., None]
BATCH = {"data": {"id": "batch_1", "status": "draft", "name": "Renewals"}, "meta": {"request_id": "req_1"}}
AGENTS = {"data": [{"id": "agt_1", "name": "A", "status": "active"}], "pagination": {"total": 24, "has_more": False}}


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Define:
    """Define the connection truedy_default."""

    def define_(**fields: Any) -> None:
        values = {"conn_type": "truedy", "host": "truedy.test", "password": KEY, "extra": {"requests_per_minute": 0}}
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", json.dumps({**values, **fields}))

    return define_


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


@pytest.fixture
def hook(define: Define, server: respx.MockRouter) -> Iterator[TruedyHook]:
    define()
    with TruedyHook() as made:
        yield made


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(create_app(Settings(rate_limit=0))) as running:
        yield running


ENDPOINTS = {
    name: value
    for name, value in vars(endpoints).items()
    if inspect.isfunction(value)
    and value.__module__ == endpoints.__name__
    and not name.startswith("_")
    and str(inspect.signature(value).return_annotation).startswith(("Request", "ListRequest"))
}
# Whole folders and transcripts: of the client only, until an operator needs them.
NOT_ON_THE_HOOKS: set[str] = {"get_transcript"}


class TestMethods:
    @pytest.mark.parametrize("hook_class", [TruedyHook, TruedyAsyncHook])
    def test_there_is_one_for_every_endpoint(self, hook_class: type) -> None:
        missing = {name for name in ENDPOINTS if not hasattr(hook_class, name)}
        assert missing <= NOT_ON_THE_HOOKS
        assert len(ENDPOINTS) > 20

    def test_both_hooks_have_the_same(self) -> None:
        assert {name for name in ENDPOINTS if hasattr(TruedyHook, name)} == {
            name for name in ENDPOINTS if hasattr(TruedyAsyncHook, name)
        }

    @pytest.mark.parametrize("hook_class", [TruedyHook, TruedyAsyncHook])
    @pytest.mark.parametrize("name", [name for name in ENDPOINTS if hasattr(TruedyHook, name)])
    def test_they_show_the_endpoints_parameters_and_words(self, hook_class: type, name: str) -> None:
        endpoint = ENDPOINTS[name]
        unbound = list(inspect.signature(getattr(hook_class, name)).parameters.values())
        assert unbound[0].name == "self"
        assert unbound[1:] == list(inspect.signature(endpoint).parameters.values())
        bound = inspect.signature(getattr(hook_class("crm"), name))
        assert bound.parameters == inspect.signature(endpoint).parameters
        assert getattr(hook_class, name).__doc__ == endpoint.__doc__

    @pytest.mark.parametrize("name", [name for name in ENDPOINTS if hasattr(TruedyHook, name)])
    def test_lists_are_iterators_and_others_are_answers(self, name: str) -> None:
        is_list = str(inspect.signature(ENDPOINTS[name]).return_annotation).startswith("ListRequest")
        assert inspect.isasyncgenfunction(getattr(TruedyAsyncHook, name)) == is_list
        assert inspect.iscoroutinefunction(getattr(TruedyAsyncHook, name)) != is_list

    def test_a_call_sends_and_reads(self, hook: TruedyHook, server: respx.MockRouter) -> None:
        route = server.get("/batch-calls/batch_1").respond(json=BATCH)
        batch = hook.get_batch_call("batch_1")
        assert (batch.id, batch.status, batch.request_id) == ("batch_1", "draft", "req_1")
        assert route.calls.last.request.headers["Authorization"] == f"Bearer {KEY}"

    def test_a_list_pages_by_itself(self, hook: TruedyHook, server: respx.MockRouter) -> None:
        rows = [{"id": f"batch_{number}"} for number in range(150)]

        def page(request: httpx.Request) -> httpx.Response:
            offset = int(request.url.params["offset"])
            return httpx.Response(200, json={"data": rows[offset : offset + 100], "pagination": {"total": 150}})

        server.get("/batch-calls").mock(side_effect=page)
        assert [batch.id for batch in hook.list_batch_calls(status="draft")] == [row["id"] for row in rows]

    async def test_the_async_twin_does_both(self, define: Define, server: respx.MockRouter) -> None:
        define()
        server.get("/batch-calls/batch_1").respond(json=BATCH)
        server.get("/agents").respond(json={"data": AGENTS["data"], "pagination": {"total": 1}})
        async with TruedyAsyncHook() as hook:
            assert (await hook.get_batch_call("batch_1")).status == "draft"
            assert [agent.id async for agent in hook.list_agents()] == ["agt_1"]


class TestConnection:
    def test_extra_reaches_the_requests(self, define: Define, server: respx.MockRouter) -> None:
        define(extra={"headers": {"X-Team": "crm"}, "timeout": "7"})
        route = server.get("/batch-calls/batch_1").respond(json=BATCH)
        with TruedyHook() as hook:
            hook.get_batch_call("batch_1")
        request = route.calls.last.request
        assert request.headers["X-Team"] == "crm"
        assert request.extensions["timeout"]["read"] == 7.0

    def test_the_user_agent_names_provider_airflow_and_python_once(
        self, hook: TruedyHook, server: respx.MockRouter
    ) -> None:
        from airflow import __version__ as airflow_version

        route = server.get("/batch-calls/batch_1").respond(json=BATCH)
        hook.get_batch_call("batch_1")
        agent = route.calls.last.request.headers["User-Agent"]
        assert agent.startswith(f"airflow-provider-truedy/{__version__} ")
        assert agent.count("airflow-provider-truedy/") == 1
        assert f"airflow/{airflow_version}" in agent
        assert agent.count("python/") == 1

    def test_nothing_is_resolved_before_it_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BaseHook, "get_connection", _forbidden)
        TruedyHook("not_defined")
        TruedyAsyncHook("not_defined")

    def test_a_missing_key_is_said_at_the_first_use(self, define: Define) -> None:
        define(password="")
        with pytest.raises(ConnectionFieldError, match="'truedy_default': there is no API key"):
            TruedyHook().get_batch_call("batch_1")

    @pytest.mark.skipif(
        not hasattr(Connection, "aextra_dejson"), reason="Airflow masks secrets asynchronously from 3.3.2 on"
    )
    async def test_the_async_hook_resolves_with_the_async_api_only(
        self, define: Define, server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        async def aget(cls: type, conn_id: str) -> Connection:
            asked.append(conn_id)
            return Connection(conn_id=conn_id, conn_type="truedy", host="truedy.test", password=KEY)

        monkeypatch.setattr(BaseHook, "get_connection", _forbidden)
        monkeypatch.setattr(BaseHook, "aget_connection", classmethod(aget))
        server.get("/batch-calls/batch_1").respond(json=BATCH)
        async with TruedyAsyncHook("crm") as hook:
            await hook.get_batch_call("batch_1")
            await hook.get_batch_call("batch_1")
        assert asked == ["crm"]


class TestPool:
    def test_there_is_one_client_per_hook(self, hook: TruedyHook) -> None:
        assert hook.get_conn() is hook.client is hook.client

    def test_a_hook_that_was_closed_opens_another(self, hook: TruedyHook, server: respx.MockRouter) -> None:
        server.get("/batch-calls/batch_1").respond(json=BATCH)
        first = hook.client
        hook.close()
        hook.close()
        assert hook.get_batch_call("batch_1").id == "batch_1"
        assert hook.client is not first
        with pytest.raises(RuntimeError, match="closed"):
            first.send(endpoints.get_batch_call("batch_1"))

    async def test_the_async_hook_too(self, define: Define, server: respx.MockRouter) -> None:
        define()
        server.get("/batch-calls/batch_1").respond(json=BATCH)
        hook = TruedyAsyncHook()
        await hook.aclose()
        first = await hook.get_async_conn()
        assert await hook.get_async_conn() is first
        await hook.aclose()
        assert (await hook.get_batch_call("batch_1")).id == "batch_1"
        assert await hook.get_async_conn() is not first
        await hook.aclose()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_worker_uses_connections_of_its_own(self, define: Define, sandbox: SandboxThread) -> None:
        define(host=sandbox.url, password="truedy_sandbox_key")
        with TruedyHook() as hook:
            parents = len(list(hook.list_agents()))
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.write(writer, str(len(list(hook.list_agents()))).encode())
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            os.close(writer)
            assert os.read(reader, 10) == str(parents).encode()
            os.close(reader)
            # The child has not taken anything out of the parent's connection.
            assert len(list(hook.list_agents())) == parents


class TestTestConnection:
    def test_success_says_where_how_many_and_how_fast(self, hook: TruedyHook, server: respx.MockRouter) -> None:
        route = server.get("/agents").respond(json=AGENTS)
        works, said = hook.test_connection()
        assert works
        assert said.startswith(f"Connected to {BASE}: 24 agents, answer in ")
        assert said.endswith(" ms.")
        assert route.call_count == 1

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (
                httpx.Response(401, json={"error": {"code": "unauthorized", "message": "no"}}),
                "does not know this API key",
            ),
            (httpx.Response(403, json={"error": {"code": "forbidden", "message": "ip"}}), "IP allow-list"),
            (httpx.Response(404, json={"detail": "Not Found"}), "no Truedy API at this host"),
            (httpx.Response(200, text="<html>Welcome</html>"), "not the Truedy API"),
            (httpx.Response(302, headers={"Location": "https://login.test"}), "not the Truedy API"),
            (httpx.ConnectError("name not known"), "cannot be reached"),
            (httpx.ConnectTimeout("slow"), "does not answer in time"),
            (httpx.ReadTimeout("slow"), "does not answer in time"),
            (httpx.Response(429, json={"error": {"details": {}}}), "rate limit is used up"),
            (httpx.Response(500, text="oops"), "cannot be used"),
        ],
    )
    def test_each_cause_is_told_apart_at_once(
        self, hook: TruedyHook, server: respx.MockRouter, answer: Any, cause: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", _forbidden)
        route = server.get("/agents").mock(side_effect=[answer] * 9)
        works, said = hook.test_connection()
        assert not works
        assert cause in said
        assert KEY not in said
        assert route.call_count == 1

    @pytest.mark.parametrize(
        ("fields", "cause"),
        [
            ({"password": ""}, "cannot be used. (there is no API key"),
            ({"host": "http://api.truedy.ai"}, "unencrypted"),
            ({"extra": {"timeout": "soon"}}, "'timeout'"),
            ({"extra": {"verify": "/no/such/file.pem"}}, "verify = /no/such/file.pem: must be true, false, or a file"),
            ({"password": "key with spaces"}, "api_key"),
        ],
    )
    def test_an_unusable_connection_is_a_diagnosis_too(
        self, define: Define, fields: dict[str, Any], cause: str
    ) -> None:
        define(**fields)
        works, said = TruedyHook().test_connection()
        assert not works
        assert cause in said
        assert "key with spaces" not in said
        # Airflow tests a copy of the connection under a random id, which means nothing to anybody.
        assert "truedy_default" not in said

    def test_it_works_from_airflows_own_test(self, sandbox: SandboxThread) -> None:
        # In a process of its own: importing Airflow's models sets up its logging.
        program = (
            "import json; from airflow.models.connection import Connection; "
            "print(json.dumps(Connection.get_connection_from_secrets('crm').test_connection()))"
        )
        connection = {"conn_type": "truedy", "host": sandbox.url, "password": "truedy_sandbox_key"}
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "AIRFLOW_CONN_CRM": json.dumps(connection)},
            capture_output=True,
            text=True,
            check=True,
        )
        works, said = json.loads(ended.stdout.splitlines()[-1])
        assert works, said
        assert "4 agents" in said


class TestSecrecy:
    def test_the_key_shows_nowhere(
        self, hook: TruedyHook, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.get("/batch-calls/batch_1").respond(401, json={"error": {"message": f"unknown key {KEY}"}})
        with pytest.raises(AuthenticationError) as failed:
            hook.get_batch_call("batch_1")
        told = "".join(traceback.format_exception(failed.value))
        for text in (told, caplog.text, repr(hook), repr(hook.client), repr(vars(hook)), repr(failed.value)):
            assert KEY not in text

    def test_errors_survive_a_pickle_without_the_key(self, hook: TruedyHook, server: respx.MockRouter) -> None:
        server.get("/batch-calls/batch_1").respond(404, json={"error": {"message": KEY}})
        with pytest.raises(TruedyError) as failed:
            hook.get_batch_call("batch_1")
        assert KEY.encode() not in pickle.dumps(failed.value)


class TestRestrictions:
    def test_a_dry_run_is_told_in_the_log_and_changes_nothing(
        self, define: Define, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
    ) -> None:
        define(extra={"dry_run": True, "only_numbers": ["+15555550100"], "settle": 3})
        route = server.get("/batch-calls/batch_1").respond(json=BATCH)
        with TruedyHook() as hook:
            assert (hook.settings.dry_run, hook.settings.settle) == (True, 3)
            hook.get_batch_call("batch_1")
            with pytest.raises(ForbiddenByConnectionError, match="dry_run"):
                hook.pause_batch_call("batch_1")
        assert route.call_count == 1
        assert "dry run, nothing is changed and nobody is called; only +*********00 may be called" in caplog.text

    async def test_the_async_hook_too(
        self, define: Define, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
    ) -> None:
        define(extra={"dry_run": "true"})
        async with TruedyAsyncHook() as hook:
            assert (await hook.get_settings()).dry_run
            with pytest.raises(ForbiddenByConnectionError, match="dry_run"):
                await hook.resume_batch_call("batch_1")
        assert "dry run, nothing is changed" in caplog.text

    def test_the_clients_of_kill_handlers_too(self, define: Define) -> None:
        define(extra={"dry_run": True})
        with short_lived_client(TruedyHook().settings) as client, pytest.raises(ForbiddenByConnectionError):
            client.send(endpoints.pause_batch_call("batch_1"))

    def test_the_connection_test_tells_it(self, define: Define, server: respx.MockRouter) -> None:
        define(extra={"dry_run": True})
        server.get("/agents").respond(json=AGENTS)
        works, told = TruedyHook().test_connection()
        assert works
        assert told.endswith("This connection may not dial freely: dry run, nothing is changed and nobody is called.")

    def test_a_connection_that_may_dial_is_named_once(
        self, hook: TruedyHook, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        server.get("/batch-calls/batch_1").respond(json=BATCH)
        hook.get_batch_call("batch_1")
        hook.get_batch_call("batch_1")
        assert caplog.text.count(f"Connection 'truedy_default', {BASE}.") == 1
        assert KEY not in caplog.text


PROXY_PASSWORD = "pr0xyS3cret"


class TestProxies:
    @pytest.fixture(autouse=True)
    def no_proxies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("NO_PROXY", "localhost,[::1]"),
            ("no_proxy", "[::1]:8080"),
            ("NO_PROXY", "10.0.0.0/8,fd00::/8"),
            ("ALL_PROXY", f"socks5://anna:{PROXY_PASSWORD}@proxy:1080"),
            ("all_proxy", f"socks5h://anna:{PROXY_PASSWORD}@proxy:1080"),
            ("HTTPS_PROXY", f"ftp://anna:{PROXY_PASSWORD}@proxy"),
            ("https_proxy", f"http://anna:{PROXY_PASSWORD}@[::1"),
            ("SSL_CERT_FILE", "/no/such/file.pem"),
        ],
    )
    def test_a_variable_that_cannot_be_used_is_named(
        self, define: Define, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        define()
        monkeypatch.setenv(variable, value)
        with pytest.raises(InvalidPayloadError) as refused:
            TruedyHook().get_conn()
        self.check(refused, variable)
        works, told = TruedyHook().test_connection()
        assert not works
        assert variable in told
        assert PROXY_PASSWORD not in told

    @pytest.mark.parametrize(
        "proxy",
        [
            f"anna:{PROXY_PASSWORD}@proxy:3128",
            "proxy:3128",
            "proxy",
            f"socks5://anna:{PROXY_PASSWORD}@proxy",
            f"ftp://anna:{PROXY_PASSWORD}@proxy",
            f"http://anna:{PROXY_PASSWORD}@[::1",
            f"http://anna:{PROXY_PASSWORD}@proxy:port",
        ],
    )
    def test_an_extra_that_cannot_be_used_is_named(self, define: Define, proxy: str) -> None:
        define(extra={"proxy": proxy})
        with pytest.raises(InvalidPayloadError) as refused:
            TruedyHook().get_conn()
        self.check(refused, "proxy")
        if proxy.startswith("socks"):
            assert "httpx[socks]" in str(refused.value)

    def check(self, refused: Any, name: str) -> None:
        seen: BaseException | None = refused.value
        while seen is not None:
            told = "".join(traceback.format_exception(seen))
            assert PROXY_PASSWORD not in told
            seen = seen.__cause__ or seen.__context__
        assert [problem.field for problem in refused.value.problems] == [name]
        assert not refused.value.retryable

    @pytest.mark.parametrize("value", ["localhost,::1", "10.0.0.0/8", "*", "", ".internal,127.0.0.1"])
    def test_usual_values_are_fine(self, define: Define, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        define()
        monkeypatch.setenv("NO_PROXY", value)
        monkeypatch.setenv("HTTPS_PROXY", f"anna:{PROXY_PASSWORD}@proxy:3128")
        TruedyHook().get_conn()


class TestTheTestButton:
    """
    What Airflow's test button sends for a stored connection: the port as a number, 0 for none, the key masked.

    Airflow 3.3.2 compares host and port with what is stored, and refuses the request if they differ.
    """

    @pytest.fixture
    def accepts(self) -> Callable[[Any, Any], bool]:
        # In a process of its own: importing Airflow's API server sets up its logging.
        def ask(sent: Any, stored: Any) -> bool:
            program = (
                "from airflow.api_fastapi.core_api.routes.public import connections as c; "
                f"print(getattr(c, '_same_endpoint', lambda a, b: True)({sent!r}, {stored!r}))"
            )
            ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            return ended.stdout.splitlines()[-1] == "True"

        return ask

    @pytest.mark.parametrize("port", [0, 443, 8765])
    def test_a_connection_with_a_port_passes(self, accepts: Callable[[Any, Any], bool], port: int) -> None:
        assert accepts(port, port)

    def test_what_it_sends_reaches_the_api(
        self, define: Define, server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The form sends empty texts for hidden fields, and Airflow hands the copy on as a URI in the environment.
        define(host="https://truedy.test", port=0, schema="", login="", extra="{}")
        server.get("/agents").respond(json=AGENTS)
        works, told = TruedyHook().test_connection()
        assert works
        assert told.startswith(f"Connected to {BASE}: 24 agents")


class TestCampaignUrl:
    def test_of_the_real_service(self, hook: TruedyHook) -> None:
        assert hook.campaign_url("batch_1") == "https://app.truedy.ai/campaigns/batch_1"

    def test_of_the_sandbox(self, define: Define) -> None:
        define(host="http://127.0.0.1:8123")
        assert TruedyHook().campaign_url("batch_1") == "http://127.0.0.1:8123/#batch_1"

    def test_of_a_dashboard_that_the_connection_names(self, define: Define) -> None:
        define(extra={"dashboard_url": "https://calls.test/c/{batch_call_id}"})
        assert TruedyHook().campaign_url("a/b") == "https://calls.test/c/a%2Fb"


def test_the_endpoints_are_requests() -> None:
    assert isinstance(endpoints.get_batch_call("x"), Request)
    assert isinstance(endpoints.list_agents(), ListRequest)


def _forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("this must not be called here")
