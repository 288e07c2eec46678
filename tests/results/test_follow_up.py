from __future__ import annotations

import csv
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.calling_hours import CallingHours
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.contacts.rules import ContactRules
from airflow_truedy.contacts.suppression import Suppression, suppressed_numbers
from airflow_truedy.results.columns import ResultsError
from airflow_truedy.results.follow_up import FollowUpRules, follow_up

MAY = datetime(2026, 5, 1, tzinfo=timezone.utc)
WORDS = ["completed", "no_answer", "busy", "voicemail", "failed", "opted_out", "pending", "no_answer"]


def number(i: int) -> str:
    return f"+121255501{i:02d}"


def results(batch: str = "batch_1", words: list[str] | None = None) -> list[dict[str, Any]]:
    return [
        {
            "batch_call_id": batch,
            "phone_number": number(i),
            "first_name": f"Person{i}",
            "call_status": word,
            "called_at": None if word == "pending" else "2026-06-01T13:15:00Z",
        }
        for i, word in enumerate(words or WORDS)
    ]


def followed(tmp_path: Path, history: list[Any] | None = None, **options: Any) -> Any:
    rules = {"max_attempts": 3}
    rules.update({name: options.pop(name) for name in ("max_attempts", "outcomes", "since") if name in options})
    rows = options.pop("rows", results())
    given = {"batch_call_id": "batch_1", "history": history or [], **options}
    return follow_up(lambda: iter(rows), tmp_path / "next.jsonl.gz", FollowUpRules(**rules), **given)


def numbers(manifest: Any) -> list[str]:
    return [contact["phone_number"] for contact in ContactList.from_manifest(manifest)]


def test_who_was_not_reached_is_called_again_and_nobody_else(tmp_path: Path) -> None:
    manifest = followed(tmp_path)
    assert numbers(manifest) == [number(i) for i in (1, 2, 3, 7)]
    assert (manifest.rows_read, manifest.contacts, manifest.rejected_by_reason) == (7, 4, {"outcome": 3})


def test_calling_hours_of_the_list_bind_its_follow_up_too(tmp_path: Path) -> None:
    people = [{"phone_number": number(i)} for i in range(len(WORDS))]
    rules = ContactRules(region=None, calling_hours=CallingHours(warn_after=10_000, fail_after=10_000))
    (made,) = prepare_contacts(people, tmp_path / "first.jsonl.gz", rules)
    assert made.calling_hours
    assert followed(tmp_path, contacts=ContactList.from_manifest(made)).calling_hours == made.calling_hours
    assert followed(tmp_path, contacts=ContactList.of(people)).calling_hours is None


def test_everybody_else_stands_in_the_rejects_file_masked(tmp_path: Path) -> None:
    followed(tmp_path)
    text = (tmp_path / "next.rejects.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["row_number"], row["reason"], row["call_status"]) for row in rows] == [
        ("1", "reached", "completed"),
        ("5", "outcome", "failed"),
        ("6", "outcome", "opted_out"),
        ("7", "outcome", "pending"),
    ]
    assert "5550100" not in text


def test_stated_outcomes_replace_the_usual_ones(tmp_path: Path) -> None:
    assert numbers(followed(tmp_path, outcomes=["failed", "scheduled"])) == [number(4), number(6)]


def test_attempts_are_counted_over_campaigns(tmp_path: Path) -> None:
    earlier = [results("batch_0", ["no_answer"] * 3), results("batch_00", ["busy"] * 2)]
    manifest = followed(tmp_path, earlier)
    assert numbers(manifest) == [number(i) for i in (2, 3, 7)]
    assert manifest.rejected_by_reason == {"max_attempts": 1, "outcome": 3}
    assert numbers(followed(tmp_path, max_attempts=1)) == []


def test_attempts_before_a_moment_do_not_count(tmp_path: Path) -> None:
    earlier = [{**row, "called_at": "2026-01-01T00:00:00Z"} for row in results("batch_0", ["no_answer"] * 3)]
    assert number(1) not in numbers(followed(tmp_path, [earlier], max_attempts=2))
    assert number(1) in numbers(followed(tmp_path, [earlier], since=MAY, max_attempts=2))


@pytest.mark.parametrize("since", [None, MAY])
@pytest.mark.parametrize(
    ("earlier", "counts"),
    [
        ({"call_status": "no_answer"}, True),
        ({"call_status": "No-Answer"}, True),
        ({"call_status": "skipped"}, True),
        ({"call_status": "cancelled", "call_id": "call_1"}, True),
        ({"call_status": "cancelled", "call_id": ""}, False),
    ],
)
def test_an_attempt_counts_although_nobody_says_when_it_was(
    tmp_path: Path, earlier: dict[str, Any], counts: bool, since: datetime | None
) -> None:
    before = [{**results("batch_0", ["busy"])[0], "called_at": None, **earlier}]
    manifest = followed(tmp_path, [before], since=since, rows=results(words=["no_answer"]), max_attempts=2)
    assert manifest.rejected_by_reason == ({"max_attempts": 1} if counts else {})


