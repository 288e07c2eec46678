"""Keep one process within its share of the organisation's quota, and tell when a used-up quota is free again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.server_clock import read_http_date, read_moment

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BURST = 5
_SHORTEST_WAIT = 1.0
#: Seconds. The quota is counted by the minute, and nobody waits for calls longer than this unasked. A server that asks
#: for more is not believed: a year in ``Retry-After`` would let a campaign sleep for a year.
LONGEST_QUOTA_WAIT = 3600.0


class RateLimiter:
    """
    Spaces requests evenly, after a small burst.

    Never more than the rate in any minute. Thread-safe; continues with a fresh lock in a forked process.

    :param requests_per_minute: the rate; None or 0 for no limit.
    :param clock: seconds; wall time will do, a clock that steps back is followed.
    """

    def __init__(self, requests_per_minute: float | None, clock: Callable[[], float] = time.time) -> None:
        rate = requests_per_minute or 0
        self._burst = min(_MOST_BURST, rate // 10)
        # What may come at once is taken from the rate, else a burst and a minute's slots would exceed it together.
        self._interval = 60 / (rate - self._burst) if rate > 0 else 0.0
        self._clock = clock
        self._next = float("-inf")
        self._now = float("-inf")
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def reserve(self) -> float:
        """Take the next slot; return the seconds to wait for it, 0 if it is now."""
        if not self._interval:
            return 0.0
        if self._pid != os.getpid():
            # Another thread may have held the lock when this process was forked off.
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            now = self._clock()
            if now < self._now:
                self._next -= self._now - now
            self._now = now
            slot = max(self._next, now - self._burst * self._interval)
            self._next = slot + self._interval
            return max(0.0, slot - now)


def quota_wait(retry_after: str | None, details: Any, now: float) -> float:
    """
    Return in how many seconds a used-up quota is free again: from one second to an hour.

    ``Retry-After`` (seconds or a date) comes first, then ``error.details.reset_at``, else the next full minute, since
    the quota is counted by fixed minutes. A time more than an hour ahead is ignored.

    :param retry_after: the header, if there is one.
    :param details: the error's details.
    :param now: seconds since 1970, by the clock that the server's dates follow.
    """
    reset_at = read_moment(details.get("reset_at")) if isinstance(details, Mapping) else None
    for wait in (_retry_after(retry_after, now), reset_at.timestamp() - now if reset_at else None):
        if wait is not None and wait <= LONGEST_QUOTA_WAIT:
            return max(wait, _SHORTEST_WAIT)
    return max(60 - now % 60, _SHORTEST_WAIT)


def _retry_after(text: str | None, now: float) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        date = read_http_date(text)
        return date.timestamp() - now if date else None
    return seconds if isfinite(seconds) and seconds >= 0 else None
