"""Reads, lists and counters that lag: old answers for so long, then the new ones; writes act at once."""

from __future__ import annotations

import pytest
from truedy_sandbox.testing import people


def ids(api) -> list[str]:
    return [each["id"] for each in api.get("batch-calls")["data"]]


def test_a_new_batch_call_is_unknown_until_the_lag_has_passed(make_api):
    api = make_api(read_lag=5)
    batch = api.draft()
    api.refused("GET", f"batch-calls/{batch}", status=404)
    api.advance(4.9)
    api.refused("GET", f"batch-calls/{batch}", status=404)
    api.advance(0.1)
    assert api.batch(batch)["total_contacts"] == 3


def test_a_read_shows_the_old_state_while_writes_act_on_the_new_one(make_api):
    api = make_api(read_lag=5)
    batch = api.draft(50)
    api.advance(10)
    assert api.post(f"batch-calls/{batch}/schedule", {})["status"] == "scheduled"
    assert api.batch(batch)["status"] == "draft"
    assert api.post(f"batch-calls/{batch}/pause")["status"] == "paused"
    api.refused("POST", f"batch-calls/{batch}/schedule", {})
    api.advance(5)
    assert api.batch(batch)["status"] == "paused"


def test_every_state_in_between_is_seen_in_its_turn(make_api):
    api = make_api(read_lag=10, outcomes="completed=1")
    batch = api.draft(50)
    api.advance(4)
    api.post(f"batch-calls/{batch}/schedule", {})
    api.advance(4)
    api.post(f"batch-calls/{batch}/pause")
    seen = []
    for _ in range(6):
        answer = api.ask("GET", f"batch-calls/{batch}")
        seen.append(answer.json()["data"]["status"] if answer.status_code == 200 else answer.status_code)
        api.advance(2)
    assert seen == [404, "draft", "draft", "active", "active", "paused"]


def test_a_deleted_batch_call_is_still_there_until_the_lag_has_passed(make_api):
    api = make_api(read_lag=5, list_lag=3)
    batch = api.draft()
    api.advance(10)
    assert api.ask("DELETE", f"batch-calls/{batch}").status_code == 200
    assert api.batch(batch)["id"] == batch
    assert ids(api) == [batch]
    api.refused("POST", f"batch-calls/{batch}/schedule", {}, status=404)
    api.advance(3)
    assert (ids(api), api.batch(batch)["id"]) == ([], batch)
    api.advance(2)
    api.refused("GET", f"batch-calls/{batch}", status=404)


def test_a_renamed_batch_call_keeps_its_old_name_in_reads(make_api):
    api = make_api(read_lag=5)
    batch = api.draft()
    api.advance(10)
    answer = api.ask("PATCH", f"batch-calls/{batch}", {"name": "New"})
    assert answer.json()["data"]["name"] == "New"
    assert api.batch(batch)["name"] == "Renewals"
    api.advance(5)
    assert api.batch(batch)["name"] == "New"


def test_a_list_lags_by_itself(make_api):
    api = make_api(list_lag=3)
    batch = api.draft()
    assert api.batch(batch)["id"] == batch
    assert (ids(api), api.get("batch-calls")["pagination"]["total"]) == ([], 0)
    api.refused("GET", f"batch-calls/{batch}/contacts", status=404)
    contact = api.post("contacts", people(1)[0])["id"]
    assert (api.get("contacts")["data"], api.get("contacts/folders")["data"]) == ([], [])
    api.advance(3)
    assert ids(api) == [batch]
    assert len(api.get(f"batch-calls/{batch}/contacts")["data"]) == 3
    assert [each["id"] for each in api.get("contacts")["data"]] == [contact]


def test_contacts_added_are_listed_late(make_api):
    api = make_api(list_lag=3)
    batch = api.draft(2)
    api.advance(3)
    api.post(f"batch-calls/{batch}/contacts", {"contacts": people(2, start=10)})
    assert api.get(f"batch-calls/{batch}/contacts")["pagination"]["total"] == 2
    api.advance(3)
    assert api.get(f"batch-calls/{batch}/contacts")["pagination"]["total"] == 4


def test_counters_lag_behind_the_rest(make_api):
    api = make_api(counter_lag=5)
    batch = api.draft(3)
    shown = api.batch(batch)
    assert (shown["status"], shown["total_contacts"], shown["pending"]) == ("draft", 0, 0)
    assert api.get("batch-calls")["data"] == [shown]
    api.advance(5)
    assert api.post(f"batch-calls/{batch}/contacts", {"contacts": people(2, start=10)})["added_count"] == 2
    assert api.batch(batch)["total_contacts"] == 3
    assert len(api.get(f"batch-calls/{batch}/contacts")["data"]) == 5
    api.advance(5)
    assert (api.batch(batch)["total_contacts"], api.batch(batch)["pending"]) == (5, 5)


def test_a_campaign_can_be_over_while_its_counters_are_not(make_api):
    api = make_api(counter_lag=600, outcomes="completed=1")
    batch = api.running(3)
    api.advance(599)
    shown = api.batch(batch)
    assert (shown["status"], shown["called"]) == ("completed", 0)
    api.advance(600)
    assert api.batch(batch)["called"] == 3


def test_a_single_call_is_read_late_too(make_api):
    api = make_api(read_lag=5, list_lag=5)
    call = api.post("calls", {"agent_id": "agt_f9447372", "phone_number": "+12125550100"})["id"]
    api.refused("GET", f"calls/{call}", status=404)
    assert api.get("calls")["data"] == []
    api.advance(5)
    assert api.get(f"calls/{call}")["data"]["status"] == "queued"
    assert len(api.get("calls")["data"]) == 1


def test_a_share_of_the_reads_lags_and_the_same_requests_see_the_same(make_api):
    def seen(seed: int) -> list[int]:
        api = make_api(read_lag=5, replica_share=0.4, seed=seed)
        batch = api.draft()
        return [api.ask("GET", f"batch-calls/{batch}").status_code for _ in range(200)]

    first = seen(1)
    assert first == seen(1)
    assert first != seen(2)
    assert 50 < first.count(404) < 110


def test_no_share_means_no_lag(make_api):
    api = make_api(read_lag=5, list_lag=5, replica_share=0)
    batch = api.draft()
    assert (api.batch(batch)["id"], ids(api)) == (batch, [batch])


def test_a_reset_is_seen_at_once(make_api):
    api = make_api(read_lag=5, list_lag=5)
    batch = api.draft()
    api.advance(10)
    assert ids(api) == [batch]
    api.admin("POST", "reset")
    assert ids(api) == []
    api.refused("GET", f"batch-calls/{batch}", status=404)


def test_an_idempotency_key_is_known_at_once_whatever_lags(make_api):
    api = make_api(read_lag=5, list_lag=5)
    key = {"X-Idempotency-Key": "k"}
    body = {"name": "Renewals", "agent_id": "agt_f9447372"}
    first, again = (api.post("batch-calls", body, headers=key)["id"] for _ in range(2))
    assert first == again


def test_what_a_test_looks_at_is_the_truth(make_api):
    api = make_api(read_lag=5, list_lag=5, counter_lag=5)
    batch = api.draft()
    assert [(each["id"], each["total_contacts"]) for each in api.admin("GET", "state")["batch_calls"]] == [(batch, 3)]


@pytest.mark.parametrize("bad", [{"read_lag": -1}, {"list_lag": -1}, {"counter_lag": -1}, {"replica_share": 1.5}])
def test_impossible_lags_are_refused(make_api, bad):
    with pytest.raises(ValueError, match=r"lag|replica_share"):
        make_api(**bad)
