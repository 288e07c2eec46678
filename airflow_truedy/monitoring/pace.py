"""Time as a calling window counts it. Instants are seconds since 1970."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from airflow_truedy.campaigns.timing import UTC, CallingWindow, in_words, zone_of

# Also outside the window a person may cancel, pause or delete the campaign.
LONGEST_STRETCH = 10
_LONGEST_FORECAST_DAYS = 60


def is_open(window: CallingWindow, instant: float) -> bool:
    """Whether a call may be placed at that instant."""
    return window.is_open(_moment(instant))


def opening(window: CallingWindow, instant: float) -> float:
    """Return the instant from which calls may be placed again; the same one if they may already."""
    return window.next_opening(_moment(instant)).timestamp()


def open_seconds(window: CallingWindow, begin: float, end: float) -> float:
    """Return for how many of the seconds between two instants the window is open."""
    total, moment = 0.0, opening(window, begin)
    while moment < end:
        closing = _closing(window, moment)
        total += min(closing, end) - moment
        moment = opening(window, closing)
    return total


def after_open_seconds(window: CallingWindow, begin: float, seconds: float) -> float | None:
    """Return the instant at which the window has been open for so long; ``None`` if that is months ahead."""
    moment = begin
    for _ in range(_LONGEST_FORECAST_DAYS):
        moment = opening(window, moment)
        closing = _closing(window, moment)
        if moment + seconds <= closing:
            return moment + seconds
        seconds -= closing - moment
        moment = closing
    return None


def in_zone(window: CallingWindow, instant: float) -> str:
    """Write an instant on the wall clock of the window."""
    return in_words(_moment(instant), window.zone)


def _closing(window: CallingWindow, instant: float) -> float:
    """Return the end of the calling day that is open at ``instant``."""
    wall = _moment(instant).astimezone(zone_of(window.zone))
    if window.opens and window.closes:
        return datetime.combine(wall.date(), window.closes, tzinfo=wall.tzinfo).timestamp()
    return datetime.combine(wall.date() + timedelta(days=1), time.min, tzinfo=wall.tzinfo).timestamp()


def _moment(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
