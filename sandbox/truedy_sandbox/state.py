"""What Truedy would know of one organisation: read by everything, changed by commands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from truedy_sandbox.calls import Call, batch_call_to
from truedy_sandbox.contact_book import ContactBook
from truedy_sandbox.dialer import Fate
from truedy_sandbox.ids import read_call_id
from truedy_sandbox.problems import not_found

if TYPE_CHECKING:
    from truedy_sandbox.batches import BatchCall
    from truedy_sandbox.settings import Settings


class Clock(Protocol):
    """Where a state learns what time it is."""

    def now(self) -> float:
        """Return seconds since the epoch."""


class State:
    """
    Batch calls, contacts and calls of one organisation.

    :param settings: how this sandbox behaves.
    :param clock: virtual time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.clear()

    def clear(self) -> None:
        """Forget everything but the settings and the time."""
        settings = self.settings
        self.fate = Fate(settings.seed, settings.outcomes)
        self.batches: dict[str, BatchCall] = {}
        self.by_number: dict[int, BatchCall] = {}
        self.batches_made = 0
        self.book = ContactBook(settings.seed)
        self.single_calls: dict[str, Call] = {}
        self.single_calls_made = 0
        self.deleted_calls: set[str] = set()

    def batch(self, batch_id: str) -> BatchCall:
        """Return a batch call as it is now, or refuse with 404."""
        return self.batch_at(batch_id, self.clock.now())

    def batch_at(self, batch_id: str, now: float) -> BatchCall:
        """Return a batch call as it is at a moment, or refuse with 404."""
        batch = self.batches.get(batch_id)
        if batch is None:
            raise not_found("Batch call")
        batch.advance(now)
        return batch

    def all_batches(self) -> list[BatchCall]:
        """Return all batch calls as they are now, the newest first."""
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
