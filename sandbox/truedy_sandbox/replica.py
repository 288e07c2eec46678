"""What a reader sees of a server whose reads lag: every change, carried out again some seconds later."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from truedy_sandbox.commands import COMMANDS
from truedy_sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from truedy_sandbox.settings import Settings


class Replica(State):
    """
    The state as it was ``lag`` seconds ago.

    It is given every command that changed the primary and carries it out for the same moment, once ``lag`` seconds have
    passed. So a batch call is unknown here for a while, keeps its old name, status and counts for a while, and is
    still here for a while after it was deleted.

    :param settings: those of the primary.
    :param now: the primary's virtual time in seconds since the epoch.
    :param lag: seconds of virtual time.
    """

    def __init__(self, settings: Settings, now: Callable[[], float], lag: float) -> None:
        super().__init__(settings, _ClockBehind(now, lag))
        self._now = now
        self._lag = lag

    def clear(self) -> None:
        """Forget everything, also what was not carried out yet."""
        super().clear()
        self._waiting: deque[tuple[float, str, dict[str, Any]]] = deque()

    def take(self, at: float, command: str, arguments: dict[str, Any]) -> None:
        """Accept a command that changed the primary at a moment."""
        self._waiting.append((at, command, arguments))

    def catch_up(self) -> None:
        """Carry out everything that is ``lag`` seconds old."""
        now = self._now()
        while self._waiting and self._waiting[0][0] + self._lag <= now:
            at, command, arguments = self._waiting.popleft()
            COMMANDS[command](self, at, arguments)


class _ClockBehind:
    def __init__(self, now: Callable[[], float], lag: float) -> None:
        self._now = now
        self._lag = lag

    def now(self) -> float:
        return self._now() - self._lag
