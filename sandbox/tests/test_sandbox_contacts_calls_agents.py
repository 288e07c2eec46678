"""Contacts, folders, CSV import, calls, agents and numbers over HTTP."""

from __future__ import annotations

from collections import Counter

import pytest
from truedy_sandbox.testing import AGENT


def test_a_contact_goes_in_by_phone_number_and_comes_out_by_phone_and_name(api):
    sent = {"phone_number": "+12125550100", "first_name": "Ann", "last_name": "Lee", "custom_fields": {"plan": "gold"}}
    contact = api.post("contacts", sent)
    assert contact["id"].startswith("cnt_")
    assert (contact["phone"], contact["name"], contact["email"]) == ("+12125550100", "Ann Lee", None)
    assert contact["custom_fields"] == {"plan": "gold"}
    assert "phone_number" not in contact
    changed = api.ask("PATCH", f"contacts/{contact['id']}", {"last_name": None, "email": "a@example.com"}).json()[
        "data"
    ]
    assert (changed["name"], changed["email"], changed["custom_fields"]) == ("Ann", "a@example.com", {"plan": "gold"})
    assert api.refused("PATCH", "contacts/cnt_unknown", {"first_name": "x"}, status=404)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"phone_number": "212"},
        {"phone_number": "+12125550100", "email": "x"},
        {"phone_number": "+12125550100", "folder_id": "folder_x"},
    ],
)
def test_a_bad_contact_is_refused(api, bad):
    assert api.refused("POST", "contacts", bad)["code"] == "validation_error"


def test_contacts_are_found_by_folder_and_text(api):
    folder = api.post("contacts/folders", {"name": "VIP", "description": "few"})
    assert (folder["contact_count"], folder["description"]) == (0, "few")
    api.post("contacts", {"phone_number": "+12125550101", "first_name": "Ann", "folder_id": folder["id"]})
    api.post("contacts", {"phone_number": "+12125550102", "first_name": "Bo"})
    assert [each["name"] for each in api.get("contacts", folder_id=folder["id"])["data"]] == ["Ann"]
    assert [each["name"] for each in api.get("contacts", search="0102")["data"]] == ["Bo"]
    folders = api.get("contacts/folders", sort_by="name", order="asc")
    assert [(each["name"], each["contact_count"]) for each in folders["data"]] == [("Default", 1), ("VIP", 1)]
    assert api.ask("DELETE", f"contacts/folders/{folder['id']}").status_code == 200
    assert api.get("contacts")["pagination"]["total"] == 1


def test_a_csv_import_counts_what_it_did(api):
    folder = api.post("contacts/folders", {"name": "Import"})["id"]
    csv = "\ufeffphone,name,email,plan\n+12125550101,Ann Lee,a@example.com,gold\n+1bad,x,,\n+12125550102,Bo,,\n"

    def send(**more):
        return api.post("contacts/import", files={"file": ("people.csv", csv)}, data={"folder_id": folder, **more})

    first = send()
    assert first["error_details"] == [{"row": 2, "phone": "+1bad", "reason": "Invalid phone number format"}]
    counts = ("imported", "updated", "skipped", "errors")
    assert [first[each] for each in counts] == [2, 0, 0, 1]
    assert [send()[each] for each in counts] == [0, 0, 2, 1]
    assert [send(overwrite_existing="true")[each] for each in counts] == [0, 2, 0, 1]
    ann = api.get("contacts", search="Ann")["data"][0]
    assert (ann["name"], ann["email"], ann["custom_fields"], ann["folder_id"]) == (
        "Ann Lee",
        "a@example.com",
        {"plan": "gold"},
        folder,
    )


@pytest.mark.parametrize("content", [b"", b"name\nAnn\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_such_csv_is_refused(api, content):
    assert api.refused("POST", "contacts/import", files={"file": ("x.csv", content)})["details"]["field"] == "file"


def test_details_of_a_call_appear_a_moment_after_it_ended(make_api):
    api = make_api(outcomes="completed=1", details_delay=30)
    sent = {"agent_id": AGENT, "phone_number": "+12125550199"}
    receipt = api.post("calls", sent)
    assert (receipt["status"], receipt["phone_number"], receipt["direction"]) == ("queued", "+12125550199", "outbound")
    path = f"calls/{receipt['id']}"
    states = []
    for seconds in (0, 2, 5):
        api.advance(seconds)
        states.append(api.get(path)["data"]["status"])
    assert states == ["queued", "ringing", "in_progress"]
    while api.get(path)["data"]["ended_at"] is None:
        api.advance(1)
    call = api.get(path)["data"]
    assert (call["status"], call["duration_seconds"], call["summary"], call["cost_credits"]) == (
        "completed",
        None,
        None,
        None,
    )
    api.refused("GET", f"{path}/transcript", status=404)
    api.advance(30)
    call = api.get(path)["data"]
    assert call["duration_seconds"] >= 35
    assert call["summary"]
    assert call["cost_credits"] > 0
    assert (call["to"], call["from"]) == ("+12125550199", "+18005550142")
    assert [line["speaker"] for line in api.get(f"{path}/transcript")["data"]["transcript"]] == [
        "agent",
        "contact",
        "agent",
    ]
    assert api.get(f"{path}/recording")["data"]["recording_url"] == call["recording_url"]


def test_an_unanswered_call_has_no_transcript_and_costs_nothing(make_api):
    api = make_api(outcomes="no_answer=1")
    call = api.post("calls", {"agent_id": AGENT, "phone_number": "+12125550199"})["id"]
    api.advance(600)
    shown = api.get(f"calls/{call}")["data"]
    assert (shown["status"], shown["duration_seconds"], shown["cost_credits"], shown["recording_url"]) == (
        "no_answer",
        0,
        0,
        None,
    )
    api.refused("GET", f"calls/{call}/transcript", status=404)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"agent_id": "agt_unknown", "phone_number": "+12125550199"}, "validation_error"),
        ({"agent_id": "agt_d4af7000", "phone_number": "+12125550199"}, "validation_error"),
        ({"agent_id": "agt_0000ca11", "phone_number": "+12125550199"}, "no_phone_number_configured"),
        ({"agent_id": AGENT, "phone_number": "212"}, "validation_error"),
        ({"agent_id": AGENT, "phone_number": "+12125550199", "from_number": "+12125550100"}, "validation_error"),
    ],
)
def test_a_call_that_cannot_be_placed_is_refused(api, body, code):
    assert api.refused("POST", "calls", body)["code"] == code


