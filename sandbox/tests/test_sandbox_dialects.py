"""Each dialect by itself: what Truedy's pages or older code show somewhere else."""

from __future__ import annotations

from uuid import UUID

import pytest
from truedy_sandbox.testing import AGENT, people


@pytest.mark.parametrize("word", ["active", "running"])
def test_a_live_batch_call_goes_by_either_word_and_is_filtered_by_active(make_api, word):
    api = make_api(live_state=word)
    batch = api.running(50)
    assert api.batch(batch)["status"] == word
    assert [each["status"] for each in api.get("batch-calls", status="active")["data"]] == [word]
    api.post(f"batch-calls/{batch}/pause")
    assert api.post(f"batch-calls/{batch}/resume")["status"] == word


def test_a_create_can_schedule_by_itself(make_api):
    api = make_api(create_answer="scheduled")
    later = api.draft(schedule_type="scheduled", scheduled_at="2026-06-02T13:00:00Z")
    assert api.batch(later)["status"] == "scheduled"
    api.refused("POST", f"batch-calls/{later}/schedule", {})
    now = api.draft(50)
    assert api.batch(now)["status"] == "active"
    api.post(f"batch-calls/{now}/pause")
    assert api.post(f"batch-calls/{now}/contacts", {"contacts": people(1, start=90)})["added_count"] == 1
    assert api.batch(api.draft(0))["status"] == "draft"


def test_a_create_that_would_schedule_what_is_not_ready_makes_nothing(make_api):
    api = make_api(create_answer="scheduled")
    api.refused("POST", "batch-calls", {"name": "x", "agent_id": "agt_0000ca11", "contacts": people(1)})
    assert api.get("batch-calls")["data"] == []


@pytest.mark.parametrize(("style", "shape"), [("batch", r"batch_"), ("camp", r"camp_"), ("uuid", "")])
def test_batch_ids_come_in_three_styles(make_api, style, shape):
    batch = make_api(id_style=style).draft()
    assert batch.startswith(shape)
    if style == "uuid":
        assert str(UUID(batch)) == batch


def test_the_time_of_an_answer_can_be_called_timestamp(make_api):
    meta = make_api(meta_time="timestamp").get("agents")["meta"]
    assert set(meta) == {"request_id", "timestamp"}


def test_times_can_lack_their_offset(make_api):
    api = make_api(times="naive")
    batch = api.batch(api.draft())
    assert batch["created_at"] == "2026-06-01T13:00:00"


def test_errors_come_in_three_shapes(make_api):
    bad = {"name": "", "agent_id": AGENT}
    documented = make_api().ask("POST", "batch-calls", bad).json()
    assert set(documented) == {"error", "meta"}
    snapshot = make_api(error_shape="snapshot").ask("POST", "batch-calls", bad).json()
    assert set(snapshot) == {"error"}
    assert {"code", "message", "request_id", "ts"} <= set(snapshot["error"])
    framework = make_api(error_shape="framework")
    answer = framework.ask("POST", "batch-calls", bad)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "name"]
    assert framework.ask("GET", "batch-calls/x").json()["detail"]["error"]["code"] == "not_found"


def test_actions_can_answer_in_full_or_with_nothing(make_api):
    full = make_api(action_answers="full")
    batch = full.draft()
    assert full.post(f"batch-calls/{batch}/schedule", {})["total_contacts"] == 3
    empty = make_api(action_answers="empty")
    batch = empty.draft(50)
    for action in ("schedule", "pause", "resume"):
        answer = empty.ask("POST", f"batch-calls/{batch}/{action}", {})
        assert (answer.status_code, answer.content) == (204, b"")
    assert empty.batch(batch)["status"] == "active"


def test_contacts_can_be_paged_by_page(make_api):
    api = make_api(contacts_paging="page")
    for contact in people(5):
        api.post("contacts", contact)
    page = api.get("contacts", limit=2, page=3, offset=0)
    assert page["pagination"] == {"page": 3, "limit": 2, "total": 5, "pages": 3}
    assert [each["name"] for each in page["data"]] == ["P0"]
    assert api.get("contacts", limit=2, offset=4)["data"] == api.get("contacts", limit=2, page=1)["data"]


def test_folders_can_come_all_at_once(make_api):
    api = make_api(folders_paging="none")
    for name in "abc":
        api.post("contacts/folders", {"name": name})
    body = api.get("contacts/folders", limit=1)
    assert len(body["data"]) == 3
    assert "pagination" not in body


def test_calls_can_go_by_the_words_of_the_guides(make_api):
    api = make_api(call_words="guides", outcomes="completed=1")
    call = api.post("calls", {"agent_id": AGENT, "phone_number": "+12125550100"})["id"]
    api.advance(10)
    assert api.get(f"calls/{call}")["data"]["status"] == "in-progress"
    api.advance(1000)
    assert api.get(f"calls/{call}")["data"]["status"] == "ended"


def test_an_import_can_ask_for_the_older_column_and_answer_the_older_form(make_api):
    api = make_api(csv_phone_column="phone_number", import_answer="snapshot")
    file = {"file": ("people.csv", "phone_number\n+12125550100\nnope\n")}
    answer = api.post("contacts/import", files=file)
    assert answer == {"successful": 1, "failed": 1, "errors": [{"row": 2, "error": "Invalid phone number format"}]}
    other = {"file": ("people.csv", "phone\n+12125550100\n")}
    assert api.refused("POST", "contacts/import", files=other)["details"]["field"] == "file"
