from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.campaigns.errors import PastStartError, TimingError, TooManyPartsError
from airflow_truedy.campaigns.forecast import Assumptions
from airflow_truedy.campaigns.plan_format import is_plan
from airflow_truedy.campaigns.preview import LARGEST_PLAN, PlannedPart, Rate, planned, preview
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import ContactsError
from tests.support.manifests import counts_of
from tests.support.plans import AGENT, MONDAY, manifest_of, people, plan_of


def plan(*parts: PlannedPart, **how: Any) -> dict[str, Any]:
    return preview(parts, MONDAY, **how)


def part_of(people: int, manifest: Manifest | None = None, **changes: Any) -> PlannedPart:
    plan = plan_of(people, **changes)
    assert plan.contacts
    plan.contacts.manifest = manifest
    return planned(plan, MONDAY)


def test_it_tells_whom_when_for_how_long_and_within_which_limits() -> None:
    found = plan(part_of(1_000, max_calls_per_day=400, working_days=[1, 2, 3, 4, 5], chunk_size=1_000))
    assert is_plan(found)
    assert (found["people"], found["name"]) == (1_000, "Renewals")
    (part,) = found["parts"]
    assert part | {"digest": "", "seal": ""} == {
        "part": "America/New_York",
        "people": 1_000,
        "digest": "",
        "seal": "",
        "agent_id": AGENT,
        "timezone": "America/New_York",
        "start_time": "09:00",
        "end_time": "17:30",
        "working_days": [1, 2, 3, 4, 5],
        "start": "2026-06-02T14:00:00Z",
        "max_calls_per_day": 400,
        "first_call": {"local": "Tue 2026-06-02 10:00 EDT", "utc": "2026-06-02T14:00:00Z"},
        "last_call": {"local": "Thu 2026-06-04 10:18 EDT", "utc": "2026-06-04T14:18:00Z"},
        "calling_days": 3,
        "days": [["2026-06-02", 400, "10:00"], ["2026-06-03", 400, "09:00"], ["2026-06-04", 200, "09:00"]],
    }
    assert found["duration"] == {
        "calls": 1_000,
        "days": 3,
        "first_call": "2026-06-02T14:00:00Z",
        "last_call": "2026-06-04T14:18:00Z",
    }
    assert found["assumptions"] == {"average_minutes": "2", "concurrency": 5, "retry_attempts": 2}
    assert found["ceilings"] == {
        "calls": 3_000,
        "calls_per_day": 400,
        "calls_at_once": 5,
        "refused_by_truedy": 0,
    }
    assert (found["list"], found["cost"], found["warnings"]) == (None, None, [])


@pytest.mark.parametrize(
    ("amount", "per", "expected", "at_most"),
    [("0.1", "call", "0.70", "2.10"), ("0.085", "minute", "1.4875", "4.4625"), ("29", "call", "203.00", "609.00")],
)
def test_it_tells_the_price_to_the_last_digit(amount: str, per: Any, expected: str, at_most: str) -> None:
    rate = Rate(Decimal(amount), per, "EUR")
    cost = plan(part_of(7), rate=rate, assumptions=Assumptions(Decimal("2.5")))["cost"]
    assert cost == {"expected": expected, "at_most": at_most, "currency": "EUR", "rate": amount, "per": per}


def test_the_parts_are_added_up() -> None:
    west = part_of(40, timezone="America/Los_Angeles", max_calls_per_day=10)
    found = plan(part_of(7, max_calls_per_day=3), west)
    assert found["people"] == found["duration"]["calls"] == 47
    assert found["ceilings"]["calls_per_day"] == 13
    assert found["ceilings"]["calls_at_once"] == 10
    assert [part["part"] for part in found["parts"]] == ["America/New_York", "America/Los_Angeles"]
    assert [part["first_call"]["local"][-3:] for part in found["parts"]] == ["EDT", "PDT"]
    assert plan(part_of(7, max_calls_per_day=3), part_of(1))["ceilings"]["calls_per_day"] is None


def test_rows_that_are_left_out_are_told_in_words() -> None:
    reasons = {"empty": 3, "too_short": 2, "of_a_later_version": 1}
    one = counts_of(7, duplicates=4, suppressed=5, rejected=6, rejected_by_reason=reasons)
    other = counts_of(1, rejected=1, rejected_by_reason={"too_short": 1})
    told = plan(part_of(7, one), part_of(1, other))["list"]
    assert told == {
        "rows_read": 24,
        "contacts": 8,
        "duplicates": 4,
        "suppressed": 5,
        "rejected": 7,
        "why_rejected": [
            ["the cell of the number is empty", 3],
            ["too few digits for its country", 3],
            ["of_a_later_version", 1],
        ],
        "made_at": "2026-06-01T12:00:00+00:00",
    }


