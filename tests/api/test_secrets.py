"""The key, and what a search is for, show in no repr, log, exception or trace; forks and requests are checked."""

from __future__ import annotations

import http.server
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from airflow_truedy.api import endpoints, errors, models
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from tests import checked_requests
from tests.api.scripted import BASE, KEY, NUMBER, batch

GET = endpoints.get_batch_call("batch_1")


def test_a_client_shows_its_address_only() -> None:
    for kind in (TruedyClient, AsyncTruedyClient):
        client = kind(KEY, BASE)
        assert repr(client) == str(client) == f"{kind.__name__}(base_url='{BASE}')"
        assert KEY not in repr(client._http.headers)
        assert KEY not in repr(client._http.auth)


def test_a_call_shows_method_and_path_only() -> None:
    contact = models.ContactRequest.checked(phone_number=NUMBER)
    for value in (endpoints.create_contact(contact), endpoints.list_contacts(search=NUMBER)):
        assert NUMBER not in repr(value)
    assert "555" not in endpoints.list_contacts(search=NUMBER).page(("offset", 0)).operation


ECHO = f"Authorization: Bearer {KEY}"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError(ECHO),
        httpx.LocalProtocolError(ECHO),
        httpx.ReadTimeout(ECHO),
        httpx.DecodingError(ECHO),
        httpx.Response(401, json={"error": {"code": KEY, "message": ECHO, "details": {"reason": KEY}}}),
        httpx.Response(401, text=ECHO),
        httpx.Response(200, html=f"<p>{ECHO}"),
        httpx.Response(401, json={"detail": [{"loc": ["header", KEY], "msg": ECHO}]}),
    ],
    ids=lambda failure: f"{type(failure).__name__}-{getattr(failure, 'status_code', '')}",
)
@pytest.mark.parametrize("key", [KEY, "sandbox-key-without-prefix"])
def test_no_error_or_trace_shows_the_key_even_if_the_other_side_says_it(
    server: respx.MockRouter, failure: Any, key: str
) -> None:
    if isinstance(failure, httpx.Response):
        content = failure.content.replace(KEY.encode(), key.encode())
        failure = httpx.Response(failure.status_code, content=content)
        server.route().mock(return_value=failure)
    else:
        server.route().mock(side_effect=type(failure)(str(failure).replace(KEY, key)))
    client = TruedyClient(key, BASE, sleep=lambda _: None, requests_per_minute=None)
    with pytest.raises(errors.TruedyError) as raised:
        client.send(GET)
    seen: BaseException | None = raised.value
    while seen is not None:
        assert type(seen).__module__.startswith("airflow_truedy")
        assert key not in "".join(traceback.format_exception(seen))
        assert key not in repr(seen.__dict__)
        seen = seen.__cause__ or seen.__context__


@pytest.fixture
def loopback() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"data": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/api/public/v1"
        running.shutdown()
        thread.join()


def test_no_log_at_any_level_shows_the_key_or_what_is_searched_for(
    loopback: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="httpx")
    with TruedyClient(KEY, loopback) as client:
        assert list(client.pages(endpoints.list_contacts(search=f"Ann {NUMBER}"))) == []
    assert "GET" in caplog.text
    assert "/contacts" in caplog.text
    for private in (KEY, "Ann", "5555550123", "search"):
        assert private not in caplog.text


def test_other_users_of_the_http_library_keep_their_logs(loopback: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    httpx.get(f"{loopback}/contacts?page=3")
    assert "page=3" in caplog.text


def test_a_forked_process_opens_its_own_connections(
    server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, client: TruedyClient
) -> None:
    server.route().respond(200, json=batch())
    client.send(GET)
    inherited = client._http
    monkeypatch.setattr(os, "getpid", lambda: -1)
    client.send(GET)
    assert client._http is not inherited
    assert not inherited.is_closed
    again = client._http
    client.send(GET)
    assert client._http is again


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/campaigns", b"", {}),
        ("PUT", "/batch-calls/b", b"{}", {}),
        ("GET", "/batch-calls", b"", {}),
        ("GET", "/batch-calls?limit=500&offset=0", b"", {}),
        ("GET", "/batch-calls?limit=5&offset=0&name=x", b"", {}),
        ("POST", "/batch-calls/b/pause", b"{}", {}),
        ("POST", "/batch-calls/b/pause", b"", {"X-Idempotency-Key": "k"}),
        ("POST", "/batch-calls", b'{"name":"n","agent_id":"a"}', {}),
        ("POST", "/batch-calls", b'{"name":"n","agent_id":"a","contact_ids":["c"],"timezone":null}', {}),
        ("POST", "/batch-calls/b/schedule", b'{"scheduled_at":"2026-06-01T13:00:00+02:00"}', {}),
        ("POST", "/batch-calls/bulk-delete", b'{"ids":[]}', {}),
        ("POST", "/contacts/import", b"phone", {"Content-Type": "text/csv"}),
        ("GET", "/agents/agt_1", b"", {"Authorization": ""}),
    ],
)
def test_the_check_of_all_tests_requests_finds_what_the_api_does_not_know(
    method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers}
    with pytest.raises((AssertionError, errors.InvalidPayloadError)):
        checked_requests.check_request(method, path, body, sent)


def test_the_check_sees_what_a_client_sends(
    client: TruedyClient, server: respx.MockRouter, make_client: Callable[..., TruedyClient]
) -> None:
    server.route().respond(200, json=batch())
    call = endpoints.pause_batch_call("batch_1")
    client.send(call)
    wrong = type(call)("POST", "/batch-calls/batch_1/stop", call.parse)
    with pytest.raises(AssertionError, match="not an endpoint"):
        client.send(wrong)
