"""X-Idempotency-Key: the same request again gives the stored answer."""

from __future__ import annotations

import pytest
from truedy_sandbox.testing import AGENT, people

KEY = {"X-Idempotency-Key": "b1946ac9"}
BATCH = {"name": "Renewals", "agent_id": AGENT, "contacts": people(2), "scheduled_at": "2026-06-03T09:00:00Z"}
CALL = {"agent_id": AGENT, "phone_number": "+12125550199"}


@pytest.mark.parametrize(("path", "body"), [("batch-calls", BATCH), ("calls", CALL)])
def test_the_same_request_is_answered_again_to_the_letter(api, path, body):
    first = api.ask("POST", path, body, headers=KEY)
    api.advance(3600)
    again = api.ask("POST", path, body, headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert api.get(path)["pagination"]["total"] == 1
    assert [each["replayed"] for each in api.admin("GET", "requests")["requests"]] == [False, True, False]


@pytest.mark.parametrize(
    "change",
    [
        {"body": {**BATCH, "name": "Renewalz"}},
        {"headers": {"X-Idempotency-Key": "other"}},
        {"headers": {**KEY, "traceparent": "00-1"}},
    ],
)
def test_another_body_key_or_header_is_a_new_request(api, change):
    api.ask("POST", "batch-calls", BATCH, headers=KEY)
    api.ask("POST", "batch-calls", change.get("body", BATCH), headers=change.get("headers", KEY))
    assert api.get("batch-calls")["pagination"]["total"] == 2


@pytest.mark.parametrize("header", ["X-Request-ID", "User-Agent", "X-Forwarded-For"])
def test_headers_that_differ_by_nature_do_not_count(api, header):
    for value in ("one", "two"):
        api.ask("POST", "batch-calls", BATCH, headers={**KEY, header: value})
    assert api.get("batch-calls")["pagination"]["total"] == 1


def test_a_refused_create_is_not_kept(api):
    body = {**BATCH, "contact_folder_id": "folder_later"}
    api.refused("POST", "batch-calls", body, headers=KEY)
    api.refused("POST", "batch-calls", body, headers=KEY)
    assert api.admin("GET", "state")["kept_answers"] == 0


def test_other_writes_take_no_key(api):
    batch = api.draft(1)
    for _ in range(2):
        api.post("contacts", {"phone_number": "+12125550100"}, headers=KEY)
        api.ask("POST", f"batch-calls/{batch}/contacts", {"contacts": people(1, start=9)}, headers=KEY)
    assert api.get("contacts")["pagination"]["total"] == 2
    assert api.admin("GET", "state")["kept_answers"] == 0


def test_keys_can_be_ignored(make_api):
    api = make_api(ignore_idempotency_keys=True)
    for _ in range(2):
        api.ask("POST", "batch-calls", BATCH, headers=KEY)
    assert api.get("batch-calls")["pagination"]["total"] == 2
