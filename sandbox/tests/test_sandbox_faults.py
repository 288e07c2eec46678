"""Faults on demand, seen by a real client over a real connection."""

from __future__ import annotations

import logging
import time

import httpx
import pytest
from truedy_sandbox.server import SandboxThread
from truedy_sandbox.testing import AGENT, SandboxClient

CREATE = {"name": "Renewals", "agent_id": AGENT}


class Client:
    def __init__(self, api: SandboxClient, server: SandboxThread) -> None:
        self.api = api
        self.http = httpx.Client(base_url=server.base_url + "/", headers=api.headers, timeout=5, trust_env=False)

    def fault(self, kind, method=None, path=None, **more):
        self.api.admin("POST", "faults", {"kind": kind, "match": {"method": method, "path": path}, **more})

    def create(self, **more):
        return self.http.post("batch-calls", json=CREATE, **more)

    def made(self):
        return len(self.api.admin("GET", "state")["batch_calls"])


@pytest.fixture
def client(make_api):
    api = make_api()
    with SandboxThread(api.app) as server:
        one = Client(api, server)
        yield one
        one.http.close()


def test_a_lost_answer_comes_after_the_work(client, caplog):
    client.fault("lost_answer", "POST", "batch-calls$")
    with caplog.at_level(logging.INFO), pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.create()
    assert client.made() == 1
    assert client.create().status_code == 201
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_a_dropped_request_does_no_work(client, caplog):
    client.fault("drop", "POST")
    with caplog.at_level(logging.INFO), pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.create()
    assert client.made() == 0
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_a_large_request_can_be_dropped_too(client):
    client.fault("drop", "POST")
    with pytest.raises(httpx.TransportError):
        client.http.post("batch-calls", content=b"x" * 3_000_000)
    assert client.create().status_code == 201


def test_an_error_500_comes_before_or_after_the_work(client):
    client.fault("error_500", "POST")
    answer = client.create()
    assert (answer.status_code, answer.json()["error"]["code"], client.made()) == (500, "internal_error", 0)
    client.fault("error_500_after", "POST")
    answer = client.create()
    assert (answer.status_code, answer.json()["error"]["code"], client.made()) == (500, "internal_error", 1)


def test_a_lost_answer_is_found_again_by_its_key(client):
    key = {"X-Idempotency-Key": "k"}
    client.fault("lost_answer", "POST")
    with pytest.raises(httpx.TransportError):
        client.create(headers=key)
    assert client.create(headers=key).status_code == 201
    assert client.made() == 1


def test_a_429_says_when_it_ends(client):
    client.fault("rate_limited", "GET", seconds=7)
    answer = client.http.get("agents")
    assert answer.status_code == 429
    assert answer.json()["error"]["details"]["reset_at"] == "2026-06-01T13:00:07.000000Z"


def test_a_proxy_can_answer_with_html(client):
    client.fault("html_502")
    answer = client.http.get("agents")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")


def test_a_slow_answer_comes_late_and_the_work_is_done_even_if_the_client_left(client):
    client.fault("slow", "POST", seconds=0.3)
    started = time.monotonic()
    assert client.create().status_code == 201
    assert time.monotonic() - started >= 0.3
    client.fault("slow", "POST", seconds=1)
    with pytest.raises(httpx.ReadTimeout):
        client.create(timeout=0.1)
    assert client.made() == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "unauthorized"),
        (402, "payment_required"),
        (403, "forbidden"),
        (404, "not_found"),
        (409, "conflict"),
        (422, "validation_error"),
        (500, "internal_error"),
        (502, "provider_error"),
    ],
)
def test_any_documented_refusal_can_be_rehearsed_and_does_no_work(client, status, code):
    client.fault("status", "POST", status=status)
    answer = client.create()
    assert (answer.status_code, answer.json()["error"]["code"], client.made()) == (status, code, 0)
    assert answer.json()["meta"]["request_id"]
    assert client.create().status_code == 201


def test_faults_choose_their_requests_and_strike_as_often_as_they_are_told(client):
    client.fault("error_500", "GET", "^/api/public/v1/agents$", after=1, times=2)
    codes = [client.http.get("agents").status_code for _ in range(5)]
    assert codes == [200, 500, 500, 200, 200]
    assert client.http.get("telephony/numbers").status_code == 200
    shown = client.api.admin("GET", "faults")["faults"]
    assert [(each["seen"], each["struck"]) for each in shown] == [(5, 2)]
    client.fault("html_502", times=None)
    assert {client.http.get("agents").status_code for _ in range(4)} == {502}
    client.api.admin("DELETE", "faults")
    assert client.http.get("agents").status_code == 200


def test_a_fault_that_makes_no_sense_is_refused(client):
    for bad in (
        {"kind": "earthquake"},
        {"kind": "drop", "match": {"path": "("}},
        {"kind": "drop", "times": 0},
        {"kind": "status"},
        {"kind": "status", "status": 418},
        {"kind": "drop", "status": 402},
        {},
    ):
        answer = client.api.client.post("/_sandbox/faults", json=bad)
        assert answer.status_code == 422


def test_the_journal_tells_what_came_in_and_how_it_ended_without_naming_anyone(client):
    client.fault("lost_answer", "POST")
    with pytest.raises(httpx.TransportError):
        client.http.post(
            "batch-calls", json={**CREATE, "contacts": [{"phone_number": "+12125550100", "first_name": "Ann"}]}
        )
    client.http.get("contacts", params={"search": "+12125550100"})
    text = client.api.client.get("/_sandbox/requests").text
    assert "2125550100" not in text
    assert "Ann" not in text
    journal = client.api.admin("GET", "requests")
    assert journal["count"] == 2
    assert list(journal["per_minute"].values()) == [2]
    lost, read = journal["requests"]
    assert (lost["method"], lost["path"], lost["status"], lost["fault"]) == (
        "POST",
        "/api/public/v1/batch-calls",
        None,
        "lost_answer",
    )
    assert (lost["contacts"], read["status"], read["fault"], read["body_digest"]) == (1, 200, None, None)
    assert len(lost["body_digest"]) == 16
    assert client.api.admin("GET", "requests?since=1")["requests"] == [read]
