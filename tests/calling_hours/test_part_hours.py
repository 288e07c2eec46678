"""The hours that a manifest carries: what they allow, when they open next, and which campaigns are wider."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.calling_hours import Blackout, CallingHours, PartHours, Placement, Placer, fewest_parts
from airflow_truedy.calling_hours.errors import RulesError

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
PLACER = Placer(CallingHours(blackout=Blackout(dates=["2026-12-01"])), NOW)
CODES = ("205", "207", "601", "850", "801", "415", "213", "316")
PLACED = [each for code in CODES if isinstance(each := PLACER.place_contact({}, f"+1{code}5550104"), Placement)]
PARTS = fewest_parts({each.window: 1 for each in PLACED}, PLACER.span, most=3)
GATHERED = {
    part: PartHours.gather(part, [each for each in PLACED if PARTS[each.window] == part], PLACER)
    for part in set(PARTS.values())
}
ALABAMA = PartHours(
    timezone="America/Chicago",
    start_time="08:00",
    end_time="20:00",
    working_days=(1, 2, 3, 4, 5, 6),
    blocked=("2026-11-26", "2026-12-25"),
    first_day="2026-11-25",
    last_day="2027-01-24",
    rules="us@0",
)


@given(minute=st.integers(0, 62 * 1440))
def test_what_a_part_allows_is_allowed_for_each_of_its_people(minute: int) -> None:
    instant = datetime(2026, 11, 25, tzinfo=timezone.utc) + timedelta(minutes=minute)
    for each in PLACED:
        part = GATHERED[PARTS[each.window]]
        assert each.hours.may_call(instant) or not part.allows(instant)
        following = part.next_opening(instant)
        assert following is None or (following >= instant and part.allows(following))


def test_a_part_names_every_state_also_those_that_share_their_hours() -> None:
    georgia_and_ohio = [PLACER.place_contact({}, f"+1{code}5550104") for code in ("404", "614")]
    placed = [each for each in georgia_and_ohio if isinstance(each, Placement)]
    assert placed[0].hours is placed[1].hours
    part = PartHours.gather(placed[0].window, placed, PLACER)
    assert part.jurisdictions == ("US", "US-GA", "US-OH")


def test_blocked_days_in_a_row_and_states_of_a_country_are_short() -> None:
    days = [str(date(2026, 12, 1) + timedelta(days=each)) for each in range(40)]
    part = replace(ALABAMA, blocked=["2026-11-26", *days, "2027-01-12"], jurisdictions=["CA", "US", "US-AL", "US-MS"])
    value = json.loads(json.dumps(part.to_dict()))
    assert value["blocked"] == ["2026-11-26", "2026-12-01/2027-01-09", "2027-01-12"]
    assert value["jurisdictions"] == ["CA", "US AL MS"]
    read = PartHours.from_dict(value)
    working = [day for day in part.blocked if date.fromisoformat(day).isoweekday() != 7]
    assert (list(read.blocked), read.jurisdictions) == (working, part.jurisdictions)


def test_hours_go_through_a_manifest_and_back_and_are_small() -> None:
    for part in GATHERED.values():
        text = json.dumps(part.to_dict())
        assert PartHours.from_dict({**json.loads(text), "later": 1}) == part
        assert len(text) < 700


@pytest.mark.parametrize(
    "change",
    [{"timezone": "EST"}, {"start_time": "9"}, {"blocked": ["24.12."]}, {"last_day": None}, {"working_days": 5}],
)
def test_hours_that_cannot_be_read_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RulesError, match="calling hours of this manifest"):
        PartHours.from_dict({**ALABAMA.to_dict(), **change})
    with pytest.raises(RulesError):
        PartHours.from_dict({name: value for name, value in ALABAMA.to_dict().items() if name != "rules"})


@pytest.mark.parametrize(
    ("day", "opening"),
    [
        (date(2026, 11, 25), "2026-11-25T08:00-06:00"),
        # Thanksgiving, Christmas and a Sunday.
        (date(2026, 11, 26), "2026-11-27T08:00-06:00"),
        (date(2026, 12, 25), "2026-12-26T08:00-06:00"),
        (date(2026, 11, 29), "2026-11-30T08:00-06:00"),
        # Before the first day, and on the last, a Sunday.
        (date(2026, 11, 1), "2026-11-25T08:00-06:00"),
        (date(2027, 1, 24), None),
        (date(2027, 3, 1), None),
    ],
)
def test_a_part_opens_on_the_first_allowed_day(day: date, opening: str | None) -> None:
    midnight = datetime.combine(day, time(), ZoneInfo("America/Chicago"))
    assert ALABAMA.next_opening(midnight) == (datetime.fromisoformat(opening) if opening else None)


@pytest.mark.parametrize(
    ("asked", "within"),
    [
        (("America/Chicago", "08:00", "20:00", [1, 2, 3, 4, 5, 6]), True),
        (("America/Chicago", "09:00", "17:00", [1]), True),
        (("America/New_York", "09:00", "21:00", [1, 2, 3, 4, 5, 6]), True),
        (("America/New_York", "08:30", "21:00", [1]), False),
        (("America/Chicago", "08:00", "20:01", [1]), False),
        (("America/Chicago", "08:00", "20:00", [7]), False),
        (("America/Chicago", "08:00", "20:00"), False),
    ],
)
def test_wider_hours_say_that_they_are(asked: tuple[Any, ...], within: bool) -> None:
    told = ALABAMA.why_not(*asked)
    assert (told is None) == within
    assert told is None or "is wider than 08:00-20:00 America/Chicago, Mon-Sat" in told
