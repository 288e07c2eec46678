"""Calls: those that batch calls place, and single ones. Both are read off the clock."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, Any

from truedy_sandbox.ids import call_id, digest
from truedy_sandbox.settings import OUTCOMES, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truedy_sandbox.batches import BatchCall

_RINGING = 4  # seconds
_GUIDE_WORDS = {"in_progress": "in-progress", "completed": "ended"}


@dataclass(frozen=True)
class Call:
    """One call: who, when, how long and how it ends; its status follows from the time."""

    id: str
    agent_id: str
    to: str
    sender: str | None
    started_at: float
    length: int
    outcome: str
    batch_id: str | None = None
    contact_id: str | None = None

    @property
    def ends_at(self) -> float:
        """When the call ends."""
        return self.started_at + self.length

    def status(self, now: float, words: str = "g3") -> str:
        """Return the state at a moment."""
        elapsed = now - self.started_at
        if elapsed >= self.length:
            word = self.outcome
        elif elapsed < 1:
            word = "queued"
        else:
            word = "ringing" if elapsed < _RINGING else "in_progress"
        return _GUIDE_WORDS.get(word, word) if words == "guides" else word

    def has_details(self, now: float, settings: Settings) -> bool:
        """Return whether summary, length and cost can be read yet."""
        return now >= self.ends_at + settings.details_delay

    @property
    def summary(self) -> str | None:
        """A summary of the conversation, for calls that were answered."""
        moods = (
            "interested and asked for a follow-up",
            "not interested",
            "asked to be called back next week",
        )
        if self.outcome == "voicemail":
            return "Simulated call: reached the voicemail and left a message."
        if self.outcome != "completed":
            return None
        return f"Simulated call: the contact was {moods[int(digest(self.id)[:4], 16) % 3]}."

    def transcript(self) -> list[dict[str, Any]] | None:
        """Return the transcript, for calls that were answered."""
        if self.outcome != "completed":
            return None
        return [
            {"speaker": "agent", "text": "Hello, this is a simulated call.", "timestamp": 1.0},
            {"speaker": "contact", "text": "Hello.", "timestamp": 3.5},
            {"speaker": "agent", "text": "Thank you for your time. Goodbye.", "timestamp": self.length - 2.0},
        ]


def batch_call_to(batch: BatchCall, index: int, seed: int) -> Call:
    """Return the call to one contact of a batch that was placed."""
    return Call(
        id=call_id(batch.number, index, seed),
        agent_id=batch.agent_id,
        to=batch.roster.number(index),
        sender=batch.from_number(index),
        started_at=batch.dialer.starts[index],
        length=batch.dialer.lengths[index],
        outcome=OUTCOMES[batch.dialer.outcomes[index]],
        batch_id=batch.id,
        contact_id=batch.sources.get(index) or f"cnt_{digest('contact', batch.id, index)[:8]}",
    )


def newest_first(batches: list[BatchCall], singles: list[Call], seed: int) -> Iterator[Call]:
    """Return calls by start, the newest first, without building them all."""
    streams = [_newest_first_of(batch, seed) for batch in batches]
    streams.append(iter(sorted(singles, key=lambda call: -call.started_at)))
    return merge(*streams, key=lambda call: -call.started_at)


def _newest_first_of(batch: BatchCall, seed: int) -> Iterator[Call]:
    return (batch_call_to(batch, index, seed) for index in range(batch.dialer.placed - 1, -1, -1))
