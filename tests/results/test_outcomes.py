from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_truedy.api.models import BatchCallContact, Call
from airflow_truedy.campaigns.status import call_status
from airflow_truedy.results.columns import (
    Contacted,
    Details,
    details_of,
    instant_text,
    is_international,
    known_instant,
    person_of,
    readable,
)
from airflow_truedy.results.outcomes import has_ended, is_refusal, outcome_group, rank, was_reached, with_call

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "word",
    [
        "opted_out",
        "Opted-Out",
        "opt-out",
        "do_not_call",
        "Do Not Call",
        "DNC",
        "not_interested",
        "Not Interested",
        "invalid_number",
        "wrong number",
        "unsubscribed",
        "blocked",
        "number not in service",
    ],
)
def test_a_refusal_is_known_in_any_writing(word: str) -> None:
    status = call_status(word)
    assert is_refusal(status)
    assert not was_reached(status)
    assert rank(status) == max(map(rank, ["pending", "in_progress", "no_answer", "completed", "opted_out"]))


@pytest.mark.parametrize("word", ["completed", "no_answer", "busy", "voicemail", "failed", "interested", "skipped", ""])
def test_other_words_are_no_refusals(word: str) -> None:
    assert not is_refusal(call_status(word))


def test_statuses_have_one_order() -> None:
    ordered = ["pending", "in_progress", "no_answer", "completed", "do_not_call"]
    assert sorted(sorted(ordered), key=rank) == ordered
    assert [has_ended(word) for word in ordered] == [False, False, True, True, True]
    assert rank("a word that nobody knows") == rank("no_answer")


def test_a_word_that_no_page_lists_is_kept_and_counted_as_other() -> None:
    assert (call_status("Skipped"), outcome_group("skipped")) == ("skipped", "other")


def call(status: str, **fields: Any) -> Call:
    return Call.model_validate({"id": "call_1", "status": status, **fields})


@pytest.mark.parametrize(
    ("row", "word", "status"),
    [
        ("no_answer", "completed", "completed"),
        ("busy", "completed", "completed"),
        ("failed", "completed", "completed"),
        ("no_answer", "opted-out", "opted_out"),
        ("completed", "do_not_call", "do_not_call"),
        # The row knows more.
        ("opted_out", "completed", "opted_out"),
        ("completed", "failed", "completed"),
        ("voicemail", "completed", "voicemail"),
        # "ended" tells that it is over, not how.
        ("no_answer", "ended", "no_answer"),
        ("in_progress", "ended", "completed"),
        ("pending", "no-answer", "no_answer"),
        ("pending", "ringing", "in_progress"),
    ],
)
def test_the_call_wins_where_it_knows_more_than_the_row(row: str, word: str, status: str) -> None:
    assert with_call(row, call(word)) == status


def test_what_the_analysis_of_a_call_found_counts_where_it_is_a_refusal() -> None:
    assert with_call("no_answer", call("completed", outcome="not_interested")) == "not_interested"
    assert with_call("completed", call("ended", outcome="interested")) == "completed"


@pytest.mark.parametrize(
    "number",
    ["+19175550101", "19175550101", "0019175550101", "tel:+19175550101", "TEL:+1 (917) 555-0101", " +1.917.555.0101 "],
)
def test_one_person_is_known_in_every_writing(number: str) -> None:
    assert person_of(number) == "19175550101"


def test_a_number_tells_its_country_or_does_not() -> None:
    assert [is_international(each) for each in ("+19175550101", "tel:+1917", "0049301", "9175550101", "0917")] == [
        *(True, True, True, False, False),
    ]
    assert (person_of(None), person_of("anonymous")) == (None, None)


def test_a_text_that_nothing_can_hold_is_made_readable() -> None:
    assert readable("A\0\ud800n") == "A\ufffd\ufffdn"
    row = BatchCallContact.model_validate({"contact_id": "c\0", "phone_number": "+12125550100", "first_name": "A\0n"})
    assert Contacted.of(row).cleaned == "contact_id,first_name"


def test_instants_are_compared_as_instants() -> None:
    same = ["2026-06-01T12:00:00Z", "2026-06-01T14:00:00+02:00", NOW, NOW.replace(tzinfo=None)]
    assert {known_instant(each) for each in same} == {NOW}
    assert {instant_text(known_instant(each)) for each in same} == {"2026-06-01T12:00:00Z"}
    assert (known_instant("soon"), known_instant(None), instant_text(None)) == (None, None, None)


ENDED = {"duration_seconds": 30, "cost_credits": 2, "summary": "Fine."}


@pytest.mark.parametrize(
    ("status", "fields", "age", "details"),
    [
        ("completed", ENDED, 1, Details.COMPLETE),
        ("no_answer", {"duration_seconds": 0}, 1, Details.COMPLETE),
        ("in_progress", ENDED, 1, Details.WANTED),
        ("completed", {**ENDED, "duration_seconds": None}, 10**6, Details.WANTED),
        ("completed", {**ENDED, "summary": None}, 1, Details.WANTED),
        ("completed", {**ENDED, "summary": None}, 121, Details.PARTIAL),
        ("completed", {**ENDED, "cost_credits": None}, 1, Details.PARTIAL),
        ("completed", {**ENDED, "cost_credits": None}, 4 * 86_400, Details.COMPLETE),
        ("completed", {**ENDED, "summary": None}, 4 * 86_400, Details.COMPLETE),
    ],
)
def test_what_may_still_come_is_asked_for_again(status: str, fields: Any, age: float, details: Details) -> None:
    one = call(status, ended_at=(NOW - timedelta(seconds=age)).isoformat(), **fields)
    assert details_of(one, NOW, settle_seconds=120) is details
