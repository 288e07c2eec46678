"""The whole state of a sandbox, and the one door through which it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_truedy.sandbox.calls import Call, batch_call_to
from airflow_truedy.sandbox.commands import COMMANDS
from airflow_truedy.sandbox.contact_book import ContactBook
from airflow_truedy.sandbox.dialer import Fate
from airflow_truedy.sandbox.idempotency import KeptAnswers, Remember
from airflow_truedy.sandbox.ids import read_call_id
from airflow_truedy.sandbox.journal import Journal
from airflow_truedy.sandbox.problems import not_found

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_truedy.sandbox.batches import BatchCall
    from airflow_truedy.sandbox.clock import VirtualClock
    from airflow_truedy.sandbox.settings import Settings


class World:
    """
    Everything that Truedy would know of one organisation.

    Each change is a command with plain arguments at a moment of virtual time. The same commands at the same
    moments make the same state, so the state file is the list of commands.

    :param settings: how this sandbox behaves.
    :param clock: virtual time.
    :param state_file: keep the state here; ``None`` keeps it in memory only.
    :raises ValueError: if the state file was made under settings that would replay to another state.
    """

    def __init__(self, settings: Settings, clock: VirtualClock, state_file: Path | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(state_file)
        self._clear()
        self._load()

    def _clear(self) -> None:
        settings = self.settings
        self.fate = Fate(settings.seed, settings.outcomes)
        self.batches: dict[str, BatchCall] = {}
        self.by_number: dict[int, BatchCall] = {}
        self.batches_made = 0
        self.book = ContactBook(settings.seed)
        self.single_calls: dict[str, Call] = {}
        self.single_calls_made = 0
        self.deleted_calls: set[str] = set()
        self.kept_answers = KeptAnswers()

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
                self._apply(entry["at"], entry["do"], entry["with"], Remember.read(entry.get("remember")))
            head = entry if "clock" in entry else head
        self.clock.restore(head["clock"])

    def _write_head(self) -> None:
        self.journal.write({"settings": self.settings.replayed(), "clock": self.clock.anchor()})

    def do(self, command: str, arguments: dict[str, Any], remember: Remember | None = None) -> dict[str, Any]:
        """
        Carry out a command now and keep it before returning.

        :param remember: the idempotency record to keep with it.
        :return: the command's result, plain JSON.
        """
        now = self.clock.now()
        result = self._apply(now, command, arguments, remember)
        entry = {"at": now, "do": command, "with": arguments}
        if remember:
            entry["remember"] = remember.as_json()
        self.journal.write(entry)
        return result

    def _apply(self, now: float, command: str, arguments: dict[str, Any], remember: Remember | None) -> dict[str, Any]:
        result = COMMANDS[command](self, now, arguments)
        if remember:
            self.kept_answers.keep(remember, result)
        return result

    def move_clock(self, *, to: float | None = None, speed: float | None = None) -> None:
        """Move virtual time forward or change its speed."""
        self.clock.change(to=to, speed=speed)
        self.journal.write({"clock": self.clock.anchor()})

    def reset(self) -> None:
        """Forget everything but the settings and the time."""
        self.journal.clear()
        self._clear()
        self._write_head()

    def batch(self, batch_id: str) -> BatchCall:
        """Return a batch call as it stands now, or refuse with 404."""
        return self.batch_at(batch_id, self.clock.now())

    def batch_at(self, batch_id: str, now: float) -> BatchCall:
        """Return a batch call as it stands at a moment, or refuse with 404."""
        batch = self.batches.get(batch_id)
        if batch is None:
            raise not_found("Batch call")
        batch.advance(now)
        return batch

    def all_batches(self) -> list[BatchCall]:
        """Return all batch calls as they stand now, the newest first."""
        now = self.clock.now()
        for batch in self.batches.values():
            batch.advance(now)
        return list(reversed(self.batches.values()))

    def call(self, call_id: str, now: float) -> Call:
        """Return a call placed by a moment, or refuse with 404."""
        if call_id in self.single_calls:
            return self.single_calls[call_id]
        place = read_call_id(call_id, self.settings.seed)
        batch = self.by_number.get(place[0]) if place else None
        if place is None or batch is None or call_id in self.deleted_calls:
            raise not_found("Call")
        batch.advance(now)
        if place[1] >= batch.dialer.placed:
            raise not_found("Call")
        return batch_call_to(batch, place[1], self.settings.seed)
