"""Batch calls over HTTP: fields, life cycle, state rules, counters."""

from __future__ import annotations

import pytest
from truedy_sandbox.testing import AGENT, people


def test_a_create_answers_a_draft_with_the_documented_fields(api):
    answer = api.ask(
        "POST",
        "batch-calls",
        {"name": "Quick Follow-up", "agent_id": AGENT, "schedule_type": "immediate", "contacts": people(2)},
    )
    assert answer.status_code == 201
    body = answer.json()
    assert body["meta"] == {"request_id": body["meta"]["request_id"], "ts": "2026-06-01T13:00:00Z"}
    assert body["data"] == {
        "id": body["data"]["id"],
        "name": "Quick Follow-up",
        "status": "draft",
        "agent_id": AGENT,
        "from_number": "+18005550142",
        "schedule_type": "immediate",
        "scheduled_at": None,
        "timezone": "UTC",
        "concurrency": 5,
        "retry_attempts": 2,
        "total_contacts": 2,
        "called": 0,
        "completed": 0,
        "failed": 0,
        "pending": 2,
        "created_at": "2026-06-01T13:00:00Z",
        "updated_at": "2026-06-01T13:00:00Z",
    }
    assert answer.headers["x-request-id"] != body["meta"]["request_id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", None),
        ("agent_id", "agt_unknown"),
        ("agent_id", None),
        ("phone_number_ids", ["num_unknown"]),
        ("phone_rotation_strategy", "sometimes"),
        ("contact_source", "air"),
        ("contact_folder_id", "folder_unknown"),
        ("contact_ids", ["ctc_unknown"]),
        ("contacts", [{"first_name": "Ann"}]),
        ("contacts", [{"phone_number": "5551234567"}]),
        ("contacts", [{"phone_number": "+0551234567"}]),
        ("contacts", [{"phone_number": "+12125550100", "first_name": "x" * 101}]),
        ("contacts", [{"phone_number": "+12125550100", "email": "nobody"}]),
        ("contacts", ["ctc_1"]),
        ("schedule_type", "later"),
        ("scheduled_at", "tomorrow"),
        ("max_calls_per_day", 0),
        ("timezone", "Mars/Base"),
        ("start_time", "9:00"),
        ("start_time", "25:00"),
        ("end_time", "10:61"),
        ("working_days", [0]),
        ("working_days", [8]),
    ],
)
def test_a_create_with_a_bad_value_is_refused_and_names_the_field(api, field, value):
    body = {"name": "Renewals", "agent_id": AGENT, "contacts": people(1), field: value}
    error = api.refused("POST", "batch-calls", body)
    assert error["code"] == "validation_error"
    assert error["details"]["field"].startswith(field)
    assert error["details"]["reason"]
    assert api.get("batch-calls")["data"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule_type": "scheduled"},
        {"contact_source": "folder"},
        {"start_time": "17:00", "end_time": "09:00"},
        {"start_time": "09:00", "end_time": "09:00"},
    ],
)
def test_fields_that_contradict_each_other_are_refused(api, fields):
    error = api.refused("POST", "batch-calls", {"name": "Renewals", "agent_id": AGENT, **fields})
    assert error["code"] == "validation_error"


def test_unknown_fields_are_ignored(api):
    assert api.batch(api.draft(max_concurrent_calls=50, retry_failed=True))["concurrency"] == 5


def test_a_body_that_is_not_json_is_a_bad_request(api):
    error = api.refused("POST", "batch-calls", status=400, content=b"{", headers={"Content-Type": "application/json"})
    assert error["code"] == "bad_request"


@pytest.mark.parametrize(
    "headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}]
)
def test_without_the_key_nothing_is_answered(api, headers):
    assert api.refused("GET", "batch-calls", status=401, headers=headers)["code"] == "unauthorized"
    assert api.refused("POST", "batch-calls", {"name": 1}, status=401, headers=headers)["code"] == "unauthorized"


