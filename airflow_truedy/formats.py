"""How things are written: E.164 numbers, times of day, e-mail addresses, instants in UTC. Each pattern is here once."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

#: What a time of day must be, for error messages.
CLOCK_TIME_RULE = "must be a time of day as HH:MM, from 00:00 to 23:59"


def is_e164(text: str) -> bool:
    """Tell whether ``text`` has the form of an E.164 number: ``+`` and 2 to 15 digits, the first not 0."""
    return _E164.fullmatch(text) is not None


def is_clock_time(text: str) -> bool:
    """Tell whether ``text`` is a time of day as ``HH:MM``, from 00:00 to 23:59. Two of them compare as text."""
    return _CLOCK_TIME.fullmatch(text) is not None


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
