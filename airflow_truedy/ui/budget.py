"""How many requests the pages may send to Truedy, whatever the number of viewers."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from airflow_truedy.api.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of an API server, all its processes together.
REQUESTS_PER_MINUTE = 6
# A little more than a minute: requests take different times to arrive.
_MINUTE = 61.0


class Budget(RateLimiter):
    """
    Gives every request its moment: several at once after a pause, and never more than the share in any minute.

    :param processes: how many processes of the API server share the budget. Default: 1.
    :param clock: seconds.
    """

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(None, clock)
        share = max(1, REQUESTS_PER_MINUTE // processes)
        self._window = _MINUTE * max(1.0, processes / REQUESTS_PER_MINUTE)
        self._slots: deque[float] = deque([float("-inf")] * share, maxlen=share)
        #: Seconds that one request costs, when there is no pause.
        self.seconds_each = self._window / share

    def reserve(self) -> float:
        """Take the next slot; return the seconds to wait for it, 0 if it is now."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._slots[0] + self._window)
            self._slots.append(slot)
            return slot - now
