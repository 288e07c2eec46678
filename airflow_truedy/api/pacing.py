"""Spread requests evenly, so that one process stays within its share of the organization's quota."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BURST = 5


class Pacer:
    """
    Gives every request its moment: a few at once after a pause, then evenly spaced, never more than the rate
    in any minute. Thread-safe; goes on with a fresh lock in a forked process.

    :param requests_per_minute: the rate; None or 0 for no pacing.
    :param clock: seconds; wall time will do, a clock that steps back is followed.
    """

    def __init__(self, requests_per_minute: float | None, clock: Callable[[], float] = time.time) -> None:
        rate = requests_per_minute or 0
        self._burst = min(_MOST_BURST, rate // 10)
        # What may come at once is taken from the rate, else a burst and a minute's slots would exceed it
        # together.
        self._interval = 60 / (rate - self._burst) if rate > 0 else 0.0
        self._clock = clock
        self._next = float("-inf")
        self._now = float("-inf")
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def reserve(self) -> float:
        """Take the next slot; the seconds to wait for it, 0 if it is now."""
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
