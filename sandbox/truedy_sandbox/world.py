"""The whole state of a sandbox, and the one door through which it changes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from truedy_sandbox.commands import COMMANDS
from truedy_sandbox.idempotency import KeptAnswers, Remember
from truedy_sandbox.journal import Journal
from truedy_sandbox.problems import Refusal
from truedy_sandbox.replica import Replica
from truedy_sandbox.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from truedy_sandbox.batches import BatchCall
    from truedy_sandbox.clock import VirtualClock
    from truedy_sandbox.settings import Settings


@dataclass(order=True)
class _Late:
    """A command that was accepted and is carried out later; of two for one moment the earlier request goes first."""

    due: float
    number: int
    command: str = field(compare=False)
    arguments: dict[str, Any] = field(compare=False)
    remember: Remember | None = field(compare=False)


class World(State):
    """
    The state, the answers kept for idempotency keys, and the file that both are kept in.

    Each change is a command with plain arguments at a moment of virtual time. The same commands at the same
    moments make the same state, so the state file is the list of commands.

    :param settings: how this sandbox behaves.
    :param clock: virtual time.
    :param state_file: keep the state here; ``None`` keeps it in memory only.
    :raises ValueError: if the state file was made under settings that would replay to another state.
    """

    clock: VirtualClock

    def __init__(self, settings: Settings, clock: VirtualClock, state_file: Path | None = None) -> None:
        lags = {settings.read_lag, settings.list_lag, settings.counter_lag} - {0}
        self._replicas = {lag: Replica(settings, self._now, lag) for lag in lags}
        super().__init__(settings, clock)
        self.journal = Journal(state_file)
        self._load()

    def _now(self) -> float:
        # Asked for at each look: a test may have put another clock in its place.
        return self.clock.now()

    def clear(self) -> None:
        """Forget everything but the settings and the time; the state file keeps it until the next :meth:`reset`."""
        super().clear()
        for replica in self._replicas.values():
            replica.clear()
        self.kept_answers = KeptAnswers()
        self._late: list[_Late] = []
        self._late_made = 0

    def _load(self) -> None:
        entries = self.journal.read()
        head = next(entries, None)
        if head is None:
            self._write_head()
            return
        if head["settings"] != self.settings.replayed():
            raise ValueError(f"the state file was made under other settings: {head['settings']}")
        for entry in entries:
            if "clock" not in entry:
                self._replay(entry)
            head = entry if "clock" in entry else head
        self.clock.restore(head["clock"])

    def _replay(self, entry: dict[str, Any]) -> None:
        remember = Remember.read(entry.get("remember"))
        if "due" in entry:
            self._accept(entry["due"], entry["do"], entry["with"], remember)
            return
        self._carry_out_late(entry["at"])
        self._apply(entry["at"], entry["do"], entry["with"], remember)

    def _write_head(self) -> None:
        self.journal.write({"settings": self.settings.replayed(), "clock": self.clock.anchor()})

    def do(self, command: str, arguments: dict[str, Any], remember: Remember | None = None) -> dict[str, Any]:
        """
        Carry out a command now and keep it before returning.

        :param remember: the idempotency record to keep with it.
        :return: the command's result, plain JSON.
        """
        now = self.clock.now()
        self._carry_out_late(now)
        result = self._apply(now, command, arguments, remember)
        self._write({"at": now}, command, arguments, remember)
        return result

    def do_later(self, delay: float, command: str, arguments: dict[str, Any], remember: Remember | None = None) -> None:
        """
        Accept a command now and carry it out ``delay`` virtual seconds later, if nothing refuses it then.

        :param remember: as in :meth:`do`; if its request was answered in the meantime, the command is dropped.
        """
        due = self.clock.now() + delay
        self._accept(due, command, arguments, remember)
        self._write({"due": due}, command, arguments, remember)

    def _accept(self, due: float, command: str, arguments: dict[str, Any], remember: Remember | None) -> None:
        self._late_made += 1
        heappush(self._late, _Late(due, self._late_made, command, arguments, remember))

    def catch_up(self) -> None:
        """Carry out what was accepted earlier and is due by now."""
        self._carry_out_late(self.clock.now())

    def _carry_out_late(self, until: float) -> None:
        while self._late and self._late[0].due <= until:
            late = heappop(self._late)
            if late.remember and self.kept_answers.find(late.remember.fingerprint):
                continue
            with suppress(Refusal):
                self._apply(late.due, late.command, late.arguments, late.remember)

    def all_batches(self) -> list[BatchCall]:
        """Return all batch calls as they are now, the newest first."""
        self.catch_up()
        return super().all_batches()

    def _write(
        self, when: dict[str, float], command: str, arguments: dict[str, Any], remember: Remember | None
    ) -> None:
        entry = {**when, "do": command, "with": arguments}
        if remember:
            entry["remember"] = remember.as_json()
        self.journal.write(entry)

    def _apply(self, now: float, command: str, arguments: dict[str, Any], remember: Remember | None) -> dict[str, Any]:
        result = COMMANDS[command](self, now, arguments)
        for replica in self._replicas.values():
            replica.take(now, command, arguments)
        if remember:
            self.kept_answers.keep(remember, result)
        return result

    def behind(self, lag: float) -> State:
        """
        Return the state as it was ``lag`` seconds ago.

        :param lag: 0, or one of the lags in the settings.
        """
        if not lag:
            return self
        replica = self._replicas[lag]
        replica.catch_up()
        return replica

    def move_clock(self, *, to: float | None = None, speed: float | None = None) -> None:
        """Move virtual time forward or change its speed."""
        self.clock.change(to=to, speed=speed)
        self.journal.write({"clock": self.clock.anchor()})

    def reset(self) -> None:
        """Forget everything but the settings and the time, in the state file too."""
        self.journal.clear()
        self.clear()
        self._write_head()
