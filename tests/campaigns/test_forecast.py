from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.campaigns.bound_hours import BoundHours
from airflow_truedy.campaigns.forecast import LONGEST_DAYS, Assumptions, calls_by_hour, forecast
from airflow_truedy.campaigns.timing import CallingWindow

UTC = timezone.utc
WINDOW = CallingWindow("America/New_York", time(9), time(17), frozenset({1, 2, 3, 4, 5}))
FRIDAY_NOON = datetime(2026, 6, 5, 16, tzinfo=UTC)


def test_it_goes_from_the_start_over_the_days_of_the_window() -> None:
    # Two at once, three minutes each: 40 an hour. Five hours are left on Friday, eight on Monday.
    found = forecast(BoundHours(WINDOW), FRIDAY_NOON, 300, None, Assumptions(Decimal(3), 2))
    assert [(each.day, each.calls) for each in found.days] == [(date(2026, 6, 5), 200), (date(2026, 6, 8), 100)]
    assert found.days[0].first == FRIDAY_NOON
    # The 100th call of Monday is in the 50th pair, which begins 49 times 3 minutes after nine.
    assert found.days[1].last == datetime(2026, 6, 8, 13, tzinfo=UTC) + timedelta(minutes=147)


def test_the_most_calls_of_a_day_stretch_it() -> None:
    found = forecast(BoundHours(WINDOW), FRIDAY_NOON, 100, 45, Assumptions())
    assert [each.calls for each in found.days] == [45, 45, 10]
    assert found.days[-1].day == date(2026, 6, 9)


def test_a_start_outside_the_window_waits_for_it() -> None:
    (day,) = forecast(BoundHours(WINDOW), datetime(2026, 6, 6, 3, tzinfo=UTC), 1, None, Assumptions()).days
    assert day.first == day.last == datetime(2026, 6, 8, 13, tzinfo=UTC)


def test_a_clock_change_makes_the_day_shorter() -> None:
    nights = CallingWindow("America/New_York", time(0), time(6))
    calls = [
        each.calls for each in forecast(BoundHours(nights), datetime(2026, 3, 7, 5, tzinfo=UTC), 1_000, None, ONE).days
    ]
    assert calls[:3] == [360, 300, 340]


def test_what_is_not_done_in_a_year_is_told() -> None:
    found = forecast(BoundHours(WINDOW), FRIDAY_NOON, 1_000_000, 1, Assumptions())
    assert len(found.days) + found.left == 1_000_000
    assert found.days[-1].day <= date(2026, 6, 5) + timedelta(days=LONGEST_DAYS)


def test_nobody_is_no_day() -> None:
    assert forecast(BoundHours(WINDOW), FRIDAY_NOON, 0, None, Assumptions()) == ([], 0)


ONE = Assumptions(Decimal(1), 1)


@pytest.mark.parametrize(
    ("first", "calls", "found"),
    [
        ("09:00", 60, {9: 60}),
        ("09:30", 60, {9: 30, 10: 30}),
        ("09:59", 2, {9: 1, 10: 1}),
        ("23:30", 40, {23: 30}),
    ],
)
def test_the_hours_of_a_day(first: str, calls: int, found: dict[int, int]) -> None:
    assert calls_by_hour(first, calls, ONE) == found


@given(
    people=st.integers(1, 5_000),
    cap=st.none() | st.integers(1, 900),
    minutes=st.decimals("0.1", "30", places=1),
    at_once=st.integers(1, 50),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
)
def test_every_call_lies_in_the_window_and_nobody_is_lost(
    people: int, cap: int | None, minutes: Decimal, at_once: int, start: datetime
) -> None:
    assumed = Assumptions(minutes, at_once)
    found = forecast(BoundHours(WINDOW), start, people, cap, assumed)
    assert sum(each.calls for each in found.days) + found.left == people
    assert len({each.day for each in found.days}) == len(found.days)
    for each in found.days:
        assert start <= each.first <= each.last
        assert WINDOW.is_open(each.first)
        assert WINDOW.is_open(each.last)
        assert each.calls <= (cap or people)
        first = f"{each.first.astimezone(ZoneInfo(WINDOW.zone)):%H:%M}"
        assert sum(calls_by_hour(first, each.calls, assumed).values()) == each.calls
