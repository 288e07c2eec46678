"""What became of a campaign: one verdict for the operator, the sensor and the trigger, and its form as an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.errors import CampaignError
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from airflow_truedy.api.models import BatchCall

EVENT_VERSION = 1
# Shares are floats: 0.1 + 0.2 calls of 0.3 must be enough.
_TINY = 1e-9


class Verdict(str, Enum):
    """
    How the task ends.

    After ``RESUME`` the task continues: our own kill handler paused the campaign while this attempt waits for it. The
    attempt reconciles the campaign again, which resumes it, and waits on.
    """

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    RESUME = "resume"


class OutcomeReason(str, Enum):
    """Why the waiting ended."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    PAUSED = "paused"
    STALLED = "stalled"
    TIMEOUT = "timeout"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    NOT_UNDERSTOOD = "not_understood"


# After these the campaign may be going on; waiting again makes sense and starts nothing twice.
_WORTH_A_RETRY = frozenset({OutcomeReason.UNREADABLE, OutcomeReason.NOT_UNDERSTOOD})


class UnsuccessfulError(CampaignError):
    """The campaign did not end as it should, or did not end in time. A retry would wait for the same campaign."""


class StoppedEarlyError(CampaignError):
    """The campaign ended failed or cancelled, and the task may make a new one."""

    retryable: ClassVar[bool] = True


class WaitInterruptedError(CampaignError):
    """It is unknown how the campaign ends: it could not be read, or the task was killed. A retry waits on."""

    retryable: ClassVar[bool] = True


@dataclass(frozen=True)
class Counters:
    """The counters of a batch call; ``None`` where the server does not tell."""

    total_contacts: int | None = None
    called: int | None = None
    completed: int | None = None
    failed: int | None = None
    pending: int | None = None

    @classmethod
    def of(cls, batch: BatchCall) -> Counters:
        """Read them from a batch call. Sums are not checked: calls in progress appear in none of them."""
        called = batch.called
        if called is None and batch.completed is not None and batch.failed is not None:
            called = batch.completed + batch.failed
        return cls(batch.total_contacts, called, batch.completed, batch.failed, batch.pending)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Counters:
        """Read them back; what is missing, or not a number, is not known."""
        known = {field.name: values.get(field.name) for field in fields(cls)}
        return cls(**{name: value for name, value in known.items() if isinstance(value, int)})

    @property
    def left(self) -> int | None:
        """Contacts that are still to be called."""
        if self.pending is not None:
            return self.pending
        if self.total_contacts is None or self.called is None:
            return None
        return max(0, self.total_contacts - self.called)

    def __str__(self) -> str:
        def known(count: int | None) -> str:
            return "?" if count is None else str(count)

        return (
            f"{known(self.called)} of {known(self.total_contacts)} called, {known(self.completed)} completed, "
            f"{known(self.failed)} failed, {known(self.pending)} pending"
        )


@dataclass(frozen=True)
class SuccessRules:
    """
    When a completed campaign is a success. Without rules every completed campaign is one.

    :param min_called: least calls: a number, or a share of all contacts (a float from 0.0 to 1.0).
    :param max_failed: most failed calls: a number, or a share of the calls (a float from 0.0 to 1.0).
    :param on_partial: whether a broken rule is a failure (``fail``) or a success with a warning (``warn``).
    :raises InvalidPayloadError: for anything else.
    """

    min_called: float | None = None
    max_failed: float | None = None
    on_partial: str = "fail"

    def __post_init__(self) -> None:
        problems = [
            (name, repr(getattr(self, name)), "a whole number, or a share from 0.0 to 1.0")
            for name in ("min_called", "max_failed")
            if not is_limit(getattr(self, name))
        ]
        if self.on_partial not in ("fail", "warn"):
            problems.append(("on_partial", repr(self.on_partial), "fail or warn"))
        if problems:
            raise InvalidPayloadError("invalid success rules", problems=problems)

    def broken(self, counts: Counters) -> list[str]:
        """Return each broken rule in words. A rule that the counts cannot prove is broken."""
        broken = []
        if self.min_called is not None:
            # A share of zero contacts proves nothing: a server that lost the list would satisfy every rule.
            least = _limit(self.min_called, counts.total_contacts or None)
            if least is None or counts.called is None or counts.called < least - _TINY:
                broken.append(f"min_called={self.min_called} is not met")
        if self.max_failed is not None:
            most = _limit(self.max_failed, counts.called)
            if most is None or counts.failed is None or counts.failed > most + _TINY:
                broken.append(f"max_failed={self.max_failed} is exceeded or not known")
        return broken


def is_limit(value: object) -> bool:
    """Whether a value is a whole number, or a share from 0.0 to 1.0, or nothing."""
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return False
    return value <= 1 or float(value).is_integer()


def _limit(value: float, whole: int | None) -> float | None:
    """Turn a share into a number; ``None`` where the whole is not known."""
    if isinstance(value, float) and value <= 1:
        return None if whole is None else value * whole
    return value


