"""
Wait for a campaign without doing anything: readings and times go in, an outcome or the next look comes out.

The same object decides in the trigger, in the worker and in the sensor, so they cannot disagree. It sends nothing and
logs nothing; what should be said comes out as notes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_truedy.api.errors import NotFoundError
from airflow_truedy.campaigns import pausing
from airflow_truedy.campaigns.status import State
from airflow_truedy.monitoring.outcome import Counts, Kind, Outcome, Reason, verdict_of
from airflow_truedy.monitoring.pace import LONGEST_STRETCH, is_open, next_look, progress
from airflow_truedy.monitoring.settings import Seen, WatchSettings

if TYPE_CHECKING:
    from airflow_truedy.api.models import BatchCall

# How long a campaign may be unreadable before the wait gives up. A retry of the task then waits for the same campaign.
GIVE_UP_AFTER = 3600.0
# Errors that repeating does not help (key, permission, payment): time for somebody to correct the connection.
GIVE_UP_ON_REFUSAL_AFTER = 300.0
# One 404 may come from a proxy or a replica; a campaign is gone after two.
_READS_TO_BE_GONE = 2
_SOONER = 4


@dataclass(frozen=True)
class Note:
    """Something to say in the task log."""

    level: int
    text: str


@dataclass(frozen=True)
class Look:
    """
    What came of one look.

    :param outcome: how the waiting ended; ``None`` to look again at :attr:`Watch.due`.
    """

    outcome: Outcome | None
    notes: tuple[Note, ...] = ()


class Watch:
    """
    The waiting for one batch call.

    :param settings: how to wait.
    :param seen: what an earlier part of the same wait had seen.
    :param now: the present instant, seconds since 1970; the wait begins here if nothing was seen yet.
    """

    def __init__(self, settings: WatchSettings, seen: Seen | None = None, *, now: float) -> None:
        self.settings = settings
        self.seen = seen or Seen(since=now, due=now)

    @property
    def due(self) -> float:
        """Instant of the next look."""
        return self.seen.due

    def take(self, batch: BatchCall, now: float) -> Look:
        """Take in a reading."""
        notes = self._notes_before(batch)
        moved = self._remember(batch, now)
        outcome = verdict_of(batch, self.settings.rules, now - self.seen.since) or self._early_end(batch, now)
        if moved and outcome is None:
            notes.append(Note(logging.INFO, progress(self.settings, self.seen, now)))
        self.seen.due = next_look(self.settings, self.seen, batch, moved=moved, now=now)
        return Look(outcome, tuple(notes))

    def trouble(self, error: BaseException, now: float) -> Look:
        """Take in that the batch call could not be read: a ``TruedyError``, or what is wrong with the connection."""
        seen, usual = self.seen, self.settings.interval
        can_heal = getattr(error, "retryable", False)
        notes: list[Note] = []
        if isinstance(error, NotFoundError):
            seen.missing += 1
            seen.due = now + usual / _SOONER
            if seen.missing >= _READS_TO_BE_GONE:
                return Look(self._failure(Reason.DELETED, self._is_gone(error), now))
            notes.append(Note(logging.WARNING, f"{error} Looking once more before it counts as deleted."))
        else:
            if seen.failing_at is None:
                seen.failing_at = now
                notes.append(Note(logging.WARNING, f"{error} Waiting on; reading again."))
            seen.due = now + usual
            limit = GIVE_UP_AFTER if can_heal else GIVE_UP_ON_REFUSAL_AFTER
            if now - seen.failing_at >= limit:
                reason = Reason.UNREADABLE if can_heal else Reason.REFUSED
                return Look(self._failure(reason, f"It could not be read for {limit / 60:.0f} minutes: {error}", now))
        if self._is_late(now):
            return Look(self._timeout(now), tuple(notes))
        if self.settings.deadline is not None:
            seen.due = min(seen.due, self.settings.deadline)
        return Look(None, tuple(notes))

    def _is_gone(self, error: NotFoundError) -> str:
        if self.seen.at is None:
            return f"It is not there: deleted, a mistyped id, or another organization's. {error}"
        return f"It was deleted (404, request id {error.request_id}) and calls nobody any more."

    def _notes_before(self, batch: BatchCall) -> list[Note]:
        """Say what a reading tells besides its counters."""
        notes, seen = [], self.seen
        if seen.failing_at is not None or seen.missing:
            notes.append(Note(logging.INFO, f"Batch call {batch.id} can be read again."))
        if State.of(batch.status) is State.UNKNOWN and batch.status != seen.unknown:
            seen.unknown = batch.status
            text = f"Batch call {batch.id} is {batch.status!r}, a state that this version does not know. Waiting on."
            notes.append(Note(logging.WARNING, text))
        if State.of(batch.status) is State.PAUSED and seen.paused_at is None:
            limit = self.settings.max_paused
            until = "until it is resumed" if limit is None else f"for at most {limit:.0f} s"
            notes.append(Note(logging.WARNING, f"Batch call {batch.id} is paused. Waiting {until}."))
        return notes

    def _remember(self, batch: BatchCall, now: float) -> bool:
        """Bring the memory up to date; return whether anything moved since the last look."""
        seen, counts, state = self.seen, Counts.of(batch), State.of(batch.status)
        before = State.of(seen.status)
        moved = seen.at is None or counts != seen.counts or batch.status != seen.status
        passed = self._open_seconds_until(now)
        if passed is None or seen.called_at_first is None:
            seen.called_at_first, seen.open_seconds = counts.called, 0.0
        elif before is state is State.ACTIVE:
            seen.open_seconds += passed
        seen.still = 0.0 if moved or not self._should_call(batch, now) else seen.still + (passed or 0.0)
        seen.paused_at = (seen.paused_at or now) if state is State.PAUSED else None
        seen.failing_at, seen.missing = None, 0
        seen.at, seen.status, seen.counts = now, batch.status, counts
        return moved

    def _open_seconds_until(self, now: float) -> float | None:
        """Return for how long the calling window was open since the last look; ``None`` if nobody looked for long."""
        last = self.seen.at
        if last is None or now - last > self.settings.interval * LONGEST_STRETCH * 2:
            return None  # A triggerer that was down: what happened in between is not known.
        # Only what was open at both ends counts: too little time of a stall is the safe side.
        return now - last if all(is_open(self.settings.window, at) for at in (last, now)) else 0.0

    @staticmethod
    def _should_call(batch: BatchCall, now: float) -> bool:
        state = State.of(batch.status)
        if state is State.SCHEDULED:
            return batch.scheduled_at is not None and batch.scheduled_at.timestamp() <= now
        return state is State.ACTIVE

    def _early_end(self, batch: BatchCall, now: float) -> Outcome | None:
        settings, seen = self.settings, self.seen
        is_paused = seen.paused_at is not None
        if is_paused and settings.key is not None and pausing.is_paused_by_us(settings.key, batch):
            if self._may_go_on(batch, now):
                message = f"Batch call {batch.id} was paused by the kill handler of an earlier attempt; resuming it."
                return self._outcome(Kind.HELD, Reason.PAUSED, message, now)
            return self._timeout(now) if self._is_late(now) else None
        paused_for = 0.0 if seen.paused_at is None else now - seen.paused_at
        if is_paused and settings.max_paused is not None and paused_for >= settings.max_paused:
            story = f"It has been paused for {paused_for:.0f} s (max_paused={settings.max_paused:.0f})."
            return self._failure(Reason.PAUSED, f"{story} Resume it and clear this task.", now)
        if settings.stall_after is not None and seen.still >= settings.stall_after:
            story = f"No counter moved for {seen.still:.0f} s of open calling window"
            return self._failure(Reason.STALLED, f"{story} (stall_after={settings.stall_after:.0f}).", now)
        return self._timeout(now) if self._is_late(now) else None

    def _may_go_on(self, batch: BatchCall, now: float) -> bool:
        """Whether the launch would resume it: before its start, or in its calling window."""
        is_ahead = batch.scheduled_at is not None and batch.scheduled_at.timestamp() > now
        return is_ahead or is_open(self.settings.window, now)

    def _is_late(self, now: float) -> bool:
        return self.settings.deadline is not None and now >= self.settings.deadline

    def _timeout(self, now: float) -> Outcome:
        waited = f"It did not end within the {now - self.seen.since:.0f} s that this task was to wait."
        if self.seen.failing_at is not None:
            waited += f" It could not be read for the last {now - self.seen.failing_at:.0f} s."
        return self._failure(Reason.TIMEOUT, waited, now)

    def _failure(self, reason: Reason, story: str, now: float) -> Outcome:
        last = f"It was {self.seen.status!r} when last read: {self.seen.counts}." if self.seen.at is not None else ""
        message = f"Batch call {self.settings.batch_call_id}: {story} {last}".rstrip()
        return self._outcome(Kind.FAILURE, reason, message, now)

    def _outcome(self, kind: Kind, reason: Reason, message: str, now: float) -> Outcome:
        seen = self.seen
        return Outcome(kind, reason, self.settings.batch_call_id, message, seen.status, seen.counts, now - seen.since)
