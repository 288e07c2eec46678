"""The organisation's quota: so many requests in a fixed window of real time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimit:
    """
    A fixed-window counter, as the page on rate limits describes it.

    :param limit: requests per window; 0 for no limit.
    :param window: length of the window in seconds; windows start at multiples of it.
    """

    def __init__(self, limit: int, window: int, wall: Callable[[], float]) -> None:
        self.limit = limit
        self.used = 0
        self.refused = 0
        self._window = window
        self._wall = wall
        self._current = 0

    def take(self) -> bool:
        """Count a request; return whether it is within the quota."""
        current = math.floor(self._wall() / self._window)
        if current != self._current:
            self._current, self.used = current, 0
        self.used += 1
        if self.limit and self.used > self.limit:
            self.refused += 1
            return False
        return True

    def resets_at(self) -> float:
        """Return when the next window starts (real time)."""
        return float((math.floor(self._wall() / self._window) + 1) * self._window)