@dataclass(frozen=True)
class Outcome:
    """
    How the waiting ended, and what the campaign looked like then.

    :param status: the server's own word, as read last.
    :param duration: seconds since the waiting for this campaign began.
    """

    verdict: Verdict
    reason: OutcomeReason
    batch_call_id: str
    message: str
    status: str = ""
    counts: Counters = field(default_factory=Counters)
    duration: float | None = None

    @property
    def retryable(self) -> bool:
        """Whether the next try of the task can end differently by itself."""
        return self.reason in _WORTH_A_RETRY

    def error(self, *, may_launch_anew: bool = False) -> CampaignError:
        """
        Return the error to raise for a failure.

        :param may_launch_anew: whether a retry makes a new campaign after one that failed or was cancelled.
        """
        if may_launch_anew and self.reason in (OutcomeReason.FAILED, OutcomeReason.CANCELLED):
            return StoppedEarlyError(self.message)
        return (WaitInterruptedError if self.retryable else UnsuccessfulError)(self.message)

    def summary(self) -> dict[str, Any]:
        """Return what downstream tasks need: plain JSON without personal data."""
        return {
            "batch_call_id": self.batch_call_id,
            "status": self.status,
            "outcome": self.verdict.value,
            **asdict(self.counts),
            "waited_seconds": None if self.duration is None else round(self.duration, 1),
        }

    def to_event(self) -> dict[str, Any]:
        """Return the payload of the trigger's event: plain JSON, versioned."""
        return {
            "version": EVENT_VERSION,
            "status": self.verdict.value,
            "reason": self.reason.value,
            "batch_call_id": self.batch_call_id,
            "batch_call_status": self.status,
            **asdict(self.counts),
            "duration_seconds": self.duration,
            "message": self.message,
        }

    @classmethod
    def from_event(cls, event: object, expected: str | None = None) -> Outcome:
        """
        Read an event of this or an older version. Unknown keys are ignored; missing counts are ``None``.

        An event that cannot be read, or is about another batch call, becomes a failure that a retry may heal: it waits
        for the same campaign again.

        :param expected: the batch call that was waited for, where that is known.
        """
        given = event if isinstance(event, Mapping) else {}
        batch_call_id = str(given.get("batch_call_id") or "(unknown)")
        try:
            verdict = Verdict(given.get("status"))
            if expected is not None and batch_call_id != expected:
                raise ValueError("another batch call")
        except ValueError:
            return cls(
                Verdict.FAILURE,
                OutcomeReason.NOT_UNDERSTOOD,
                batch_call_id,
                f"The trigger's event about batch call {batch_call_id} is not understood (status "
                f"{given.get('status')!r}, version {given.get('version')!r}): the triggerer may run another version of "
                "airflow-provider-truedy. Nothing was changed; a retry waits for the same campaign.",
            )
        duration = given.get("duration_seconds")
        return cls(
            verdict,
            _reason(given.get("reason"), verdict),
            batch_call_id,
            str(given.get("message") or f"Batch call {batch_call_id}: {verdict.value}."),
            str(given.get("batch_call_status") or ""),
            Counters.from_json(given),
            float(duration) if isinstance(duration, (int, float)) else None,
        )


def _reason(word: object, verdict: Verdict) -> OutcomeReason:
    try:
        return OutcomeReason(word)
    except ValueError:
        return OutcomeReason.COMPLETED if verdict in (Verdict.SUCCESS, Verdict.WARNING) else OutcomeReason.FAILED


def outcome_of(batch: BatchCall, rules: SuccessRules, duration: float | None = None) -> Outcome | None:
    """
    Say how a campaign ended; ``None`` while it has not.

    ``completed`` is the server's word for "nothing more will be called", not for "everybody was reached": the rules
    decide. ``failed`` and ``cancelled`` are failures whatever the counts say.
    """
    state, counts = State.of(batch.status), Counters.of(batch)
    if not state.is_terminal:
        return None
    told = f"Batch call {batch.id} is {batch.status}: {counts}."

    def outcome(verdict: Verdict, reason: OutcomeReason, message: str) -> Outcome:
        return Outcome(verdict, reason, batch.id, message, batch.status, counts, duration)

    if state.ended_badly:
        return outcome(Verdict.FAILURE, OutcomeReason(state.value), f"{told} It will call nobody any more.")
    broken = rules.broken(counts)
    if broken:
        verdict = Verdict.FAILURE if rules.on_partial == "fail" else Verdict.WARNING
        return outcome(verdict, OutcomeReason.PARTIAL, f"{told} {'; '.join(broken)}.")
    if _is_left_over(counts):
        return outcome(
            Verdict.WARNING, OutcomeReason.COMPLETED, f"{told} Not everybody was called; no rule forbids that."
        )
    return outcome(Verdict.SUCCESS, OutcomeReason.COMPLETED, told)


def _is_left_over(counts: Counters) -> bool:
    if counts.pending:
        return True
    return counts.called is not None and counts.total_contacts is not None and counts.called < counts.total_contacts
