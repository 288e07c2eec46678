"""What is sent again, what never is, how long is waited, and how it ends; the same for both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import respx

from airflow_truedy.api import endpoints, errors, models
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from airflow_truedy.api.request import Request
from tests.api.scripted import BASE, KEY, FakeTime, batch

REQUEST = models.BatchCallRequest.checked(name="n", agent_id="agt_1", contact_ids=["ctc_1"])
GET = endpoints.get_batch_call("batch_1")
PAUSE = endpoints.pause_batch_call("batch_1")
CREATE = endpoints.create_batch_call(REQUEST)
CREATE_WITH_KEY = endpoints.create_batch_call(REQUEST, idempotency_key="key-1")
LIMITED = {"error": {"code": "rate_limit_exceeded", "message": "Slow down", "details": {"limit": 100}}}

Send = Callable[[Request[Any]], Any]


@pytest.fixture(params=["blocking", "async"])
def send(request: pytest.FixtureRequest, client: TruedyClient, async_client: AsyncTruedyClient) -> Send:
    if request.param == "blocking":
        return client.send
    return lambda call: asyncio.run(async_client.send(call))


@pytest.fixture
def route(server: respx.MockRouter) -> respx.Route:
    return server.route()


def script(route: respx.Route, *answers: Any) -> None:
    """Answer in this order, the last one for ever."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Exception):
            raise said
        return said() if callable(said) else httpx.Response(said, json=batch() if said < 300 else None)

    route.side_effect = answer


def limited(**headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(429, json=LIMITED, headers={k.replace("_", "-"): v for k, v in headers.items()})


def told(failure: Any) -> str:
    """Name a case the same in every process; some are functions, whose own text holds an address."""
    if callable(failure) and not isinstance(failure, type):
        return "function"
    return str(failure)


FAILURES = [
    500,
    502,
    503,
    408,
    httpx.ReadTimeout("late"),
    httpx.WriteTimeout("late"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.RemoteProtocolError("gone"),
    httpx.DecodingError("bad gzip"),
    lambda: httpx.Response(200, html="<html>"),
    lambda: httpx.Response(201, content=b""),
    lambda: httpx.Response(200, json={"data": {"status": "draft"}}),
]
NEVER_SENT = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("late"),
    httpx.PoolTimeout("full"),
    httpx.ProxyError("no tunnel"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=told)
@pytest.mark.parametrize("call", [GET, CREATE_WITH_KEY], ids=["read", "create with key"])
def test_what_is_safe_is_sent_again_until_it_succeeds(
    send: Send, route: respx.Route, fake_time: FakeTime, call: Request[Any], failure: Any
) -> None:
    script(route, failure, failure, 200)
    assert send(call).id == "batch_0a1b2c3d"
    assert route.call_count == 3
    assert len(fake_time.slept) == 2
    assert fake_time.slept[0] <= 1
    assert fake_time.slept[1] <= 2


@pytest.mark.parametrize("failure", FAILURES, ids=told)
@pytest.mark.parametrize(
    "call", [CREATE, CREATE_WITH_KEY.once(), endpoints.create_call], ids=["create", "once", "call"]
)
def test_what_is_not_safe_is_sent_once_and_its_outcome_is_unknown(
    send: Send, route: respx.Route, fake_time: FakeTime, call: Any, failure: Any
) -> None:
    if call is endpoints.create_call:
        call = call(models.CallRequest.checked(agent_id="agt_1", phone_number="+15555550123"))
    script(route, failure, 200)
    with pytest.raises(errors.OutcomeUnknownError) as raised:
        send(call)
    assert route.call_count == 1
    assert fake_time.slept == []
    assert isinstance(raised.value.cause, errors.TruedyError)
    assert raised.value.operation == call.operation
    assert "read the state" in str(raised.value)


@pytest.mark.parametrize("failure", NEVER_SENT, ids=told)
@pytest.mark.parametrize("call", [GET, CREATE, PAUSE], ids=["read", "create", "pause"])
def test_what_surely_never_left_is_sent_again_whatever_it_is(
    send: Send, route: respx.Route, call: Request[Any], failure: Exception
) -> None:
    script(route, failure, 200)
    assert send(call).id == "batch_0a1b2c3d"
    assert route.call_count == 2


@pytest.mark.parametrize("failure", NEVER_SENT, ids=told)
def test_a_server_that_is_never_reached_is_no_unknown_outcome(
    send: Send, route: respx.Route, failure: Exception
) -> None:
    script(route, failure)
    with pytest.raises((errors.UnreachableError, errors.RequestTimeoutError)) as raised:
        send(CREATE)
    assert route.call_count == 5
    assert getattr(raised.value, "sent") is False  # noqa: B009


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (500, errors.ServerError),
        (httpx.ReadTimeout("late"), errors.RequestTimeoutError),
        (httpx.ReadError("reset"), errors.UnreachableError),
        (lambda: httpx.Response(200, html="<html>"), errors.UnreadableAnswerError),
    ],
    ids=told,
)
def test_a_read_gives_up_after_five_attempts_with_the_cause(
    send: Send, route: respx.Route, fake_time: FakeTime, failure: Any, kind: type
) -> None:
    script(route, failure)
    with pytest.raises(kind):
        send(GET)
    assert route.call_count == 5
    assert len(fake_time.slept) == 4
    assert all(wait <= 2**number for number, wait in enumerate(fake_time.slept))