class TestWarnings:
    def warnings(self, *parts: Any, **how: Any) -> str:
        return " ".join(plan(*parts, **how)["warnings"])

    @pytest.mark.parametrize(("start", "warns"), [("2026-06-06T10:00", True), ("2026-06-07T10:00", True)])
    def test_a_start_on_a_weekend(self, start: str, warns: bool) -> None:
        assert f"Starts on a weekend: America/New_York (S{'at' if '06-06' in start else 'un'} {start[:10]})" in (
            self.warnings(part_of(3, scheduled_at=start))
        )

    def test_the_weekend_is_that_of_the_place(self) -> None:
        # Sunday evening in Honolulu is Monday in London, and the other way round in Auckland.
        hours = {"start_time": "08:00", "end_time": "21:00"}
        there = part_of(3, timezone="Pacific/Honolulu", scheduled_at="2026-06-07T20:00", **hours)
        assert "Sun 2026-06-07" in self.warnings(there)
        here = part_of(3, timezone="Pacific/Auckland", scheduled_at="2026-06-08T08:00", **hours)
        assert self.warnings(here) == ""

    def test_a_blocked_day_between_the_first_and_the_last_call(self, tmp_path: Path) -> None:
        # Nobody may be called on Friday, June 5th; of ten people two are called a day.
        def warnings(**changes: Any) -> str:
            held = plan_of(manifest_of(tmp_path, 10), held_on_blocked_days=True, **changes)
            (part,) = plan(planned(held, MONDAY))["parts"]
            assert "2026-06-05" not in [day for day, *_ in part["days"]]
            return self.warnings(planned(held, MONDAY))

        assert "has to hold it on them: America/New_York (2026-06-05)" in warnings(max_calls_per_day=2)
        assert warnings(max_calls_per_day=4) == ""
        assert warnings(max_calls_per_day=4, working_days=[2, 3, 4]) == ""
        assert warnings(max_calls_per_day=2, working_days=[2, 3, 4]) == ""

    def test_a_list_whose_hours_end_before_everybody_is_called(self, tmp_path: Path) -> None:
        held = plan_of(manifest_of(tmp_path, 60), held_on_blocked_days=True)
        a_call_a_day = Assumptions(Decimal(600), 1)
        told = self.warnings(planned(held, MONDAY), assumptions=a_call_a_day)
        assert "before the calling hours end: America/New_York" in told

    @pytest.mark.parametrize(("before", "says"), [(10, "40 %"), (8, "25 %"), (7, ""), (6, ""), (5, ""), (0, "")])
    def test_a_list_that_shrank(self, before: int, says: str) -> None:
        told = self.warnings(part_of(6), previous=[counts_of(before)])
        assert (f"shrank by {says}: {before} people in the earlier list, 6 in this one" in told) is bool(says)
        assert bool(told) is bool(says)

    def test_an_earlier_list_may_have_had_other_parts(self) -> None:
        told = self.warnings(part_of(3), part_of(3), previous=[counts_of(5), counts_of(5), counts_of(2)])
        assert "shrank by 50 %: 12 people" in told

    def test_many_refused_rows(self) -> None:
        assert "2 of 12 rows were refused (17 %)" in self.warnings(part_of(10, counts_of(10, rejected=2)))
        assert self.warnings(part_of(10, counts_of(10, rejected=1))) == ""

    def test_what_does_not_end_in_a_year(self) -> None:
        assert "Not called within 366 days" in self.warnings(part_of(400, max_calls_per_day=1))

    def test_a_draft_and_a_folder(self) -> None:
        told = self.warnings(part_of(3, start=False), planned(plan_of(None, contact_folder_id="f"), MONDAY))
        assert "Leaves drafts" in told
        assert "known to Truedy only" in told


def test_a_folder_has_an_unknown_number_of_people() -> None:
    found = plan(planned(plan_of(None, contact_folder_id="folder"), MONDAY), rate=Rate(Decimal(1), "call"))
    assert found["people"] is found["ceilings"]["calls"] is found["cost"]["expected"] is None
    assert found["parts"][0]["first_call"]["utc"] == "2026-06-02T14:00:00Z"
    assert found["parts"][0]["last_call"] is None


def test_it_refuses_what_the_launch_would_refuse() -> None:
    with pytest.raises(PastStartError):
        part_of(3, scheduled_at="2026-05-01T10:00")
    with pytest.raises(TimingError, match="outside its calling window"):
        planned(plan_of(3, scheduled_at=None, schedule_type="immediate"), MONDAY - timedelta(hours=9))


def test_a_start_at_once_is_planned_from_now_on() -> None:
    (part,) = plan(part_of(3, scheduled_at=None, schedule_type="immediate"))["parts"]
    assert part["start"] == "at once"
    assert part["first_call"]["utc"] == "2026-06-01T13:00:00Z"


@pytest.mark.parametrize("count", [1, 10, 30, 80])
def test_it_stays_small_whatever_the_number_of_parts(count: int) -> None:
    reasons = {f"reason_{number}_{'x' * 60}": number for number in range(1, 40)}
    parts = [
        part_of(
            50 + number,
            counts_of(50 + number, f"segment {number} {'ö' * 60}", rejected=780, rejected_by_reason=reasons),
            max_calls_per_day=1,
            scheduled_at="2026-06-06T10:00",
        )
        for number in range(count)
    ]
    if count == 80:
        with pytest.raises(TooManyPartsError, match="max_splits"):
            plan(*parts)
        return
    found = plan(*parts)
    assert len(json.dumps(found)) <= LARGEST_PLAN < 8_192
    assert len(found["parts"]) == count
    assert sum(part["people"] for part in found["parts"]) == found["people"]
    # What there is room for is told of the largest parts.
    assert "timezone" in found["parts"][-1]


def test_sixty_zones_fit() -> None:
    assert len(plan(*[part_of(3)] * 60)["parts"]) == 60


def test_nothing_of_a_person_is_in_it() -> None:
    named = part_of(3, counts_of(3, "+12125550100"), name="Call +1 (212) 555-0100 back")
    told = json.dumps(plan(part_of(3), named))
    assert "555-0100" not in told
    assert "Person" not in told
    assert "2125550" not in told


def test_the_people_of_the_plan_are_those_of_the_launch() -> None:
    with pytest.raises(ContactsError):
        plan_of([people(1)[0], people(1)[0]])