def test_calls_of_a_batch_lead_back_to_it_and_are_listed_newest_first(api):
    batch = api.running(30)
    single = api.post("calls", {"agent_id": AGENT, "phone_number": "+12125550199"})["id"]
    api.advance(7200)
    rows = api.get(f"batch-calls/{batch}/contacts", limit=100)["data"]
    call = api.get(f"calls/{rows[4]['call_id']}")["data"]
    assert (call["to"], call["metadata"]["campaign_id"]) == (rows[4]["phone_number"], batch)
    assert call["metadata"]["contact_id"].startswith("cnt_")
    listed = api.get("calls", limit=100)
    assert {each["id"] for each in listed["data"]} == {single} | {row["call_id"] for row in rows}
    starts = [each["started_at"] for each in listed["data"]]
    assert starts == sorted(starts, reverse=True)
    done = api.get("calls", limit=100, status="completed")
    assert {each["status"] for each in done["data"]} == {"completed"}
    assert done["pagination"]["total"] == len(done["data"])
    assert api.get("calls", direction="inbound")["data"] == []
    assert api.get("calls", agent_id="agt_5e1ec7ed")["data"] == []


def test_a_contact_knows_when_a_batch_call_that_copied_it_called_it(api):
    contact = api.post("contacts", {"phone_number": "+12125550190", "first_name": "Ann"})
    assert (contact["call_count"], contact["last_called_at"]) == (0, None)
    body = {"name": "One", "agent_id": AGENT, "contact_ids": [contact["id"]]}
    batch = api.post("batch-calls", body)["id"]
    api.post(f"batch-calls/{batch}/schedule", {"scheduled_at": "2026-06-01T15:00:00Z"})
    api.advance(86400)
    again = api.get("contacts")["data"][0]
    assert (again["call_count"], again["last_called_at"]) == (1, "2026-06-01T15:00:00Z")
    call_id = api.get(f"batch-calls/{batch}/contacts")["data"][0]["call_id"]
    assert api.get(f"calls/{call_id}")["data"]["metadata"]["contact_id"] == contact["id"]


def test_only_calls_that_ended_can_be_deleted(api):
    batch = api.running(6)
    api.advance(1)
    going = api.get(f"batch-calls/{batch}/contacts")["data"][0]["call_id"]
    assert api.post("calls/bulk-delete", {"ids": [going, "call_x"]})["failed_ids"] == [going, "call_x"]
    api.advance(3600)
    assert api.post("calls/bulk-delete", {"ids": [going]})["deleted_ids"] == [going]
    api.refused("GET", f"calls/{going}", status=404)
    assert api.get("calls")["pagination"]["total"] == 5


def test_agents_and_numbers_are_there_from_the_start(api):
    assert len(api.get("agents")["data"]) == 4
    assert [each["id"] for each in api.get("agents", status="draft")["data"]] == ["agt_d4af7000"]
    assert [each["id"] for each in api.get("agents", name="FOLLOW")["data"]] == [AGENT]
    agent = api.get(f"agents/{AGENT}")["data"]
    numbers = {each["id"] for each in api.get("telephony/numbers")["data"]}
    assert {each["id"] for each in agent["outbound_phone_numbers"]} < numbers
    batch = api.draft(phone_number_ids=[agent["outbound_phone_numbers"][1]["id"]])
    assert api.batch(batch)["from_number"] == agent["outbound_phone_numbers"][1]["phone_number"]
    api.refused("GET", "agents/agt_unknown", status=404)


def test_calls_of_several_batch_calls_are_all_listed_once(api):
    small, large = api.running(count=3), api.running(count=20)
    api.advance(7200)
    listed = api.get("calls", limit=100)["data"]
    by_batch = Counter(call["metadata"]["campaign_id"] for call in listed)
    assert by_batch == {small: 3, large: 20}
    assert len({call["id"] for call in listed}) == 23