@pytest.mark.parametrize("last", [422, 401, httpx.ConnectError("refused"), limited(retry_after="9999")], ids=told)
def test_one_lost_answer_keeps_the_outcome_unknown_however_it_ends(send: Send, route: respx.Route, last: Any) -> None:
    script(route, httpx.ReadTimeout("late"), last)
    with pytest.raises(errors.OutcomeUnknownError) as raised:
        send(CREATE_WITH_KEY)
    assert raised.value.cause is not None
    assert type(raised.value.cause) is not errors.RequestTimeoutError


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 302])
def test_a_definite_refusal_is_not_sent_again(send: Send, route: respx.Route, status: int) -> None:
    script(route, status)
    for call in (GET, CREATE_WITH_KEY, PAUSE):
        with pytest.raises(errors.TruedyError) as raised:
            send(call)
        assert not isinstance(raised.value, errors.OutcomeUnknownError)
    assert route.call_count == 3


def test_a_redirect_points_at_the_base_url_and_see_other_leaves_a_change_unknown(
    send: Send, route: respx.Route
) -> None:
    script(route, 302)
    with pytest.raises(errors.UnreadableAnswerError, match="base URL"):
        send(PAUSE)
    script(route, 303)
    with pytest.raises(errors.OutcomeUnknownError):
        send(PAUSE)


def test_a_repeat_is_byte_identical_with_the_same_headers(send: Send, route: respx.Route) -> None:
    script(route, 500, httpx.ConnectError("refused"), limited(retry_after="1"), 200)
    send(CREATE_WITH_KEY)
    first, *repeats = (call.request for call in route.calls)
    assert len(repeats) == 3
    assert first.headers["X-Idempotency-Key"] == "key-1"
    for repeat in repeats:
        assert repeat.content == first.content
        assert repeat.headers.raw == first.headers.raw
        assert repeat.url == first.url


@pytest.mark.parametrize("call", [GET, CREATE, PAUSE], ids=["read", "create", "pause"])
def test_a_rate_limit_is_waited_out_for_any_call(
    send: Send, route: respx.Route, fake_time: FakeTime, call: Request[Any]
) -> None:
    script(route, limited(retry_after="7"), 200)
    assert send(call).id == "batch_0a1b2c3d"
    (wait,) = fake_time.slept
    assert 7 <= wait <= 9


def test_a_rate_limit_ends_with_the_next_minute_when_nobody_says(
    send: Send, route: respx.Route, fake_time: FakeTime
) -> None:
    fake_time.now = 60_000_000 + 12.0
    script(route, limited(), 200)
    send(GET)
    assert 48 <= fake_time.slept[0] <= 50


@pytest.mark.parametrize(
    "reset_at", ["2026-03-03T12:01:00.000000Z", "2026-03-03T12:01:00", "2026-03-03T07:01:00-05:00"]
)
def test_the_moment_in_the_body_is_used_and_is_utc_without_an_offset(
    send: Send, route: respx.Route, fake_time: FakeTime, reset_at: str
) -> None:
    fake_time.now = datetime(2026, 3, 3, 12, 0, 20, tzinfo=timezone.utc).timestamp()
    body = {"error": {"code": "rate_limit_exceeded", "details": {"reset_at": reset_at}}}
    script(route, lambda: httpx.Response(429, json=body), 200)
    send(GET)
    assert 40 <= fake_time.slept[0] <= 42


def test_a_date_in_retry_after_is_understood_and_comes_first(
    send: Send, route: respx.Route, fake_time: FakeTime
) -> None:
    moment = datetime.fromtimestamp(fake_time.now + 30, tz=timezone.utc)
    script(route, limited(retry_after=format_datetime(moment, usegmt=True)), 200)
    send(GET)
    assert 29 <= fake_time.slept[0] <= 32


