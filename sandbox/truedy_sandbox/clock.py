"""Virtual time: it can run fast, stand still, and be moved forward."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


# Beyond this nothing is simulated; a fast clock stops here.
END = datetime(2200, 1, 1, tzinfo=timezone.utc).timestamp()


class VirtualClock:
    """
    Virtual time = anchor + real time since the anchor * speed.

    :param start: virtual time now; default is the real time.
    :param speed: virtual seconds per real second.
    :param wall: where real time (seconds since the epoch) comes from.
    """

    def __init__(
        self, start: datetime | None = None, speed: float = 1.0, wall: Callable[[], float] = time.time
    ) -> None:
        self.wall = wall
        self.speed = speed
        self._real = wall()
        self._virtual = start.timestamp() if start else self._real

    def now(self) -> float:
        """Return the virtual time in seconds since the epoch."""
        return min(END, self._virtual + (self.wall() - self._real) * self.speed)

    def change(self, *, to: float | None = None, speed: float | None = None) -> None:
        """
        Move the clock and set its speed.

        :raises ValueError: if it would go backwards; what has happened cannot be undone.
        """
        now = self.now()
        if to is not None and to < now:
            raise ValueError("the clock cannot go backwards")
        self._real = self.wall()
        self._virtual = now if to is None else to
        self.speed = self.speed if speed is None else speed

    def anchor(self) -> list[float]:
        """Return what :meth:`restore` needs to go on as if the process had never stopped."""
        return [self._virtual, self._real, self.speed]

    def restore(self, anchor: list[float]) -> None:
        """Take over an anchor that was kept."""
        self._virtual, self._real, self.speed = anchor


def instant(seconds: float) -> datetime:
    """Return the UTC date-time of a moment."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def iso(seconds: float | None, *, naive: bool = False, micro: bool = False) -> str | None:
    """Write a moment the way the API does; ``None`` stays ``None``."""
    if seconds is None:
        return None
    text = instant(seconds).strftime("%Y-%m-%dT%H:%M:%S.%f" if micro else "%Y-%m-%dT%H:%M:%S")
    return text if naive else text + "Z"
