"""Every row of the API's create page: a good value goes over the wire as it should, a bad one goes nowhere."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import respx

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.models import BatchCallRequest
from tests.api.scripted import NUMBER, batch

LEAST: dict[str, Any] = {"name": "Renewals", "agent_id": "agt_f9447372", "contacts": [{"phone_number": NUMBER}]}
NEW_YORK_NINE = datetime(2026, 3, 20, 9, 0, tzinfo=timezone(timedelta(hours=-4)))

# field, what is given (the field itself first, then what it needs beside it), what is sent
GOOD: list[tuple[str, dict[str, Any], Any]] = [
    ("name", {"name": "n" * 255}, "n" * 255),
    ("agent_id", {"agent_id": "0d4c7a2e-0000-4000-8000-000000000000"}, "0d4c7a2e-0000-4000-8000-000000000000"),
    ("phone_number_ids", {"phone_number_ids": ["num_1", "num_2"]}, ["num_1", "num_2"]),
    ("phone_rotation_strategy", {"phone_rotation_strategy": "round_robin"}, "round_robin"),
    ("contact_source", {"contact_source": "manual"}, "manual"),
    ("contact_folder_id", {"contact_folder_id": "folder_abc123", "contact_source": "folder"}, "folder_abc123"),
    ("contact_ids", {"contact_ids": ["ctc_1"]}, ["ctc_1"]),
    (
        "contacts",
        {"contacts": [{"phone_number": NUMBER, "first_name": "Ann", "custom_fields": {"plan": "gold"}}]},
        [{"phone_number": NUMBER, "first_name": "Ann", "custom_fields": {"plan": "gold"}}],
    ),
    ("schedule_type", {"schedule_type": "immediate"}, "immediate"),
    ("scheduled_at", {"scheduled_at": NEW_YORK_NINE, "schedule_type": "scheduled"}, "2026-03-20T13:00:00Z"),
    ("max_calls_per_day", {"max_calls_per_day": 1}, 1),
    ("timezone", {"timezone": "America/New_York"}, "America/New_York"),
    ("start_time", {"start_time": "00:00", "end_time": "17:30"}, "00:00"),
    ("end_time", {"end_time": "23:59", "start_time": "09:00"}, "23:59"),
    ("working_days", {"working_days": [1, 2, 3, 4, 5, 6, 7]}, [1, 2, 3, 4, 5, 6, 7]),
]

# field to be named, what is given, the value as shown, a part of the rule
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("name", {"name": ""}, "''", "at least 1 character"),
    ("name", {"name": "n" * 256}, "'nnn", "at most 255 characters"),
    ("name", {"name": None}, "(not given)", "must be text"),
    ("agent_id", {"agent_id": ""}, "''", "at least 1 character"),
    ("agent_id", {"agent_id": 7}, "7", "must be text"),
    ("phone_number_ids", {"phone_number_ids": "num_1"}, "'num_1'", "must be a list"),
    ("phone_number_ids.0", {"phone_number_ids": [""]}, "''", "at least 1 character"),
    ("phone_rotation_strategy", {"phone_rotation_strategy": "shuffle"}, "'shuffle'", "'random', 'sequential' or"),
    ("contact_source", {"contact_source": "sheet"}, "'sheet'", "'csv', 'folder' or 'manual'"),
    ("contact_folder_id", {"contact_source": "folder"}, "(not given)", "required when contact_source is folder"),
    ("contact_folder_id", {"contact_folder_id": ""}, "''", "at least 1 character"),
    ("contact_ids", {"contact_ids": "ctc_1"}, "'ctc_1'", "must be a list"),
    ("contact_ids", {"contact_ids": ["ctc_1", "ctc_2", "ctc_1"]}, "['ctc_1', ", "must not repeat a contact"),
    ("contacts", {"contacts": []}, "(0 items)", "someone to call must be given"),
    ("contacts", {"contacts": None}, "(not given)", "someone to call must be given"),
    ("contacts.0", {"contacts": ["ctc_1"]}, "(hidden)", "must be a mapping"),
    ("contacts.0.phone_number", {"contacts": [{"first_name": "Ann"}]}, "(not given)", "is required"),
    ("contacts.0.phone_number", {"contacts": [{"phone_number": "5555550123"}]}, "********23", "E.164"),
    ("contacts.0.first_name", {"contacts": [{"phone_number": NUMBER, "first_name": "A" * 101}]}, "(hidden)", "100"),
    ("contacts.0.last_name", {"contacts": [{"phone_number": NUMBER, "last_name": "A" * 101}]}, "(hidden)", "100"),
    ("contacts.0.email", {"contacts": [{"phone_number": NUMBER, "email": "ann"}]}, "(hidden)", "e-mail"),
    (
        "contacts.0.custom_fields.plan",
        {"contacts": [{"phone_number": NUMBER, "custom_fields": {"plan": 3}}]},
        "(hidden)",
        "must be text",
    ),
    ("contacts.0.mobile", {"contacts": [{"phone_number": NUMBER, "mobile": NUMBER}]}, "(hidden)", "not a field"),
    ("schedule_type", {"schedule_type": "later"}, "'later'", "'immediate' or 'scheduled'"),
    ("schedule_type", {"scheduled_at": NEW_YORK_NINE}, "(not given)", "must be scheduled when scheduled_at"),
    (
        "schedule_type",
        {"scheduled_at": NEW_YORK_NINE, "schedule_type": "immediate"},
        "'immediate'",
        "must be scheduled when scheduled_at",
    ),
    ("scheduled_at", {"schedule_type": "scheduled"}, "(not given)", "required when schedule_type is scheduled"),
    ("scheduled_at", {"scheduled_at": "2026-03-20T09:00:00"}, "'2026-03-20T09:00:00'", "offset from UTC"),
    ("scheduled_at", {"scheduled_at": datetime(2026, 3, 20, 9)}, "2026-03-20T09:00:00", "offset from UTC"),
    ("scheduled_at", {"scheduled_at": 1_774_000}, "***", "a date and time"),
    ("scheduled_at", {"scheduled_at": "tomorrow"}, "'tomorrow'", "a date and time"),
    ("scheduled_at", {"scheduled_at": "2026-02-30T09:00:00Z"}, "'2026-02-30T09:00:00Z'", "a real date and time"),
    ("scheduled_at", {"scheduled_at": "9999-12-31T23:59:00-12:00"}, "31T23:59:00-12:00", "a real date and time"),
    ("scheduled_at", {"scheduled_at": "2026-03-20T09:00:00+24:00"}, "+24:00", "a real date and time"),
    ("scheduled_at", {"scheduled_at": "20260320T090000"}, "T090000", "a date and time"),
    ("scheduled_at", {"scheduled_at": "NaT"}, "'NaT'", "a date and time"),
    ("max_calls_per_day", {"max_calls_per_day": 0}, "0", "at least 1"),
    ("max_calls_per_day", {"max_calls_per_day": "500"}, "'500'", "a whole number"),
    ("max_calls_per_day", {"max_calls_per_day": True}, "True", "a whole number"),
    ("timezone", {"timezone": "Mars/Olympus"}, "'Mars/Olympus'", "not an IANA zone"),
    ("timezone", {"timezone": "localtime"}, "'localtime'", "not the zone of a region"),
    ("timezone", {"timezone": "../etc/passwd"}, "'../etc/passwd'", "not an IANA zone"),
    ("timezone", {"timezone": "right/Europe/Paris"}, "'right/Europe/Paris'", "not the zone of a region"),
    ("timezone", {"timezone": "EST"}, "'EST'", "no daylight saving time"),
    ("start_time", {"start_time": "24:00", "end_time": "23:00"}, "'24:00'", "a time of day"),
    ("start_time", {"start_time": "9:00", "end_time": "17:00"}, "'9:00'", "HH:MM"),
    ("start_time", {"start_time": "\u0660\u0669:00", "end_time": "17:00"}, ":00", "HH:MM"),
    ("start_time", {"end_time": "17:00"}, "(not given)", "both start_time and end_time"),
    ("end_time", {"start_time": "09:00"}, "(not given)", "both start_time and end_time"),
    ("end_time", {"start_time": "09:00", "end_time": "12:60"}, "'12:60'", "a time of day"),
    ("end_time", {"start_time": "09:00", "end_time": "09:00"}, "'09:00'", "after start_time (09:00)"),
    ("working_days", {"working_days": [0]}, "[0]", "from 1 (Monday) to 7 (Sunday)"),
    ("working_days", {"working_days": [1, 8]}, "[1, 8]", "from 1 (Monday) to 7 (Sunday)"),
    ("working_days.1", {"working_days": [2, True]}, "True", "a whole number"),
    ("working_days", {"working_days": [1, 2, 1]}, "[1, 2, 1]", "none twice"),
    ("working_days", {"working_days": []}, "[]", "at least one"),
    ("max_concurrent_calls", {"max_concurrent_calls": 5}, "(hidden)", "not a field of this request"),
    ("extra_fields", {"extra_fields": {"timezone": "UTC"}}, "(hidden)", "their own parameter: timezone"),
    ("extra_fields", {"extra_fields": {"since": NEW_YORK_NINE}}, "(hidden)", "plain JSON"),
    ("extra_fields", {"extra_fields": {"rate": float("nan")}}, "(hidden)", "plain JSON"),
]

# The rows of the create page, in its order.
PAGE = [
    "name",
    "agent_id",
    "phone_number_ids",
    "phone_rotation_strategy",
    "contact_source",
    "contact_folder_id",
    "contact_ids",
    "contacts",
    "schedule_type",
    "scheduled_at",
    "max_calls_per_day",
    "timezone",
    "start_time",
    "end_time",
    "working_days",
]


def test_the_tables_and_the_model_hold_every_row_of_the_page() -> None:
    assert [row[0] for row in GOOD] == PAGE
    assert {row[0].split(".")[0] for row in BAD} >= set(PAGE)
    assert list(BatchCallRequest.model_fields) == [*PAGE, "extra_fields"]


@pytest.mark.parametrize(("field", "given", "sent"), GOOD, ids=[row[0] for row in GOOD])
def test_a_good_value_is_sent(
    client: TruedyClient, server: respx.MockRouter, field: str, given: dict[str, Any], sent: Any
) -> None:
    route = server.post("/batch-calls").respond(201, json=batch())
    client.send(endpoints.create_batch_call(BatchCallRequest.checked(**{**LEAST, **given})))
    body = json.loads(route.calls.last.request.content)
    assert body[field] == sent
    assert set(body) == set(LEAST) | set(given)


@pytest.mark.parametrize(("field", "given", "shown", "rule"), BAD)
def test_a_bad_value_is_refused_before_any_request(
    client: TruedyClient, server: respx.MockRouter, field: str, given: dict[str, Any], shown: str, rule: str
) -> None:
    with pytest.raises(InvalidPayloadError) as refused:
        client.send(endpoints.create_batch_call(BatchCallRequest.checked(**{**LEAST, **given})))
    (problem,) = refused.value.problems
    assert problem.field == field
    assert shown in problem.value
    assert rule in problem.rule
    assert f"{field} = {problem.value}: {problem.rule}" in str(refused.value)
    assert len(server.calls) == 0


def test_a_moment_that_pandas_calls_none_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidPayloadError, match="scheduled_at = NaT: must be a real date and time"):
        BatchCallRequest.checked(**LEAST, schedule_type="scheduled", scheduled_at=pandas.NaT)


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(InvalidPayloadError) as refused:
        BatchCallRequest.checked(name="", contacts=[], timezone="Nowhere/At_All")
    assert [problem.field for problem in refused.value.problems] == ["name", "agent_id", "timezone"]


def test_a_refusal_shows_neither_people_nor_the_words_of_the_validation_library() -> None:
    person = {"phone_number": "0155555501", "first_name": "Ann" * 50, "email": "ann(at)example.org"}
    with pytest.raises(InvalidPayloadError) as refused:
        BatchCallRequest.checked(**{**LEAST, "contacts": [person]})
    text = str(refused.value)
    assert "\n" not in text
    for private in ("0155555501", "AnnAnn", "ann(at)"):
        assert private not in text
    assert "pydantic" not in text
    assert refused.value.__context__ is None
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("number", ["+12", "+447700900123", "+" + "9" * 15])
def test_e164_numbers_are_taken(number: str) -> None:
    request = BatchCallRequest.checked(**{**LEAST, "contacts": [{"phone_number": number}]})
    assert request.body()["contacts"] == [{"phone_number": number}]


@pytest.mark.parametrize("number", ["+1", "+0123456", "+" + "9" * 16, "+1 555 555 0123", NUMBER + "\n", "+١٢٣", ""])
def test_other_numbers_are_not(number: str) -> None:
    with pytest.raises(InvalidPayloadError, match=r"E\.164"):
        BatchCallRequest.checked(**{**LEAST, "contacts": [{"phone_number": number}]})


def test_what_is_not_set_or_none_is_not_sent() -> None:
    request = BatchCallRequest.checked(**LEAST, timezone=None, contact_ids=None)
    assert request.body() == LEAST


def test_fields_unknown_to_us_are_passed_through() -> None:
    request = BatchCallRequest.checked(**LEAST, extra_fields={"max_concurrent_calls": 5, "retry": {"times": 2}})
    assert json.loads(request.to_json()) == {**LEAST, "max_concurrent_calls": 5, "retry": {"times": 2}}


def test_equal_requests_are_equal_bytes_whatever_their_order() -> None:
    one = BatchCallRequest.checked(**LEAST, timezone="Europe/Berlin", extra_fields={"a": 1, "b": 2})
    two = BatchCallRequest.checked(extra_fields={"b": 2, "a": 1}, timezone="Europe/Berlin", **LEAST)
    assert one.to_json() == two.to_json()


def test_parts_of_a_second_are_left_out_of_what_is_held_and_sent() -> None:
    moment = NEW_YORK_NINE.replace(microsecond=999_999)
    request = BatchCallRequest.checked(**LEAST, schedule_type="scheduled", scheduled_at=moment)
    assert request.scheduled_at == NEW_YORK_NINE
    assert request.body()["scheduled_at"] == "2026-03-20T13:00:00Z"


def test_a_repr_shows_no_person() -> None:
    person = {"phone_number": NUMBER, "first_name": "Ann", "email": "ann@example.org"}
    request = BatchCallRequest.checked(**{**LEAST, "contacts": [person]}, extra_fields={"who": "Ann"})
    for text in (repr(request), str(request), repr(request.contacts)):
        assert "Renewals" in text or "ContactInput" in text
        for private in (NUMBER, "Ann", "ann@"):
            assert private not in text