def test_a_wait_beyond_the_ceiling_fails_at_once_and_says_how_long(
    send: Send, route: respx.Route, fake_time: FakeTime
) -> None:
    script(route, limited(retry_after="3600"))
    with pytest.raises(errors.RateLimitedError) as raised:
        send(CREATE)
    assert raised.value.retry_after == 3600
    assert raised.value.resets_at == datetime.fromtimestamp(fake_time.now + 3600, tz=timezone.utc)
    assert (route.call_count, fake_time.slept) == (1, [])


def test_waits_are_added_up_against_the_ceiling(send: Send, route: respx.Route, fake_time: FakeTime) -> None:
    script(route, limited(retry_after="50"))
    with pytest.raises(errors.RateLimitedError):
        send(GET)
    assert len(fake_time.slept) == 2
    assert sum(fake_time.slept) <= 120


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_status_and_an_empty_body_are_success_for_an_action(
    send: Send, route: respx.Route, status: int
) -> None:
    route.respond(status)
    assert send(PAUSE).status == ""


@pytest.mark.parametrize(
    ("answer", "request_id"),
    [
        ({"json": batch()}, "req_32e7531c"),
        ({"json": {"data": batch()["data"]}, "headers": {"X-Request-ID": "req_h"}}, "req_h"),
        ({"json": batch()["data"]}, None),
    ],
    ids=["envelope", "header", "bare object"],
)
def test_an_answer_says_which_request_brought_it(
    send: Send, route: respx.Route, answer: dict[str, Any], request_id: str | None
) -> None:
    route.respond(200, **answer)
    found = send(GET)
    assert (found.id, found.request_id) == ("batch_0a1b2c3d", request_id)


def test_reads_and_slow_writes_have_their_own_time(
    make_client: Callable[..., TruedyClient], server: respx.MockRouter
) -> None:
    route = server.route().respond(200, json=batch())
    for timeout in (None, 5.0, 90.0):
        client = make_client() if timeout is None else make_client(timeout=timeout)
        client.send(GET)
        client.send(CREATE)
    assert [call.request.extensions["timeout"] for call in route.calls] == [
        {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0},
        {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 10.0},
        {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0},
        {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 5.0},
        {"connect": 10.0, "read": 90.0, "write": 90.0, "pool": 10.0},
        {"connect": 10.0, "read": 90.0, "write": 90.0, "pool": 10.0},
    ]


def test_the_user_agent_names_provider_python_and_what_the_hook_adds(
    make_client: Callable[..., TruedyClient], server: respx.MockRouter
) -> None:
    route = server.route().respond(200, json=batch())
    make_client(user_agent="apache-airflow/3.3.2", headers={"X-Team": "growth"}).send(GET)
    headers = route.calls.last.request.headers
    assert httpx.Headers(headers)["user-agent"].startswith("airflow-provider-truedy/")
    assert " python/3." in headers["user-agent"]
    assert headers["user-agent"].endswith(" apache-airflow/3.3.2")
    assert headers["x-team"] == "growth"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"headers": {"authorization": "Bearer other"}}, "headers.authorization"),
        ({"headers": {"x-idempotency-key": "other"}}, "headers.x-idempotency-key"),
        ({"headers": {"X-Team": "a\r\nAuthorization: x"}}, "headers.X-Team"),
        ({"user_agent": "a\nb"}, "headers.User-Agent"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "truedy_abc\n"}, "api_key"),
        ({"api_key": "truedy_äbc"}, "api_key"),
        ({"base_url": "api.truedy.ai"}, "base_url"),
        ({"base_url": "ftp://api.truedy.ai"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"base_url": "https://a b:x"}, "base_url"),
    ],
)
def test_settings_that_cannot_be_sent_are_refused(options: dict[str, Any], field: str) -> None:
    for kind in (TruedyClient, AsyncTruedyClient):
        with pytest.raises(errors.InvalidPayloadError) as raised:
            kind(**{"api_key": KEY, "base_url": BASE, **options})
        assert [problem.field for problem in raised.value.problems] == [field]
        assert "äbc" not in str(raised.value)


def test_a_slash_at_the_end_of_the_base_url_does_no_harm(server: respx.MockRouter) -> None:
    route = server.get("/agents/agt_1").respond(200, json={"data": {"id": "agt_1"}})
    TruedyClient(KEY, f"{BASE}/").send(endpoints.get_agent("agt_1"))
    assert route.called


async def test_clients_are_context_managers_and_close_their_connections(server: respx.MockRouter) -> None:
    server.route().respond(200, json=batch())
    with TruedyClient(KEY, BASE) as client:
        client.send(GET)
    with pytest.raises(RuntimeError, match="closed"):
        client.send(GET)
    async with AsyncTruedyClient(KEY, BASE) as async_client:
        await async_client.send(GET)
    with pytest.raises(RuntimeError, match="closed"):
        await async_client.send(GET)
