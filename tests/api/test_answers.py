"""Answers in every shape that the API's pages show are read, and odd ones do not break us."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api import endpoints, models
from airflow_truedy.api.client import TruedyClient
from tests.api.scripted import NUMBER

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_a_batch_call_is_read_with_its_counters_and_moments() -> None:
    found = models.BatchCall.model_validate(
        {
            "id": "batch_0a1b2c3d",
            "status": "running",
            "scheduled_at": "2026-06-01T13:00:00Z",
            "timezone": "America/New_York",
            "total_contacts": 40,
            "called": 12,
            "window": {"start": "09:00"},
        }
    )
    assert found.status == "running"
    assert found.scheduled_at == datetime(2026, 6, 1, 13, tzinfo=timezone.utc)
    assert (found.total_contacts, found.called, found.pending) == (40, 12, None)
    assert found.model_extra == {"window": {"start": "09:00"}}


def test_the_older_objects_counters_are_found_in_its_stats() -> None:
    stats = {"pending": 3, "calling": 1, "completed": 2, "failed": 4, "total": 10}
    found = models.BatchCall.model_validate({"id": "c", "stats": stats, "failed": 5})
    assert (found.pending, found.completed, found.failed, found.total_contacts) == (3, 2, 5, 10)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2026-03-10T17:00:00.000000Z", 0),
        ("2026-03-10T17:00:00.000Z", 0),
        ("2026-03-10T17:00:00", 0),
        ("2026-03-10T17:00:00-04:00", -4),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, offset: int) -> None:
    found = models.BatchCall.model_validate({"id": "b", "created_at": text})
    assert found.created_at == datetime(2026, 3, 10, 17, tzinfo=timezone(timedelta(hours=offset)))


@pytest.mark.parametrize("model", [models.BatchCall, models.Contact, models.Call, models.Folder, models.Agent])
@given(data=st.data())
def test_no_value_of_any_field_but_the_id_breaks_us(model: type[models.Answer], data: st.DataObject) -> None:
    fields = st.sampled_from([*model.model_fields, "stats", "phone_number", "first_name", "to"])
    values = data.draw(st.dictionaries(fields, JSON))
    assert model.model_validate({**values, "id": "x"}).id == "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "phone", "name", "custom"),
    [
        ({"phone": NUMBER, "name": "Ann Lee", "custom_fields": {"a": "b"}}, NUMBER, "Ann Lee", {"a": "b"}),
        (
            {"phone_number": NUMBER, "first_name": "Ann", "last_name": "Lee", "metadata": {"a": "b"}},
            NUMBER,
            "Ann Lee",
            {"a": "b"},
        ),
        ({"phone": None, "phone_number": NUMBER, "first_name": "Ann", "last_name": None}, NUMBER, "Ann", None),
        ({}, None, None, None),
    ],
)
def test_a_contact_is_read_under_either_name(said: Any, phone: Any, name: Any, custom: Any) -> None:
    found = models.Contact.model_validate({"id": "cnt_1", **said})
    assert (found.phone, found.name, found.custom_fields) == (phone, name, custom)


@pytest.mark.parametrize(
    "said",
    [
        {"to": NUMBER, "from": "+18005550100"},
        {"to_number": NUMBER, "from_number": "+18005550100"},
        {"phone_number": NUMBER, "from": "+18005550100", "to": None},
    ],
)
def test_a_calls_numbers_are_read_under_every_name(said: dict[str, Any]) -> None:
    found = models.Call.model_validate({"id": "call_1", **said})
    assert (found.to_number, found.from_number) == (NUMBER, "+18005550100")


def test_a_call_says_which_batch_call_and_contact_it_belongs_to() -> None:
    found = models.Call.model_validate({"id": "c", "metadata": {"campaign_id": "batch_1", "contact_id": "cnt_1"}})
    assert (found.batch_call_id, found.contact_id) == ("batch_1", "cnt_1")
    assert models.Call.model_validate({"id": "c"}).batch_call_id is None


@pytest.mark.parametrize("said", [{"added_count": 3, "failed_count": 1}, {"contacts_added": 3, "contacts_failed": 1}])
def test_added_contacts_are_counted_in_both_shapes(said: dict[str, int]) -> None:
    found = models.AddedContacts.model_validate(said)
    assert (found.added_count, found.failed_count) == (3, 1)


@pytest.mark.parametrize(
    ("said", "errors", "reasons"),
    [
        (
            {"imported": 38, "skipped": 1, "errors": 1, "error_details": [{"row": 7, "phone": "+1", "reason": "bad"}]},
            1,
            ["bad"],
        ),
        ({"successful": 38, "failed": 2, "errors": [{"row": 7, "error": "bad"}]}, 2, ["bad"]),
        ({"successful": 38, "failed": 0, "errors": None}, 0, []),
        ({"imported": 38, "errors": [{"row": 1, "error": "x"}, {"row": 2, "error": "y"}]}, 2, ["x", "y"]),
    ],
)
def test_an_import_is_read_in_both_shapes(said: dict[str, Any], errors: int, reasons: list[str]) -> None:
    found = models.ImportResult.model_validate(said)
    assert (found.imported, found.errors) == (38, errors)
    assert [problem.reason for problem in found.error_details or []] == reasons


def test_a_transcript_may_come_as_lines_alone() -> None:
    assert models.Transcript.model_validate([{"speaker": "agent", "text": "Hi"}]).transcript == [
        {"speaker": "agent", "text": "Hi"}
    ]


def test_a_repr_shows_no_person() -> None:
    person = {
        "id": "x",
        "contact_id": "ctc_1",
        "phone": NUMBER,
        "phone_number": NUMBER,
        "to": NUMBER,
        "name": "Ann Lee",
        "first_name": "Ann",
        "email": "ann@example.org",
        "custom_fields": {"who": "Ann"},
        "summary": "Ann said",
        "error_details": [{"row": 1, "phone": NUMBER}],
    }
    for model in (models.Contact, models.BatchCallContact, models.Call, models.BatchCall, models.ImportResult):
        for text in (repr(model.model_validate(person)), str(model.model_validate(person))):
            assert "Ann" not in text
            assert "ann@" not in text
            assert "555" not in text


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("2026-06-02T14:00:01Z", datetime(2026, 6, 2, 14, 0, 1, tzinfo=timezone.utc)),
        ("2026-06-02T14:00:01", datetime(2026, 6, 2, 14, 0, 1, tzinfo=timezone.utc)),
        ("soon", None),
        (None, None),
    ],
)
def test_an_answer_knows_when_it_was_given_by_the_servers_clock(
    client: TruedyClient, server: respx.MockRouter, told: Any, moment: datetime | None
) -> None:
    body = {"data": {"id": "b"}, "meta": {"request_id": "req_1", "ts": told}}
    server.get("/batch-calls/b").respond(200, json=body)
    batch = client.send(endpoints.get_batch_call("b"))
    assert (batch.answered_at, batch.request_id) == (moment, "req_1")
