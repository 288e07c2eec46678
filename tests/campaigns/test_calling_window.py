from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_truedy.campaigns.timing import CallingWindow

UTC = timezone.utc
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Kolkata", "America/Santiago"]
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@st.composite
def windows(draw: st.DrawFn) -> CallingWindow:
    days = draw(st.frozensets(st.integers(1, 7)))
    zone = draw(st.sampled_from(ZONES))
    if draw(st.booleans()):
        return CallingWindow(zone=zone, days=days)
    minutes = draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=2, unique=True).map(sorted))
    opens, closes = (time(*divmod(minute, 60)) for minute in minutes)
    return CallingWindow(zone=zone, opens=opens, closes=closes, days=days)


# Round the clock changes of 2026 in the zones above, at whole minutes: windows open and close on those.
INSTANTS = st.one_of(
    st.datetimes(at("2026-03-06"), at("2026-03-09")),
    st.datetimes(at("2026-03-28"), at("2026-04-06")),
    st.datetimes(at("2026-09-04"), at("2026-09-07")),
    st.datetimes(at("2026-10-02"), at("2026-11-02")),
).map(lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC))


@given(window=windows(), instant=INSTANTS)
@settings(max_examples=150)
@example(
    window=CallingWindow("America/New_York", time(2, 30), time(4, 0), frozenset()), instant=at("2026-03-08T06:00+00:00")
)
@example(
    window=CallingWindow("America/New_York", time(2, 30), time(3, 15), frozenset()),
    instant=at("2026-03-08T06:00+00:00"),
)
@example(
    window=CallingWindow("America/New_York", time(1, 30), time(1, 45), frozenset()),
    instant=at("2026-11-01T05:50+00:00"),
)
@example(
    window=CallingWindow("America/New_York", time(2, 15), time(2, 45), frozenset({7})),
    instant=at("2026-03-07T12:00+00:00"),
)
def test_the_next_opening_is_the_earliest_open_instant(window: CallingWindow, instant: datetime) -> None:
    opening = window.next_opening(instant)
    assert window.is_open(opening)
    assert opening >= instant
    # No minute before it is open; minutes suffice, because zones change their clocks on whole minutes now.
    closed_until = min(opening, instant + timedelta(days=2))
    probe = instant
    while probe < closed_until:
        assert not window.is_open(probe)
        probe += MINUTE


@given(window=windows(), instant=INSTANTS)
def test_a_window_is_open_exactly_when_the_wall_clock_is_in_it(window: CallingWindow, instant: datetime) -> None:
    wall = instant.astimezone(ZoneInfo(window.zone))
    on_a_day = not window.days or wall.isoweekday() in window.days
    in_hours = window.opens is None or window.closes is None or window.opens <= wall.time() < window.closes
    assert window.is_open(instant) == (on_a_day and in_hours)


def test_the_begin_is_inside_and_the_end_is_not() -> None:
    window = CallingWindow("America/New_York", time(9), time(17, 30), frozenset({1}))
    assert window.is_open(at("2026-06-01T13:00:00+00:00"))
    assert not window.is_open(at("2026-06-01T12:59:59+00:00"))
    assert window.is_open(at("2026-06-01T21:29:59+00:00"))
    assert not window.is_open(at("2026-06-01T21:30:00+00:00"))
    assert not window.is_open(at("2026-06-02T13:00:00+00:00"))


def test_the_same_hours_move_in_utc_with_the_clocks() -> None:
    window = CallingWindow("America/New_York", time(9), time(17))
    assert window.next_opening(at("2026-03-07T12:00+00:00")) == at("2026-03-07T14:00+00:00")
    assert window.next_opening(at("2026-03-08T12:00+00:00")) == at("2026-03-08T13:00+00:00")


def test_a_window_that_never_opens_says_so_instead_of_naming_a_closed_instant() -> None:
    window = CallingWindow("UTC", time(17), time(9))
    with pytest.raises(ValueError, match="never opens"):
        window.next_opening(at("2026-06-01T12:00+00:00"))


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (CallingWindow(), "any hour, days 1234567, UTC"),
        (
            CallingWindow("Europe/Berlin", time(0), time(23, 59), frozenset({5, 1})),
            "00:00-23:59, days 15, Europe/Berlin",
        ),
    ],
)
def test_a_window_reads_in_one_line(window: CallingWindow, text: str) -> None:
    assert str(window) == text
