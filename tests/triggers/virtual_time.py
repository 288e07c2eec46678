"""An event loop in which waiting takes no time: when nothing is left to do, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

import time_machine

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    def __init__(self, traveller: Any) -> None:
        super().__init__()
        self._traveller = traveller

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise RuntimeError("Everything waits and no timer is set: this would hang for ever.")
        # A little more: floats of this size cannot tell smaller steps apart.
        self._traveller.shift(timeout + 1e-5)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        # Seconds since 1970 as a float tell no smaller steps apart: a timer that is due exactly now would never ring.
        self._clock_resolution = 1e-5

    def time(self) -> float:
        return time.time()


def run(main: Coroutine[Any, Any, T], start: datetime) -> T:
    """Run a coroutine from ``start`` on, as fast as it computes. ``time.time()`` is the virtual time."""
    with time_machine.travel(start, tick=False) as traveller:
        loop = _Loop(_Jumping(traveller))
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