def test_what_is_not_there_is_not_found(api):
    for method, path in (
        ("GET", "batch-calls/x"),
        ("POST", "batch-calls/x/pause"),
        ("GET", "nothing"),
        ("GET", "calls/x"),
    ):
        assert api.refused(method, path, status=404)["code"] == "not_found"


def test_contacts_of_a_folder_of_the_book_and_of_the_request_come_together(api):
    folder = api.post("contacts/folders", {"name": "VIP"})["id"]
    api.post("contacts", {"phone_number": "+12125550101", "folder_id": folder})
    known = api.post("contacts", {"phone_number": "+12125550102", "first_name": "Bo"})["id"]
    fields = {"contact_folder_id": folder, "contact_ids": [known], "contacts": [{"phone_number": "+12125550103"}]}
    batch = api.post("batch-calls", {"name": "All", "agent_id": AGENT, **fields})
    rows = api.get(f"batch-calls/{batch['id']}/contacts")["data"]
    assert [row["phone_number"] for row in rows] == ["+12125550101", "+12125550102", "+12125550103"]
    assert rows[1] == {
        "contact_id": rows[1]["contact_id"],
        "phone_number": "+12125550102",
        "first_name": "Bo",
        "call_status": "pending",
        "call_id": None,
        "called_at": None,
    }
    assert rows[1]["contact_id"].startswith("ctc_")


def test_a_number_is_in_a_batch_once_and_the_answer_counts_the_rest_as_failed(api):
    batch = api.draft(3)
    assert api.post(f"batch-calls/{batch}/contacts", {"contacts": people(3, start=2)}) == {
        "added_count": 2,
        "failed_count": 1,
    }
    assert api.batch(batch)["total_contacts"] == 5


def test_duplicates_are_kept_by_setting(make_api):
    api = make_api(allow_duplicates=True)
    batch = api.draft(3)
    assert api.post(f"batch-calls/{batch}/contacts", {"contacts": people(3)})["added_count"] == 3


def test_bad_contacts_are_dropped_and_counted_by_setting(make_api):
    api = make_api(bad_contacts="drop")
    batch = api.draft(2)
    more = [*people(1, start=2), {"phone_number": "nope"}]
    other = api.post("batch-calls", {"name": "Other", "agent_id": AGENT, "contacts": more})
    assert other["total_contacts"] == 1
    more = {"contacts": [*people(1, start=5), {"phone_number": "nope"}, 7]}
    assert api.post(f"batch-calls/{batch}/contacts", more) == {"added_count": 1, "failed_count": 2}


def test_a_batch_call_lives_from_draft_to_completed(api):
    batch = api.draft(50)
    scheduled = api.post(
        f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-06-01T14:00:00Z", "timezone": "Europe/London"}
    )
    assert scheduled == {
        "id": batch,
        "status": "scheduled",
        "scheduled_at": "2026-06-01T14:00:00Z",
        "timezone": "Europe/London",
    }
    assert api.batch(batch)["status"] == "scheduled"
    api.advance(3599)
    assert api.batch(batch)["status"] == "scheduled"
    api.advance(301)
    live = api.batch(batch)
    assert live["status"] == "active"
    assert 0 < live["called"] < 50
    assert live["called"] == live["completed"] + live["failed"] == 50 - live["pending"]
    api.advance(7200)
    done = api.batch(batch)
    assert (done["status"], done["called"], done["pending"]) == ("completed", 50, 0)
    called = {row["call_id"] for row in api.get(f"batch-calls/{batch}/contacts", limit=100)["data"]}
    assert len(called) == 50


