"""How things are written: E.164 numbers, times of day, weekdays, e-mail addresses, UTC. Each pattern is here once."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

#: What a time of day must be, for error messages.
CLOCK_TIME_RULE = "must be a time of day as HH:MM, from 00:00 to 23:59"
#: What working days must be, for error messages.
WEEKDAYS_RULE = "must be days from 1 (Monday) to 7 (Sunday), at least one, none twice"


def is_e164(text: str) -> bool:
    """Tell whether ``text`` has the form of an E.164 number: ``+`` and 2 to 15 digits, the first not 0."""
    return _E164.fullmatch(text) is not None


def is_clock_time(text: str) -> bool:
    """Tell whether ``text`` is a time of day as ``HH:MM``, from 00:00 to 23:59. Two of them compare as text."""
    return _CLOCK_TIME.fullmatch(text) is not None


def broken_window_rule(start_time: str | None, end_time: str | None) -> str | None:
    """Return the rule that the end of a daily window breaks; ``None`` if it breaks none or one end is not known."""
    if start_time is not None and end_time is not None and end_time <= start_time:
        return f"must be after start_time ({start_time})"
    return None


def are_weekdays(days: Collection[object]) -> bool:
    """Tell whether ``days`` are weekdays as the API counts them, from 1 to 7: at least one, none twice."""
    # True equals 1, but is not a day.
    known = all(type(day) is int and 1 <= day <= 7 for day in days)
    return known and len(set(days)) == len(days) > 0


def is_email(text: str) -> bool:
    """Tell whether ``text`` has the form of an e-mail address; whether it exists is not checked."""
    return _EMAIL.fullmatch(text) is not None


def utc_text(moment: datetime, *, fraction: bool = False) -> str:
    """
    Write an instant in UTC, e.g. ``2026-03-20T09:00:00Z``, as the API wants it.

    :param moment: an aware moment in any zone.
    :param fraction: keep a fraction of a second. Default: leave it out.
    """
    in_utc = moment.astimezone(timezone.utc)
    return in_utc.isoformat(timespec="auto" if fraction else "seconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """
    Read an ISO 8601 date and time, with ``Z`` too, which Python reads by itself from 3.11 on.

    :raises ValueError: if it cannot be read.
    """
    return datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
