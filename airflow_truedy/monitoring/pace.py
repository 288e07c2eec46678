"""How fast a campaign goes, when it should end, and when to look at it next. Instants are seconds since 1970."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.schedule import UTC, in_words, zone_of
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.windows import CallingWindow
    from airflow_truedy.monitoring.settings import Seen, WatchSettings

# Even where nothing can happen somebody may cancel, pause or delete the campaign.
LONGEST_STRETCH = 10
_SHORTEST_PART = 4
_LONGEST_FORECAST_DAYS = 60


def instant(seconds: float) -> datetime:
    """Return seconds since 1970 as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def is_open(window: CallingWindow, seconds: float) -> bool:
    """Whether a call may be placed at that instant."""
    return window.is_open(instant(seconds))


def opening(window: CallingWindow, seconds: float) -> float:
    """Return the instant from which calls may be placed again; the same one if they may already."""
    return window.next_opening(instant(seconds)).timestamp()


def calls_per_second(seen: Seen) -> float | None:
    """Return the rate while the campaign was calling, ``None`` while it is not known."""
    if seen.called_at_first is None or seen.counts.called is None or seen.open_seconds <= 0:
        return None
    return (seen.counts.called - seen.called_at_first) / seen.open_seconds or None


def expected_end(settings: WatchSettings, seen: Seen, now: float) -> float | None:
    """Return when the last contact should be called at the present rate, with the window's breaks."""
    rate, left = calls_per_second(seen), _left(seen)
    if rate is None or left is None or State.of(seen.status) is not State.ACTIVE:
        return None
    return _after_open_seconds(settings.window, now, left / rate)


def _left(seen: Seen) -> int | None:
    counts = seen.counts
    if counts.pending is not None:
        return counts.pending
    if counts.total_contacts is None or counts.called is None:
        return None
    return max(0, counts.total_contacts - counts.called)


def _after_open_seconds(window: CallingWindow, now: float, seconds: float) -> float | None:
    moment = now
    for _ in range(_LONGEST_FORECAST_DAYS):
        moment = opening(window, moment)
        closing = _closing(window, moment)
        if moment + seconds <= closing:
            return moment + seconds
        seconds -= closing - moment
        moment = closing
    return None


def _closing(window: CallingWindow, moment: float) -> float:
    """Return the end of the calling day that is open at ``moment``."""
    wall = instant(moment).astimezone(zone_of(window.zone))
    if window.opens and window.closes:
        return datetime.combine(wall.date(), window.closes, tzinfo=wall.tzinfo).timestamp()
    return datetime.combine(wall.date() + timedelta(days=1), time.min, tzinfo=wall.tzinfo).timestamp()


def progress(settings: WatchSettings, seen: Seen, now: float) -> str:
    """Return one line for the task log."""
    counts = seen.counts
    share = f" ({counts.called / counts.total_contacts:.0%})" if counts.called and counts.total_contacts else ""
    rate, end = calls_per_second(seen), expected_end(settings, seen, now)
    parts = [f"Batch call {settings.batch_call_id} is {seen.status}: {counts}{share}"]
    if rate is not None:
        parts.append(f"{rate * 3600:.0f} calls an hour")
    if end is not None:
        parts.append(f"end expected {in_words(instant(end), settings.window.zone)}")
    return "; ".join(parts) + "."


def next_look(settings: WatchSettings, seen: Seen, batch: BatchCall, *, moved: bool, now: float) -> float:
    """
    Return the instant of the next look.

    Later than usual while nothing can happen (before the start, outside the calling window), sooner when the end is
    near, and never after a limit.
    """
    wait = _wait(settings, seen, batch, moved, now)
    limits = [now + wait]
    if settings.deadline is not None:
        limits.append(settings.deadline)
    if settings.max_paused is not None and seen.paused_at is not None:
        # One that has passed is waited through by a campaign that we hold while its window is closed.
        limits += [limit for limit in (seen.paused_at + settings.max_paused,) if limit > now]
    return max(min(limits), now + min(1.0, settings.interval / _SHORTEST_PART))


def _wait(settings: WatchSettings, seen: Seen, batch: BatchCall, moved: bool, now: float) -> float:
    usual = settings.interval
    state = State.of(batch.status)
    if state in (State.SCHEDULED, State.ACTIVE, State.PAUSED):
        begins = batch.scheduled_at.timestamp() if state is State.SCHEDULED and batch.scheduled_at else now
        idle = opening(settings.window, max(begins, now)) - now
        # Counters that move say more than any window: calls run on after its end.
        if idle > 0 and not moved:
            return min(max(usual, idle), usual * LONGEST_STRETCH)
    end = expected_end(settings, seen, now)
    if end is not None and end - now < 2 * usual:
        return min(usual, max(usual / _SHORTEST_PART, end - now))
    return usual
