"""Over campaigns, rows, writings of numbers and orders: nobody is called again who must not be."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.results.follow_up import NOT_REACHED, FollowUpRules, follow_up

PEOPLE = ["+19175550101", "+442079460143", "+6592345678", "+16592345678"]
REFUSED = ["opted_out", "Do-Not-Call", "invalid_number", "not_interested"]
OPEN = ["pending", "in_progress", "ringing", "scheduled"]
REACHED = ["completed", "ended"]
STATUSES = [*NOT_REACHED, "No-Answer", "failed", "cancelled", "skipped", *REFUSED, *OPEN, *REACHED]
THIS = "batch_2"
START = datetime(2026, 6, 1, tzinfo=timezone.utc)
#: Every writing that tells the whole number.
WRITINGS = [
    lambda number: number,
    lambda number: number[1:],
    lambda number: f"00{number[1:]}",
    lambda number: f"tel:{number}",
    lambda number: f"{number[:3]} ({number[3:6]}) {number[6:]}",
]


@st.composite
def rows(draw: Any, batch: str, writings: Any, statuses: list[str], most: int) -> list[dict[str, Any]]:
    chosen = draw(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(statuses)), max_size=most))
    made = []
    for position, (person, status) in enumerate(chosen):
        minute = draw(st.none() | st.integers(0, 600))
        zone = timezone(timedelta(hours=draw(st.integers(-11, 11))))
        called_at = None if minute is None else (START + timedelta(minutes=minute)).astimezone(zone)
        made.append(
            {
                "batch_call_id": batch,
                "contact_id": f"ctc_{position}",
                "phone_number": draw(st.sampled_from(writings))(person),
                "call_status": status,
                "call_id": draw(st.sampled_from([None, f"call_{position}"])),
                "called_at": called_at and draw(st.sampled_from([called_at, called_at.isoformat()])),
                "person": person,
            }
        )
    return made


# Mostly people who would be called again, were it not for what one other row tells of them.
UNANSWERED = [*NOT_REACHED, "No-Answer", "busy", "failed"]
campaigns = st.tuples(
    rows("batch_1", WRITINGS, [*UNANSWERED, *STATUSES], 2),
    rows(THIS, [*WRITINGS[:1] * 9, *WRITINGS], [*UNANSWERED * 6, *STATUSES], 5),
    rows("batch_3", WRITINGS, STATUSES, 1),
)
rules = st.builds(
    FollowUpRules,
    st.sampled_from([2, 3, 3, 1]),
    st.sampled_from([NOT_REACHED, "no_answer", ["failed", "busy"]]),
    st.none() | st.integers(0, 600).map(lambda minute: START + timedelta(minutes=minute)),
)
# Two campaigns with the same few unanswered people, and two follow-ups that look at the same results.
sharing = st.tuples(
    st.just([]),
    *(rows(batch, WRITINGS[:2], [*UNANSWERED * 3, "cancelled"], 4) for batch in (THIS, "batch_3")),
)
sharing_rules = st.builds(
    FollowUpRules,
    st.just(4),
    st.just([*NOT_REACHED, "failed", "cancelled"]),
    st.none() | st.integers(0, 600).map(lambda minute: START + timedelta(minutes=minute)),
)


def chosen(
    history: list[list[dict[str, Any]]],
    this: list[dict[str, Any]],
    rule: FollowUpRules,
    batch_call_id: str = THIS,
    **options: Any,
) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "next.jsonl.gz"
        manifest = follow_up(lambda: this, to, rule, batch_call_id=batch_call_id, history=history, **options)
        numbers = [entry.contact["phone_number"] for entry in ContactList.from_manifest(manifest).entries()]
        return numbers, dict(manifest.rejected_by_reason)


def word(row: dict[str, Any]) -> str:
    return str(row["call_status"]).lower().replace("-", "_")


def is_recent(row: dict[str, Any], rule: FollowUpRules) -> bool:
    at = row["called_at"]
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return rule.since is None or moment is None or moment >= rule.since


@settings(max_examples=400)
@given(campaigns, rules)
def test_nobody_is_taken_who_was_reached_refused_is_open_elsewhere_or_was_called_enough(
    given_rows: Any, rule: FollowUpRules
) -> None:
    earlier, this, other = given_rows
    numbers, _ = chosen([earlier, other], this, rule)
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        of_person = [row for row in (*earlier, *this, *other) if row["person"] == number]
        mine = [row for row in this if row["phone_number"] == number]
        assert any(word(row) in rule.outcomes for row in mine), "somebody whom no row of this campaign names"
        assert not any(word(row) in {each.lower().replace("-", "_") for each in REFUSED} for row in of_person)
        assert not any(word(row) in REACHED and is_recent(row, rule) for row in of_person)
        assert not any(word(row) in OPEN for row in of_person if row["batch_call_id"] != THIS)
        calls = [
            row
            for row in of_person
            if is_recent(row, rule)
            and (row["called_at"] or row["call_id"] or word(row) not in ("pending", "scheduled", "cancelled"))
        ]
        assert len(calls) < rule.max_attempts


@given(campaigns, rules, st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_changes_nothing(given_rows: Any, rule: FollowUpRules, random: Any) -> None:
    earlier, this, other = given_rows
    mixed = [*earlier, *other, *this]
    random.shuffle(mixed)
    expected = chosen([earlier, other], this, rule)
    assert chosen([mixed, earlier], this, rule) == expected, "also given twice, in one heap"
    again = list(this)
    random.shuffle(again)
    numbers, _ = chosen([other, earlier], again, rule)
    assert sorted(numbers) == sorted(expected[0])


@settings(max_examples=400)
@given(campaigns | sharing, rules | sharing_rules, rules | sharing_rules)
def test_the_follow_ups_of_two_campaigns_share_nobody_whoever_says_when_it_called(
    given_rows: Any, rule: FollowUpRules, other_rule: FollowUpRules
) -> None:
    earlier, this, other = given_rows
    first, _ = chosen([earlier, other], this, rule)
    second, _ = chosen([earlier, this], other, other_rule, batch_call_id="batch_3")
    assert not set(second) & set(first)


@given(campaigns, rules)
def test_while_the_campaign_goes_on_nobody_is_taken_whom_it_may_still_call(
    given_rows: Any, rule: FollowUpRules
) -> None:
    earlier, this, _ = given_rows
    numbers, _ = chosen([earlier], this, rule, is_over=False)
    still = {row["person"] for row in (*earlier, *this) if word(row) in OPEN}
    assert not still & set(numbers)


def test_the_examples_take_people_and_leave_people_for_every_reason() -> None:
    taken, reasons = 0, set()

    @settings(max_examples=400, database=None, derandomize=True)
    @given(campaigns | sharing, rules | sharing_rules)
    def run(given_rows: Any, rule: FollowUpRules) -> None:
        nonlocal taken
        earlier, this, other = given_rows
        numbers, rejected = chosen([earlier, other], this, rule)
        taken += bool(numbers)
        reasons.update(rejected)

    run()
    assert taken > 40
    expected = {"refused", "reached_before", "open_elsewhere", "max_attempts", "called_later", "outcome", "bad_number"}
    assert {*expected, "last_call_unknown"} <= reasons
