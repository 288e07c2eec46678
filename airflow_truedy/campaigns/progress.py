"""Where a launch keeps what it reached. A comfort, never what the promise rests on: the server can be read instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol


class Store(Protocol):
    """One JSON object that outlives the attempt, or forgets it."""

    def get(self) -> dict[str, Any] | None:
        """Return what was set last, or ``None``."""

    def set(self, value: dict[str, Any]) -> None:
        """Keep ``value`` instead of what was there."""


class NoStore:
    """Forgets everything: every attempt reads the truth from the server."""

    def get(self) -> dict[str, Any] | None:
        """Return ``None``."""
        return None

    def set(self, value: dict[str, Any]) -> None:
        """Do nothing."""


@dataclass
class Progress:
    """
    What one logical campaign has reached.

    :param key: the campaign key it belongs to; progress of another key is none of ours.
    :param fingerprint: fingerprint of the payload.
    :param batch_call_id: the batch call, once known.
    :param sent: contacts whose add the server answered.
    :param accepted: how many of them it took.
    :param in_flight: contacts in an add that was about to be sent and whose answer is not known yet.
    :param in_order: whether they were sent in the list's order, so that ``sent`` says where to go on.
    :param guessed: whether only a count showed that a chunk arrived, so that the list has to be compared at the end.
    :param launched: whether the launch was seen to its end; what happens after that is the business of people.
    :param may_have_called: whether the schedule step was about to be taken. If the batch call is gone after that,
        nobody knows which people it called.
    :param begun: whether a create was about to be sent, by this attempt or an earlier one.
    :param paused_by_us: whether this campaign is paused by us: some servers let no name be changed to show it.
    :param generation: drafts of this campaign that were thrown away.
    """

    key: str
    fingerprint: str
    batch_call_id: str | None = None
    sent: int = 0
    accepted: int = 0
    in_flight: int = 0
    in_order: bool = True
    guessed: bool = False
    launched: bool = False
    generation: int = 0
    begun: bool = False
    may_have_called: bool = False
    paused_by_us: bool = False
    name_limit: int | None = None

    @classmethod
    def load(cls, store: Store, key: str, fingerprint: str) -> Progress:
        """Return the stored progress of ``key``, or a fresh one."""
        kept = store.get()
        if not isinstance(kept, dict) or kept.get("key") != key:
            return cls(key=key, fingerprint=fingerprint)
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in known})

    def save(self, store: Store) -> None:
        """Keep it."""
        store.set(asdict(self))