def test_a_pause_holds_new_calls_and_a_resume_goes_on(api):
    batch = api.running(100)
    api.advance(600)
    assert api.post(f"batch-calls/{batch}/pause") == {"id": batch, "status": "paused"}
    api.advance(600)
    held = api.batch(batch)
    api.advance(86400)
    assert api.batch(batch)["called"] == held["called"] < 100
    answer = api.ask("POST", f"batch-calls/{batch}/resume")
    assert answer.status_code == 201
    assert answer.json()["data"] == {"id": batch, "status": "active", "resumed_at": "2026-06-02T13:20:00Z"}
    api.advance(86400)
    assert api.batch(batch)["status"] == "completed"


def test_a_resume_before_the_start_goes_back_to_scheduled(api):
    batch = api.draft()
    api.post(f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-06-03T13:00:00Z"})
    api.post(f"batch-calls/{batch}/pause")
    assert api.post(f"batch-calls/{batch}/resume")["status"] == "scheduled"
    api.advance(86400)
    assert api.batch(batch)["called"] == 0


def test_a_batch_paused_over_its_start_goes_live_on_resume(api):
    batch = api.draft()
    api.post(f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-06-02T13:00:00Z"})
    api.post(f"batch-calls/{batch}/pause")
    api.advance(3 * 86400)
    assert api.batch(batch)["called"] == 0
    assert api.post(f"batch-calls/{batch}/resume")["status"] == "active"


def test_a_resume_outside_the_calling_hours_is_live_once_the_start_has_passed(api):
    batch = api.draft(40, start_time="12:00", end_time="13:10")
    api.post(f"batch-calls/{batch}/schedule", {})
    api.advance(60)
    api.post(f"batch-calls/{batch}/pause")
    api.advance(6 * 3600)
    held = api.batch(batch)["called"]
    assert api.post(f"batch-calls/{batch}/resume")["status"] == "active"
    api.advance(3600)
    assert api.batch(batch)["called"] == held < 40
    api.advance(86400)
    assert api.batch(batch)["status"] == "completed"


ACTIONS = ("schedule", "pause", "resume", "contacts", "patch", "delete")
ALLOWED = {
    "draft": {"schedule", "contacts", "patch", "delete"},
    "scheduled": {"pause", "patch"},
    "active": {"pause"},
    "paused": {"resume", "contacts", "patch"},
    "completed": set(),
    "failed": {"delete"},
    "cancelled": {"delete"},
}


def in_state(api, status):
    if status == "draft":
        return api.draft(20)
    if status == "scheduled":
        batch = api.draft(20)
        api.post(f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-07-01T13:00:00Z"})
        return batch
    batch = api.running(20)
    if status == "paused":
        api.post(f"batch-calls/{batch}/pause")
    elif status != "active":
        api.admin("POST", f"batch-calls/{batch}/state", {"status": status})
    return batch


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", ALLOWED)
def test_each_action_is_allowed_in_its_states_only(api, status, action):
    batch = in_state(api, status)
    assert api.batch(batch)["status"] == status
    if action == "patch":
        answer = api.ask("PATCH", f"batch-calls/{batch}", {"name": "New"})
    elif action == "delete":
        answer = api.ask("DELETE", f"batch-calls/{batch}")
    else:
        body = {"contacts": people(1, start=50)} if action == "contacts" else None
        answer = api.ask("POST", f"batch-calls/{batch}/{action}", body)
    if action in ALLOWED[status]:
        assert answer.status_code in (200, 201), answer.text
    else:
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "validation_error"
        assert f"'{status}'" in answer.json()["error"]["message"]
        assert api.batch(batch)["status"] == status


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"count": 0}, "contacts"),
        ({"agent_id": "agt_0000ca11"}, "phone_number_ids"),
        ({"agent_id": "agt_d4af7000"}, "agent_id"),
    ],
)
def test_a_batch_call_that_is_not_ready_cannot_be_scheduled(api, fields, named):
    batch = api.draft(**fields)
    assert api.refused("POST", f"batch-calls/{batch}/schedule")["details"]["field"] == named
    assert api.batch(batch)["status"] == "draft"


