"""Places the calls of one batch, as a pure function of time: nothing runs in the background."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from truedy_sandbox.ids import draw
from truedy_sandbox.settings import OUTCOMES, outcome_weights

if TYPE_CHECKING:
    from truedy_sandbox.calling_hours import CallingHours

# Shortest and longest call in seconds, by outcome, ringing included.
_LENGTHS = {
    "completed": (35, 240),
    "no_answer": (25, 40),
    "busy": (2, 5),
    "voicemail": (15, 45),
    "failed": (1, 8),
}
_COMPLETED = OUTCOMES.index("completed")


class Fate:
    """How a call ends and how long it lasts, drawn from the seed."""

    def __init__(self, seed: int, outcomes: str) -> None:
        weights = outcome_weights(outcomes)
        self._seed = seed
        self._codes = [OUTCOMES.index(name) for name, _ in weights]
        total = sum(weight for _, weight in weights)
        self._bounds = [int(part / total * 2**32) for part in accumulate(weight for _, weight in weights)]

    def of(self, batch_number: int, index: int) -> tuple[int, int]:
        """Return the outcome's place in ``OUTCOMES`` and the call's length in seconds."""
        bits = draw(self._seed, batch_number, index)
        place = min(bisect_right(self._bounds, bits & 0xFFFFFFFF), len(self._codes) - 1)
        shortest, longest = _LENGTHS[OUTCOMES[self._codes[place]]]
        return self._codes[place], shortest + (bits >> 32) % (longest - shortest + 1)


class Dialer:
    """
    The calls of one batch: contacts are called in order, a few at a time, inside the calling hours.

    :meth:`advance` may be called in any steps: the calls placed by a moment depend on that moment only.
    """

    def __init__(self, batch_number: int, concurrency: int, fate: Fate) -> None:
        self.starts = array("d")
        self.lengths = array("H")
        self.outcomes = bytearray()
        self.in_flight: list[tuple[float, int]] = []
        self.completed = 0
        self.failed = 0
        self.last_event = 0.0
        self._batch_number = batch_number
        self._fate = fate
        self._lanes = [0.0] * concurrency
        self._hours: CallingHours | None = None
        self._not_before = 0.0
        self._day = 0
        self._placed_today = 0
        self._window = (0.0, 0.0, 0)

    @property
    def placed(self) -> int:
        """How many calls were started so far."""
        return len(self.starts)

    def run(self, hours: CallingHours, not_before: float) -> float:
        """Place calls from a moment on; return when the first one is due."""
        self._hours = hours
        self._not_before = not_before
        self._window = (0.0, 0.0, 0)
        return self._next_start()

    def stop(self) -> None:
        """Place no further calls; those in flight run to their end."""
        self._hours = None

    def advance(self, now: float, limit: int) -> None:
        """Bring everything up to ``now``; at most ``limit`` calls are placed in all."""
        while self._hours is not None and self.placed < limit:
            start = self._next_start()
            if start > now:
                break
            self._place(start)
        while self.in_flight and self.in_flight[0][0] <= now:
            self._end(*heapq.heappop(self.in_flight))

    def _next_start(self) -> float:
        assert self._hours is not None
        # Not before the last one: a lane that stayed idle when a day's quota was used up is free since then.
        last = self.starts[-1] if self.starts else 0.0
        earliest = max(self._lanes[0], self._not_before, last)
        quota = self._hours.max_calls_per_day
        opens, closes, day = self._window
        full = quota is not None and self._placed_today >= quota and day == self._day
        if full or not opens <= earliest < closes:
            used_up = self._day if quota is not None and self._placed_today >= quota else None
            self._window = self._hours.opening(earliest, used_up)
        return max(earliest, self._window[0])

    def _place(self, start: float) -> None:
        day = self._window[2]
        if day != self._day:
            self._day, self._placed_today = day, 0
        self._placed_today += 1
        index = self.placed
        outcome, length = self._fate.of(self._batch_number, index)
        self.starts.append(start)
        self.lengths.append(length)
        self.outcomes.append(outcome)
        heapq.heapreplace(self._lanes, start + length)
        if len(self.in_flight) >= len(self._lanes):
            self._end(*heapq.heappop(self.in_flight))
        heapq.heappush(self.in_flight, (start + length, index))
        self.last_event = max(self.last_event, start)

    def _end(self, end: float, index: int) -> None:
        if self.outcomes[index] == _COMPLETED:
            self.completed += 1
        else:
            self.failed += 1
        self.last_event = max(self.last_event, end)
