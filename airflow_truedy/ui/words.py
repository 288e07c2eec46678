"""Times and counts as the pages write them."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.timing import zone_of

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def ago(seconds: float) -> str:
    """Return how long ago something was, or in how long it will be, in one unit: ``5 min ago``, ``in 2 days``."""
    span = abs(seconds)
    for length, unit in ((_DAY, "day"), (_HOUR, "h"), (_MINUTE, "min")):
        if span >= length:
            count = int(span // length)
            told = f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
            break
    else:
        told = f"{int(span)} s"
    return f"{told} ago" if seconds >= 0 else f"in {told}"


def duration(seconds: float) -> str:
    """Return a length of time in hours and minutes, or in minutes and seconds."""
    if seconds >= _HOUR:
        return f"{int(seconds // _HOUR):,} h {int(seconds % _HOUR // _MINUTE)} min"
    return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"


def local_time(moment: datetime, zone: str | None) -> tuple[str, str]:
    """Return a moment on the wall clock of a campaign's zone, and the zone; in UTC where the zone is unknown."""
    try:
        local = moment.astimezone(zone_of(zone)) if zone else None
    except (TimingError, OverflowError):  # A moment near year 1 or 9999 has no wall clock everywhere.
        local = None
    if local is None or zone == "UTC":
        return f"{moment.astimezone(timezone.utc):%a %Y-%m-%d %H:%M}", "UTC"
    return f"{local:%a %Y-%m-%d %H:%M}", f"{zone}"


def utc_minute(moment: datetime) -> str:
    """Return a moment in UTC to the minute."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def count(number: object) -> str:
    """Return a count with thousands separated; a dash where nobody counted."""
    return f"{number:,}" if isinstance(number, int) else "\u2013"