def test_bulk_delete_says_what_it_could_not_delete(api):
    draft, live = api.draft(), api.running()
    answer = api.post("batch-calls/bulk-delete", {"ids": [draft, live, "batch_unknown"]})
    assert answer == {
        "deleted_count": 1,
        "failed_count": 2,
        "deleted_ids": [draft],
        "failed_ids": [live, "batch_unknown"],
    }
    assert api.refused("GET", f"batch-calls/{draft}", status=404)
    assert api.refused("POST", "batch-calls/bulk-delete", {"ids": []})


def test_an_edit_moves_the_start_and_the_hours(api):
    batch = api.draft(10)
    api.post(f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-06-02T13:00:00Z"})
    changed = api.ask(
        "PATCH", f"batch-calls/{batch}", {"scheduled_at": "2026-06-04T13:00:00Z", "max_calls_per_day": 4}
    ).json()["data"]
    assert changed["scheduled_at"] == "2026-06-04T13:00:00Z"
    api.advance(2 * 86400)
    assert api.batch(batch)["status"] == "scheduled"
    api.advance(86400 + 7200)
    assert api.batch(batch)["called"] == 4
    assert api.refused("PATCH", f"batch-calls/{batch}", {"max_calls_per_day": 0})


def test_an_edited_window_must_still_end_after_it_starts(api):
    batch = api.draft(start_time="09:00", end_time="17:00")
    assert api.refused("PATCH", f"batch-calls/{batch}", {"end_time": "08:00"})["details"]["field"] == "end_time"


def test_calls_keep_to_window_days_and_daily_limit_in_the_zone_of_the_batch(api):
    batch = api.draft(
        25, timezone="America/New_York", start_time="10:00", end_time="10:30", working_days=[2, 4], max_calls_per_day=10
    )
    api.post(f"batch-calls/{batch}/schedule", {})
    api.advance(30 * 86400)
    rows = api.get(f"batch-calls/{batch}/contacts", limit=100)["data"]
    days = [row["called_at"][:10] for row in rows]
    assert days == ["2026-06-02"] * 10 + ["2026-06-04"] * 10 + ["2026-06-09"] * 5
    assert all("T14:00" <= row["called_at"][10:16] < "T14:30" for row in rows)


def test_lists_are_paged_and_filtered(api):
    ids = [api.draft(1) for _ in range(5)]
    live = api.running(1)
    other = api.draft(1, agent_id="agt_5e1ec7ed")
    page = api.get("batch-calls", limit=3, offset=3)
    assert page["pagination"] == {"total": 7, "limit": 3, "offset": 3, "has_more": True}
    assert [each["id"] for each in page["data"]] == [ids[3], ids[2], ids[1]]
    assert [each["id"] for each in api.get("batch-calls", status="active")["data"]] == [live]
    assert [each["id"] for each in api.get("batch-calls", agent_id="agt_5e1ec7ed")["data"]] == [other]
    assert api.get("batch-calls", offset=7)["pagination"]["has_more"] is False
    for bad in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"status": "running"}):
        assert api.ask("GET", "batch-calls", params=bad).status_code == 422


def test_contacts_can_be_listed_by_state(api):
    batch = api.running(60)
    api.advance(400)
    listed = {}
    for status in ("scheduled", "calling", "completed", "no_answer", "busy", "voicemail", "failed", "pending", "what"):
        page = api.get(f"batch-calls/{batch}/contacts", status=status, limit=100)
        assert {row["call_status"] for row in page["data"]} <= {status}
        assert len(page["data"]) == page["pagination"]["total"]
        listed[status] = page["pagination"]["total"]
    assert sum(listed.values()) == 60
    assert listed["calling"] == 5
    assert listed["completed"] == api.batch(batch)["completed"]


def test_a_batch_call_can_complete_while_contacts_are_pending(make_api):
    api = make_api(complete_share=0.5)
    batch = api.running(40)
    api.advance(86400)
    done = api.batch(batch)
    assert (done["status"], done["called"], done["pending"]) == ("completed", 20, 20)
