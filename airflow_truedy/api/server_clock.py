"""The server's clock, as far as its answers tell: a start is late when it is late there, whatever our clock says."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from airflow_truedy.api.models.fields import UtcDatetime

if TYPE_CHECKING:
    from collections.abc import Callable

_MOMENT: TypeAdapter[datetime] = TypeAdapter(UtcDatetime)
# An answer that took longer says little: its time may have been written at the begin or at the end.
_LONGEST_ROUND_TRIP = 5.0


class ServerClock:
    """
    Our clock plus the difference to the server's, learned from its answers. Our own clock until one is known.

    :param clock: our clock, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offset: float | None = None
        self._by_body = False

    def now(self) -> datetime:
        """Return the server's time, in UTC."""
        return datetime.fromtimestamp(self._clock() + (self._offset or 0.0), tz=timezone.utc)

    def learn(self, written: Any, date_header: str | None, sent_at: float) -> None:
        """
        Take the time from a successful answer that has just been received.

        ``written`` counts before the header, which a proxy or a cache may have set.

        :param written: the time in the answer's body, as the server writes it; None if there is none.
        :param date_header: the header ``Date``; None if there is none.
        :param sent_at: when the request was sent, by our clock.
        """
        moment = read_moment(written)
        if moment is None:
            if self._by_body:
                return
            moment = read_http_date(date_header)
        if moment is None:
            return
        received_at = self._clock()
        if self._offset is not None and received_at - sent_at > _LONGEST_ROUND_TRIP:
            return
        self._by_body = self._by_body or written is not None
        self._offset = moment - (sent_at + received_at) / 2


def read_moment(value: Any) -> float | None:
    """Return a moment of the API as seconds since 1970; None for what cannot be read. No offset means UTC."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return _MOMENT.validate_python(value).timestamp()
    except (ValidationError, ValueError, OverflowError):
        return None


def read_http_date(text: str | None) -> float | None:
    """Return a date as HTTP headers write it as seconds since 1970; None for what cannot be read."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
