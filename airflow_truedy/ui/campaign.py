"""One campaign as the pages show it: state, counts and times; nobody's number or name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_truedy.api.scrub import scrub
from airflow_truedy.campaigns.identity import bare_name, tag_of, without_markers
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_truedy.api.models import BatchCall


@dataclass(frozen=True)
class Campaign:
    """
    A batch call, without what no page needs.

    :param name: without the tag; what looks like a phone number or an e-mail address in it is masked.
    :param key: the digits of the campaign key in the tag; ``None`` without a tag.
    :param state: its state; :attr:`State.UNKNOWN` for a word that nobody knows.
    :param paused_by_us: whether a task of Airflow paused it, as the marker in its name tells.
    :param called: people called so far; ``None`` where the server does not count, as for the other counts.
    :param scheduled_at: when it starts, or started.
    :param changed_at: its last change, by the server's clock.
    """

    id: str
    name: str
    key: str | None
    state: State
    paused_by_us: bool
    total: int | None
    called: int | None
    completed: int | None
    failed: int | None
    pending: int | None
    timezone: str | None
    scheduled_at: datetime | None
    created_at: datetime | None
    changed_at: datetime | None

    @classmethod
    def of(cls, batch: BatchCall) -> Campaign:
        """Return the campaign of a batch call."""
        tag = tag_of(batch.name)
        return cls(
            id=batch.id,
            name=scrub(bare_name(batch.name)),
            key=tag[1] if tag else None,
            state=State.of(batch.status),
            paused_by_us=tag is not None and without_markers(batch.name or "") != batch.name,
            total=batch.total_contacts,
            called=_called(batch),
            completed=batch.completed,
            failed=batch.failed,
            pending=batch.pending,
            timezone=batch.timezone,
            scheduled_at=batch.scheduled_at,
            created_at=batch.created_at,
            changed_at=batch.updated_at or batch.created_at,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended, so that nothing of it changes any more."""
        return self.state.is_terminal

    @property
    def is_live(self) -> bool:
        """Whether it may still call somebody. A draft calls nobody until somebody schedules it."""
        return not self.is_over and self.state is not State.DRAFT


def _called(batch: BatchCall) -> int | None:
    """Return how many were called; older servers tell only how the calls ended."""
    if batch.called is not None:
        return batch.called
    ended = [count for count in (batch.completed, batch.failed) if count is not None]
    return sum(ended) if ended else None
