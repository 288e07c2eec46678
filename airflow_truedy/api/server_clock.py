"""The server's clock, as far as its answers tell: a start is late when it is late there, whatever our clock says."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_truedy.api.models.base import AnsweredMoment

if TYPE_CHECKING:
    from collections.abc import Callable

_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(AnsweredMoment)
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

    def learn(self, written: datetime | None, date_header: str | None, sent_at: float) -> None:
        """
        Take the time from a successful answer that has just been received.

        :param written: the time in the answer's body; None if there is none.
        :param date_header: the header ``Date``, for a server that writes no time: a proxy or a cache may have set it.
        :param sent_at: when the request was sent, by our clock.
        """
        if written is None and self._by_body:
            return
        moment = written or read_http_date(date_header)
        received_at = self._clock()
        took_long = received_at - sent_at > _LONGEST_ROUND_TRIP
        if moment is None or (took_long and self._offset is not None):
            return
        self._by_body = written is not None
        self._offset = moment.timestamp() - (sent_at + received_at) / 2


def read_moment(value: Any) -> datetime | None:
    """Return a moment as the API writes it; None for what cannot be read. No offset means UTC."""
    try:
        moment = None if isinstance(value, bool) else _MOMENT.validate_python(value)
        # The first and last days of the calendar may lie outside of what other zones can hold.
        return moment and moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def read_http_date(text: str | None) -> datetime | None:
    """Return a date as HTTP headers write it; None for what cannot be read."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
