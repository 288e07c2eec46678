"""Hours of a week as bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.weekly import (
    A_DAY,
    A_WEEK,
    ALWAYS,
    best_window,
    days_text,
    earlier,
    every_day,
    holds,
    shrunk,
    week_of,
)

minutes = st.integers(0, A_WEEK - 1)
weeks = st.lists(st.tuples(st.integers(0, A_DAY - 2), st.integers(1, 7)), min_size=1, max_size=4).map(
    lambda drawn: sum({every_day(start, min(start + 300, A_DAY), [day]) for start, day in drawn} or {0}) & ALWAYS
)


def test_hours_allow_their_first_minute_and_not_their_last() -> None:
    week = week_of({"mon-fri": ["09:00-13:00", "14:00-20:00"], "sun": ["12:00-24:00"]})
    inside = [9 * 60, 13 * 60 - 1, 14 * 60, 20 * 60 - 1, 4 * A_DAY + 600, 6 * A_DAY + 12 * 60, A_WEEK - 1]
    outside = [0, 9 * 60 - 1, 13 * 60, 14 * 60 - 1, 20 * 60, 5 * A_DAY + 600, 6 * A_DAY + 12 * 60 - 1]
    assert [holds(week, minute) for minute in inside] == [True] * 7
    assert [holds(week, minute) for minute in outside] == [False] * 7


@pytest.mark.parametrize(
    "hours",
    [
        {"mon": ["9:00-20:00"]},
        {"mon": ["09:00-24:01"]},
        {"mon": ["20:00-09:00"]},
        {"mon": ["09:00-09:00"]},
        {"monday": ["09:00-20:00"]},
        {"sat-mon": ["09:00-20:00"]},
        {"mon-fri": ["09:00-20:00"], "wed": ["10:00-12:00"]},
        {"": ["09:00-20:00"]},
    ],
)
def test_hours_that_can_be_read_in_two_ways_are_refused(hours: dict[str, list[str]]) -> None:
    with pytest.raises(RulesError):
        week_of(hours)


@given(week=weeks, by=st.integers(-A_WEEK, A_WEEK), minute=minutes)
def test_earlier_turns_the_week_round(week: int, by: int, minute: int) -> None:
    assert holds(earlier(week, by), minute) == holds(week, (minute + by) % A_WEEK)


@given(week=weeks, margin=st.integers(0, 200), minute=minutes)
def test_shrunk_keeps_a_minute_only_with_all_its_neighbours(week: int, margin: int, minute: int) -> None:
    around = range(minute - margin, minute + margin + 1)
    assert holds(shrunk(week, margin), minute) == all(holds(week, each % A_WEEK) for each in around)


@given(week=weeks)
def test_the_best_window_lies_in_the_week(week: int) -> None:
    found = best_window(week)
    assert found is not None
    for day in found.days:
        for minute in range(found.start, found.end):
            assert holds(week, (day - 1) * A_DAY + minute)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ({"mon-sat": ["09:00-21:00"], "sun": ["12:00-21:00"]}, (540, 1260, (1, 2, 3, 4, 5, 6))),
        ({"mon-fri": ["10:00-13:00", "14:00-20:00"]}, (840, 1200, (1, 2, 3, 4, 5))),
        ({"mon-sun": ["00:00-24:00"]}, (0, 1439, (1, 2, 3, 4, 5, 6, 7))),
        ({"mon-sun": ["20:00-24:00"]}, (1200, 1439, (1, 2, 3, 4, 5, 6, 7))),
        # As many minutes: on more days.
        ({"mon-tue": ["08:00-10:00"], "wed": ["08:00-12:00"]}, (480, 600, (1, 2, 3))),
        ({}, None),
    ],
)
def test_the_best_window_has_the_most_minutes(hours: dict[str, list[str]], expected: object) -> None:
    assert best_window(week_of(hours)) == expected


def test_days_are_written_as_ranges() -> None:
    assert [days_text(days) for days in ([1, 2, 3, 4, 5], [7], [1, 3, 4], [6, 7])] == [
        "Mon-Fri",
        "Sun",
        "Mon, Wed-Thu",
        "Sat-Sun",
    ]
