"""Calls are a pure function of time, inside the calling hours, a few at a time, within the day's quota."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from truedy_sandbox.calling_hours import CallingHours
from truedy_sandbox.dialer import Dialer, Fate
from truedy_sandbox.settings import OUTCOMES

START = datetime(2026, 10, 28, 15, tzinfo=timezone.utc).timestamp()
WEEK = 7 * 86400

zones = st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
windows = st.sampled_from([(None, None), ("09:00", "17:30"), ("01:30", "02:30"), ("22:00", None), (None, "00:10")])
days = st.sampled_from([(), (1, 2, 3, 4, 5), (7,), (3, 6)])
quotas = st.sampled_from([None, 1, 3, 40])


@st.composite
def calling_hours(draw):
    start, end = draw(windows)
    return CallingHours(draw(zones), start, end, draw(days), draw(quotas))


def dialled(hours: CallingHours, contacts: int, concurrency: int, moments: list[float]) -> Dialer:
    dialer = Dialer(1, concurrency, Fate(1, "completed=70,no_answer=20,failed=10"))
    dialer.run(hours, START)
    for moment in moments:
        dialer.advance(START + moment, contacts)
    return dialer


def everything(dialer: Dialer) -> tuple[object, ...]:
    return (
        list(dialer.starts),
        list(dialer.lengths),
        bytes(dialer.outcomes),
        sorted(dialer.in_flight),
        dialer.completed,
        dialer.failed,
    )


@given(calling_hours(), st.integers(1, 150), st.integers(1, 6), st.lists(st.floats(0, 3 * WEEK), min_size=1))
@settings(max_examples=150)
def test_it_does_not_matter_in_which_steps_time_passes(hours, contacts, concurrency, moments):
    steps = sorted(moments)
    assert everything(dialled(hours, contacts, concurrency, steps)) == everything(
        dialled(hours, contacts, concurrency, steps[-1:])
    )


@given(calling_hours(), st.integers(1, 150), st.integers(1, 6))
@settings(max_examples=150)
def test_calls_keep_to_hours_quota_and_concurrency(hours, contacts, concurrency):
    dialer = dialled(hours, contacts, concurrency, [12 * WEEK])
    starts = list(dialer.starts)
    assert starts == sorted(starts)
    assert len(starts) <= contacts
    for start in starts:
        assert hours.opening(start)[0] == start
    for place, start in enumerate(starts[concurrency:], start=concurrency):
        running = sum(starts[i] + dialer.lengths[i] > start for i in range(place))
        assert running < concurrency
    per_day = Counter(datetime.fromtimestamp(start, ZoneInfo(hours.zone)).date() for start in starts)
    if hours.max_calls_per_day:
        assert max(per_day.values(), default=0) <= hours.max_calls_per_day


def test_nobody_is_called_while_the_dialer_is_stopped_and_calls_going_on_end():
    hours = CallingHours("UTC")
    dialer = dialled(hours, 100, 5, [300])
    placed = dialer.placed
    assert dialer.in_flight
    dialer.stop()
    dialer.advance(START + WEEK, 100)
    assert dialer.placed == placed
    assert dialer.completed + dialer.failed == placed
    dialer.run(hours, START + WEEK)
    dialer.advance(START + 2 * WEEK, 100)
    assert dialer.completed + dialer.failed == 100
    assert min(dialer.starts[placed:]) >= START + WEEK


def test_outcomes_follow_their_weights():
    fate = Fate(7, "completed=3,busy=1")
    drawn = Counter(OUTCOMES[fate.of(1, i)[0]] for i in range(4000))
    assert set(drawn) == {"completed", "busy"}
    assert 2850 < drawn["completed"] < 3150


def test_another_seed_is_another_course():
    assert [Fate(1, "completed=1,failed=1").of(1, i) for i in range(20)] != [
        Fate(2, "completed=1,failed=1").of(1, i) for i in range(20)
    ]