@pytest.mark.parametrize("status", ["pending", "scheduled", "in_progress", "Ringing"])
def test_a_person_whom_another_campaign_may_still_call_is_left_to_it(tmp_path: Path, status: str) -> None:
    other = [{**results("batch_0", ["busy"])[0], "called_at": None, "call_status": status}]
    assert followed(tmp_path, [other], rows=results(words=["busy"])).rejected_by_reason == {"open_elsewhere": 1}
    gone = [{**other[0], "details": "gone"}]
    assert followed(tmp_path, [gone], rows=results(words=["busy"])).contacts == 1


def test_who_was_reached_nobody_knows_when_is_left_alone(tmp_path: Path) -> None:
    before = [{**row, "called_at": None} for row in results("batch_0", ["completed"])]
    manifest = followed(tmp_path, [before], rows=results(words=["no_answer"]))
    assert manifest.rejected_by_reason == {"reached_before": 1}


def test_who_was_reached_before_is_left_alone(tmp_path: Path) -> None:
    manifest = followed(tmp_path, [results("batch_0", ["no_answer", "completed"])])
    assert number(1) not in numbers(manifest)
    assert manifest.rejected_by_reason["reached_before"] == 1


def test_a_number_in_two_rows_is_called_once(tmp_path: Path) -> None:
    rows = results(words=["busy", "busy"])
    rows[1]["phone_number"] = rows[0]["phone_number"]
    manifest = followed(tmp_path, rows=rows)
    assert (manifest.contacts, manifest.duplicates) == (1, 1)


def test_the_original_list_gives_what_results_do_not_have(tmp_path: Path) -> None:
    people = [{"phone_number": number(i), "last_name": "Li", "custom_fields": {"plan": "gold"}} for i in range(8)]
    manifest = followed(tmp_path, contacts=ContactList.of(people))
    assert list(ContactList.from_manifest(manifest)) == [people[i] for i in (1, 2, 3, 7)]
    with pytest.raises(ResultsError, match="2 people to be called again are not in the list"):
        followed(tmp_path, contacts=ContactList.of(people[:3]))


def test_a_row_without_a_number_is_told(tmp_path: Path) -> None:
    rows = results(words=["busy", "busy"])
    rows[1]["phone_number"] = None
    assert followed(tmp_path, rows=rows).rejected_by_reason == {"no_number": 1}


def test_a_wrong_name_or_cap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"\.jsonl\.gz"):
        follow_up(list, tmp_path / "next.csv", FollowUpRules(3), batch_call_id="batch_1")
    with pytest.raises(ResultsError, match="1 or more"):
        followed(tmp_path, max_attempts=0)


def test_who_opted_out_meanwhile_is_not_called_again(tmp_path: Path) -> None:
    suppressed = suppressed_numbers([Suppression([number(2)], name="do not call", region=None)])
    manifest = followed(tmp_path, suppressed=suppressed)
    assert numbers(manifest) == [number(i) for i in (1, 3, 7)]
    assert (manifest.contacts, manifest.suppressed, manifest.rejected) == (3, 1, 3)
    assert "suppressed" in (tmp_path / "next.rejects.csv").read_text()


@pytest.mark.parametrize("written", ["12125550100", "212-555-0100", "+1 212-555-0100", "+", "+0125550100"])
def test_a_number_that_no_do_not_call_list_would_know_is_not_called(tmp_path: Path, written: str) -> None:
    row = {
        "batch_call_id": "batch_1",
        "phone_number": written,
        "call_status": "no_answer",
        "called_at": "2026-06-01T13:15:00Z",
    }
    manifest = followed(tmp_path, rows=[row])
    assert (manifest.contacts, manifest.rejected_by_reason) == (0, {"bad_number": 1})
    assert "5550100" not in (tmp_path / "next.rejects.csv").read_text()


@pytest.mark.parametrize("max_attempts", [0, -1, 1.5, float("nan"), "3", True, None])
def test_a_cap_that_is_none_is_refused(max_attempts: Any) -> None:
    with pytest.raises(ResultsError, match="max_attempts"):
        FollowUpRules(max_attempts)


@pytest.mark.parametrize("outcomes", [[], "", [""], [3], 3, ["completed"], "opted-out", ["busy", "in_progress"]])
def test_outcomes_that_are_never_called_again_or_no_words_are_refused(outcomes: Any) -> None:
    with pytest.raises(ResultsError, match="outcomes"):
        FollowUpRules(3, outcomes)


def test_one_outcome_is_one_word_and_not_its_letters(tmp_path: Path) -> None:
    assert numbers(followed(tmp_path, outcomes="no_answer")) == [number(1), number(7)]


@pytest.mark.parametrize("since", ["2026-05-01", datetime(2026, 5, 1), 5])
def test_since_is_an_instant_with_its_zone(since: Any) -> None:
    with pytest.raises(ResultsError, match="since must be a datetime with its zone"):
        FollowUpRules(3, since=since)


