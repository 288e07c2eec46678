"""When a used-up quota is free again. API notes (a.10), (f) 32 and 33."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from airflow_truedy.api.models.answer import UtcDatetime

_MOMENT: TypeAdapter[datetime] = TypeAdapter(UtcDatetime)
_SHORTEST_WAIT = 1.0
# A date far beyond any quota is a mistake, and might not even fit a datetime.
_LONGEST_WAIT = 366 * 86400.0


def quota_reset(retry_after: str | None, details: Any, now: float) -> float:
    """
    When a used-up quota is free again, in seconds since 1970; at least one second from now.

    ``Retry-After`` (seconds or a date) comes first, then ``error.details.reset_at`` (no offset means UTC),
    else the next full minute, since the quota is counted by fixed minutes.

    :param retry_after: the header, if there is one.
    :param details: the error's details.
    :param now: seconds since 1970.
    """
    moment = _retry_after(retry_after, now)
    if moment is None:
        moment = _timestamp(details.get("reset_at") if isinstance(details, Mapping) else None)
    if moment is None:
        moment = (now // 60 + 1) * 60
    return min(max(moment, now + _SHORTEST_WAIT), now + _LONGEST_WAIT)


def _retry_after(text: str | None, now: float) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return now + seconds if isfinite(seconds) and seconds >= 0 else None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _timestamp(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return _MOMENT.validate_python(value).timestamp()
    except (ValidationError, ValueError, OverflowError):
        return None
