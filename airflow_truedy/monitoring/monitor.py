"""
Wait for the end of a campaign: readings and times go in, an outcome or the instant of the next poll comes out.

The same monitor decides in the trigger, in the worker and in the sensor, so they cannot disagree. It neither
sends nor logs: it returns notes for the task's log. Instants are seconds since 1970.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import NotFoundError, UnreadableAnswerError
from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.timing import CallingWindow
from airflow_truedy.monitoring import pace
from airflow_truedy.monitoring.outcome import Counters, Outcome, OutcomeReason, SuccessRules, Verdict, outcome_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_truedy.api.models import BatchCall

DEFAULT_INTERVAL = 60.0
DEFAULT_SETTLE = 15.0
# How long a campaign may be unreadable before the wait gives up. A retry of the task then waits for the same campaign.
GIVE_UP_AFTER = 3600.0
# Errors that repeating does not help (key, permission, payment): time for somebody to correct the connection.
GIVE_UP_ON_REFUSAL_AFTER = 300.0
# One 404 may come from a proxy or a replica; a campaign is gone after two.
_READS_TO_BE_GONE = 2
_SOONER = 4


@dataclass(frozen=True)
class MonitorSettings:
    """
    How to wait for one batch call. All times are seconds.

    :param interval: usual time between two polls.
    :param deadline: instant at which the waiting ends, whatever the campaign does.
    :param max_paused: how long the campaign may be paused; ``None`` waits.
    :param stall_after: how long no counter may move while the calling window is open; ``None`` waits.
    :param window: when calls may be placed.
    :param key: key of the campaign that this task made; its mark tells a pause of ours from a person's.
    :param settle: how old a 404, or counters that speak against a success, must be before they are believed.
    :param resume_from: instant before which a pause of ours stays, because the launch refused to resume it: the window
        tells nothing of days on which nobody may be called.
    """

    batch_call_id: str
    interval: float = DEFAULT_INTERVAL
    deadline: float | None = None
    max_paused: float | None = None
    stall_after: float | None = None
    window: CallingWindow = field(default_factory=CallingWindow)
    rules: SuccessRules = field(default_factory=SuccessRules)
    key: CampaignKey | None = None
    settle: float = DEFAULT_SETTLE
    resume_from: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON: they cross from the worker to the triggerer."""
        window = self.window
        return {
            **asdict(self),
            "window": {
                "zone": window.zone,
                "opens": window.opens and f"{window.opens:%H:%M}",
                "closes": window.closes and f"{window.closes:%H:%M}",
                "days": sorted(window.days),
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MonitorSettings:
        """Read settings of this or another version: unknown keys are ignored, missing ones are the defaults."""
        given = _known(cls, values)
        key, window = given.pop("key", None), given.pop("window", None) or {}
        parts: dict[str, Any] = {
            "window": CallingWindow.of(window.get("zone") or "UTC", *map(window.get, ("opens", "closes", "days"))),
            "rules": SuccessRules(**_known(SuccessRules, given.pop("rules", None) or {})),
            "key": CampaignKey(**_known(CampaignKey, key)) if key else None,
        }
        return cls(**given, **parts)


@dataclass
class MonitorState:
    """
    What a monitor remembers from one poll to the next.

    :param since: instant at which the waiting began.
    :param at: instant of the last answer.
    :param status: the server's word then.
    :param called_at_first: calls at the first poll; the rate is measured from there.
    :param open_seconds: seconds of calling (state active, window open) since the first poll.
    :param still: seconds of open window since a counter moved last.
    :param paused_at: instant since which the campaign is paused.
    :param failing_at: instant since which it cannot be read.
    :param missing: times in a row that the server answered 404.
    :param missing_at: instant of the first of them.
    :param ended_at: instant at which it was first seen ended.
    :param unknown: unknown word for a state that was warned about.
    :param due: instant of the next poll.
    """

    since: float
    at: float | None = None
    status: str = ""
    counts: Counters = field(default_factory=Counters)
    called_at_first: int | None = None
    open_seconds: float = 0.0
    still: float = 0.0
    paused_at: float | None = None
    failing_at: float | None = None
    missing: int = 0
    missing_at: float | None = None
    ended_at: float | None = None
    unknown: str | None = None
    due: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MonitorState:
        """Read a state that this or another version wrote."""
        given = _known(cls, values)
        counts = Counters.from_json(given.pop("counts", None) or {})
        return replace(cls(since=float(given.pop("since", 0.0))), counts=counts, **given)


@dataclass(frozen=True)
class Note:
    """A line for the task's log."""

    level: int
    text: str


@dataclass(frozen=True)
class Poll:
    """What came of one poll: how the waiting ended, or ``None`` to poll again at :attr:`CampaignMonitor.due`."""

    outcome: Outcome | None
    notes: tuple[Note, ...] = ()


class CampaignMonitor:
    """
    The waiting for one batch call.

    :param settings: how to wait.
    :param state: what an earlier part of the same wait remembered.
    :param now: the present instant; the wait begins here if nothing is remembered.
    """

    def __init__(self, settings: MonitorSettings, state: MonitorState | None = None, *, now: float) -> None:
        self.settings = settings
        self.state = state or MonitorState(since=now, due=now)

    @property
    def due(self) -> float:
        """Instant of the next poll."""
        return self.state.due

    def take(self, batch: BatchCall, now: float) -> Poll:
        """Take in a reading."""
        if batch.id != self.settings.batch_call_id:
            # Both ids are opaque, and one may hold anything: the answer is neither believed nor quoted.
            return self.trouble(UnreadableAnswerError("The server answered about another batch call."), now)
        notes = self._notes_before(batch)
        moved = self._remember(batch, now)
        outcome = self._believed(outcome_of(batch, self.settings.rules, now - self.state.since), now, notes)
        if self.state.ended_at is None:
            outcome = self._early_end(batch, now)
        if moved and outcome is None:
            notes.append(Note(logging.INFO, self._progress(now)))
        self.state.due = self._next_poll(batch, moved=moved, now=now)
        return Poll(outcome, tuple(notes))

    def trouble(self, error: BaseException, now: float) -> Poll:
        """Take in that the batch call could not be read: a ``TruedyError``, or what is wrong with the connection."""
        state, usual = self.state, self.settings.interval
        can_heal = getattr(error, "retryable", False)
        notes: list[Note] = []
        if isinstance(error, NotFoundError):
            state.missing += 1
            state.missing_at = now if state.missing_at is None else state.missing_at
            if state.missing >= _READS_TO_BE_GONE and now - state.missing_at >= self.settings.settle:
                story = f"It was deleted (404, request id {error.request_id}) and calls nobody any more."
                if state.at is None:
                    story = f"It is not there: deleted, a mistyped id, or another organization's. {error}"
                return Poll(self._failure(OutcomeReason.DELETED, story, now))
            state.due = now + min(self.settings.settle, usual)
            if state.missing == 1:
                notes.append(Note(logging.WARNING, f"{error} Reading once more before it counts as deleted."))
        else:
            if state.failing_at is None:
                state.failing_at = now
                notes.append(Note(logging.WARNING, f"{error} Waiting on; reading again."))
            state.due = now + usual
            limit = GIVE_UP_AFTER if can_heal else GIVE_UP_ON_REFUSAL_AFTER
            if now - state.failing_at >= limit:
                reason = OutcomeReason.UNREADABLE if can_heal else OutcomeReason.REFUSED
                return Poll(self._failure(reason, f"It could not be read for {limit / 60:.0f} minutes: {error}", now))
        if self._is_late(now):
            return Poll(self._timeout(now), tuple(notes))
        if self.settings.deadline is not None:
            state.due = min(state.due, self.settings.deadline)
        return Poll(None, tuple(notes))

    def _believed(self, outcome: Outcome | None, now: float, notes: list[Note]) -> Outcome | None:
        """
        Return the outcome of a campaign that has ended, once it may be believed.

        Counters may lag behind the state, so those that speak against a success are read again.
        """
        state = self.state
        if outcome is None:
            state.ended_at = None
            return None
        state.ended_at = now if state.ended_at is None else state.ended_at
        if outcome.reason is not OutcomeReason.PARTIAL and outcome.verdict is not Verdict.WARNING:
            return outcome
        if now - state.ended_at >= self.settings.settle or self._is_late(now):
            return outcome
        notes.append(Note(logging.INFO, f"{outcome.message} Its counters may lag; they are read once more."))
        return None

    def _notes_before(self, batch: BatchCall) -> list[Note]:
        """Return what a reading tells besides its counters."""
        notes, state, word = [], self.state, State.of(batch.status)
        if state.failing_at is not None or state.missing:
            notes.append(Note(logging.INFO, f"Batch call {batch.id} can be read again."))
        if word is State.UNKNOWN and batch.status != state.unknown:
            state.unknown = batch.status
            text = f"Batch call {batch.id} is {batch.status!r}, a state that this version does not know. Waiting on."
            notes.append(Note(logging.WARNING, text))
        if word is State.PAUSED and state.paused_at is None:
            limit = self.settings.max_paused
            until = "until it is resumed" if limit is None else f"for at most {limit:.0f} s"
            notes.append(Note(logging.WARNING, f"Batch call {batch.id} is paused. Waiting {until}."))
        return notes

    def _remember(self, batch: BatchCall, now: float) -> bool:
        """Bring the state up to date; return whether anything moved since the last poll."""
        state, counts, word = self.state, Counters.of(batch), State.of(batch.status)
        before = State.of(state.status)
        moved = state.at is None or counts != state.counts or batch.status != state.status
        passed = self._open_seconds_until(now)
        if passed is None or state.called_at_first is None:
            state.called_at_first, state.open_seconds = counts.called, 0.0
        elif before is word is State.ACTIVE:
            state.open_seconds += passed
        state.still = 0.0 if moved or not _should_call(batch, now) else state.still + (passed or 0.0)
        state.paused_at = (state.paused_at or now) if word is State.PAUSED else None
        state.failing_at, state.missing, state.missing_at = None, 0, None
        state.at, state.status, state.counts = now, batch.status, counts
        return moved

    def _open_seconds_until(self, now: float) -> float | None:
        """Return for how long the calling window was open since the last poll; ``None`` after a long gap."""
        last = self.state.at
        if last is None or now - last > self.settings.interval * pace.LONGEST_STRETCH * 2:
            return None  # A triggerer that was down: what happened in between is not known.
        return pace.open_seconds(self.settings.window, last, now)

    def _early_end(self, batch: BatchCall, now: float) -> Outcome | None:
        """Return why the wait ends before the campaign does; ``None`` to wait on."""
        # Here, because it brings the API's models, which are too heavy while a Dag is parsed.
        from airflow_truedy.campaigns import pausing

        settings, state = self.settings, self.state
        is_paused = state.paused_at is not None
        if is_paused and settings.key is not None and pausing.is_paused_by_us(settings.key, batch):
            if self._may_resume(batch, now):
                message = f"Batch call {batch.id} was paused by the kill handler of an earlier attempt; resuming it."
                return self._outcome(Verdict.RESUME, OutcomeReason.PAUSED, message, now)
            return self._timeout(now) if self._is_late(now) else None
        paused_for = 0.0 if state.paused_at is None else now - state.paused_at
        if is_paused and settings.max_paused is not None and paused_for >= settings.max_paused:
            story = f"It has been paused for {paused_for:.0f} s (max_paused={settings.max_paused:.0f})."
            return self._failure(OutcomeReason.PAUSED, f"{story} Resume it and clear this task.", now)
        if settings.stall_after is not None and state.still >= settings.stall_after:
            story = f"No counter moved for {state.still:.0f} s of open calling window"
            return self._failure(OutcomeReason.STALLED, f"{story} (stall_after={settings.stall_after:.0f}).", now)
        return self._timeout(now) if self._is_late(now) else None

    def _may_resume(self, batch: BatchCall, now: float) -> bool:
        """Whether the launch would resume it: before its start, or at an hour at which it may call."""
        is_ahead = batch.scheduled_at is not None and batch.scheduled_at.timestamp() > now
        return is_ahead or (now >= self.settings.resume_from and pace.is_open(self.settings.window, now))

    def _next_poll(self, batch: BatchCall, *, moved: bool, now: float) -> float:
        """
        Return the instant of the next poll.

        Later than usual while nothing can happen (before the start, outside the calling window), sooner when the end is
        near, and never after a limit.
        """
        settings, state = self.settings, self.state
        ended = state.ended_at is not None
        usual = min(settings.settle, settings.interval) if ended else self._pause(batch, moved, now)
        limits = [now + usual]
        if settings.deadline is not None:
            limits.append(settings.deadline)
        if settings.max_paused is not None and state.paused_at is not None:
            # One that has passed is waited through by a campaign that we hold while its window is closed.
            limits += [limit for limit in (state.paused_at + settings.max_paused,) if limit > now]
        return max(min(limits), now + min(1.0, settings.interval / _SOONER))

    def _pause(self, batch: BatchCall, moved: bool, now: float) -> float:
        settings, state = self.settings, State.of(batch.status)
        usual = settings.interval
        if state in (State.SCHEDULED, State.ACTIVE, State.PAUSED):
            begins = batch.scheduled_at.timestamp() if state is State.SCHEDULED and batch.scheduled_at else now
            idle = pace.opening(settings.window, max(begins, now)) - now
            # Counters that move say more than any window: calls run on after its end.
            if idle > 0 and not moved:
                return min(max(usual, idle), usual * pace.LONGEST_STRETCH)
        end = self._expected_end(now)
        if end is not None and end - now < 2 * usual:
            return min(usual, max(usual / _SOONER, end - now))
        return usual

    def _calls_per_second(self) -> float | None:
        """Return the rate while the campaign was calling, ``None`` while it is not known."""
        state = self.state
        if state.called_at_first is None or state.counts.called is None or state.open_seconds <= 0:
            return None
        return (state.counts.called - state.called_at_first) / state.open_seconds or None

    def _expected_end(self, now: float) -> float | None:
        """Return when the last contact should be called at the present rate, with the window's breaks."""
        rate, left = self._calls_per_second(), self.state.counts.left
        if rate is None or left is None or State.of(self.state.status) is not State.ACTIVE:
            return None
        return pace.after_open_seconds(self.settings.window, now, left / rate)

    def _progress(self, now: float) -> str:
        """Return one line for the task's log."""
        counts, rate, end = self.state.counts, self._calls_per_second(), self._expected_end(now)
        share = f" ({counts.called / counts.total_contacts:.0%})" if counts.called and counts.total_contacts else ""
        parts = [f"Batch call {self.settings.batch_call_id} is {self.state.status}: {counts}{share}"]
        if rate is not None:
            parts.append(f"{rate * 3600:.0f} calls an hour")
        if end is not None:
            parts.append(f"end expected {pace.in_zone(self.settings.window, end)}")
        return "; ".join(parts) + "."

    def _is_late(self, now: float) -> bool:
        return self.settings.deadline is not None and now >= self.settings.deadline

    def _timeout(self, now: float) -> Outcome:
        waited = f"It did not end within the {now - self.state.since:.0f} s that this task was to wait."
        if self.state.failing_at is not None:
            waited += f" It could not be read for the last {now - self.state.failing_at:.0f} s."
        return self._failure(OutcomeReason.TIMEOUT, waited, now)

    def _failure(self, reason: OutcomeReason, story: str, now: float) -> Outcome:
        state = self.state
        last = f"It was {state.status!r} when last read: {state.counts}." if state.at is not None else ""
        message = f"Batch call {self.settings.batch_call_id}: {story} {last}".rstrip()
        return self._outcome(Verdict.FAILURE, reason, message, now)

    def _outcome(self, verdict: Verdict, reason: OutcomeReason, message: str, now: float) -> Outcome:
        state = self.state
        return Outcome(
            verdict, reason, self.settings.batch_call_id, message, state.status, state.counts, now - state.since
        )


def _should_call(batch: BatchCall, now: float) -> bool:
    state = State.of(batch.status)
    if state is State.SCHEDULED:
        return batch.scheduled_at is not None and batch.scheduled_at.timestamp() <= now
    return state is State.ACTIVE


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