@pytest.mark.parametrize("word", ["opted_out", "Do Not Call", "invalid_number", "not_interested"])
@pytest.mark.parametrize("batch", ["batch_0", "batch_1"])
def test_a_refusal_counts_for_ever_wherever_it_is(tmp_path: Path, word: str, batch: str) -> None:
    old = {**results(batch, ["busy"])[0], "call_status": word, "called_at": "2020-01-01T00:00:00Z", "contact_id": "c"}
    rows = results(words=["no_answer", "no_answer"])
    history = [] if batch == "batch_1" else [[old]]
    manifest = followed(tmp_path, history, rows=[*rows, old] if batch == "batch_1" else rows, since=MAY)
    assert numbers(manifest) == [number(1)]
    assert manifest.rejected_by_reason["refused"] == 1


@pytest.mark.parametrize(
    "written", ["12125550100", "0012125550100", "tel:+12125550100", "+1 (212) 555-0100", "2125550100"]
)
def test_attempts_count_in_every_writing_of_a_number(tmp_path: Path, written: str) -> None:
    earlier = [[{**results("batch_0", ["no_answer"])[0], "phone_number": written}]]
    rows = results(words=["no_answer"])
    assert followed(tmp_path, earlier, rows=rows, max_attempts=2).rejected_by_reason == {"max_attempts": 1}
    assert followed(tmp_path, earlier, rows=rows, max_attempts=3).contacts == 1


def test_two_numbers_that_tell_their_country_are_compared_whole(tmp_path: Path) -> None:
    rows = [{**results(words=["no_answer"])[0], "phone_number": "+16592345678"}]
    other = [{**results("batch_0", ["completed"])[0], "phone_number": "+6592345678"}]
    assert followed(tmp_path, [other], rows=rows).contacts == 1


def test_instants_are_compared_as_instants(tmp_path: Path) -> None:
    # 23:30 in UTC on the last of April; as text it would be after the first of May.
    earlier = [{**results("batch_0", ["completed"])[0], "called_at": "2026-05-01T01:30:00+02:00"}]
    assert followed(tmp_path, [earlier], rows=results(words=["busy"]), since=MAY).contacts == 1


def test_the_campaign_that_called_last_has_the_person(tmp_path: Path) -> None:
    later = [{**row, "called_at": "2026-06-02T00:00:00Z"} for row in results("batch_0", ["busy"])]
    rows = results(words=["busy"])
    assert followed(tmp_path, [later], rows=rows).rejected_by_reason == {"called_later": 1}
    assert followed(tmp_path, [rows], rows=later, batch_call_id="batch_0").contacts == 1


def test_the_people_of_another_follow_up_are_left_out(tmp_path: Path) -> None:
    taken = ContactList.of([{"phone_number": number(1)}, {"phone_number": number(5)}])
    manifest = followed(tmp_path, taken=[taken])
    assert numbers(manifest) == [number(i) for i in (2, 3, 7)]
    assert manifest.rejected_by_reason["taken"] == 1


def test_the_customers_own_key_goes_along_and_stands_beside_a_reject(tmp_path: Path) -> None:
    rows = [{**row, "contact_key": f"=cust_{n}"} for n, row in enumerate(results())]
    manifest = followed(tmp_path, rows=rows)
    keys = [entry.contact_key for entry in ContactList.from_manifest(manifest).entries()]
    assert keys == [f"=cust_{n}" for n in (1, 2, 3, 7)]
    rejects = list(csv.DictReader((tmp_path / "next.rejects.csv").read_text().splitlines()))
    assert [row["contact_key"] for row in rejects] == [f"'=cust_{n}" for n in (0, 4, 5, 6)]


def test_of_two_campaigns_the_one_that_tells_when_it_called_has_the_person(tmp_path: Path) -> None:
    untold = [{**row, "called_at": None} for row in results(words=["busy"])]
    told = results("batch_0", ["busy"])
    assert followed(tmp_path, [told], rows=untold).rejected_by_reason == {"called_later": 1}
    assert followed(tmp_path, [untold], rows=told, batch_call_id="batch_0").contacts == 1


@pytest.mark.parametrize("words", [("busy", "busy"), ("busy", "no_answer"), ("cancelled", "cancelled")])
def test_two_campaigns_that_do_not_tell_when_they_called_leave_the_person_alone(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    first, second = (
        [{**results(batch, [word])[0], "called_at": None}]
        for batch, word in zip(("batch_1", "batch_2"), words, strict=True)
    )
    for mine, other in ((first, second), (second, first)):
        batch, outcomes = mine[0]["batch_call_id"], {*words}
        manifest = followed(tmp_path, [other], rows=mine, batch_call_id=batch, outcomes=outcomes)
        assert (manifest.contacts, manifest.rejected_by_reason) == (0, {"last_call_unknown": 1})


def test_who_called_last_does_not_depend_on_since(tmp_path: Path) -> None:
    old = {"called_at": "2026-01-01T00:00:00Z"}
    first, second = ([{**results(batch, ["busy"])[0], **old}] for batch in ("batch_1", "batch_2"))
    assert followed(tmp_path, [second], rows=first, since=MAY).rejected_by_reason == {"called_later": 1}
    assert followed(tmp_path, [first], rows=second, since=MAY, batch_call_id="batch_2").contacts == 1
