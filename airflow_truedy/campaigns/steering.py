"""Steer a batch call that exists: schedule, pause, resume, delete. Each reads the state first and may be done twice."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import NotFoundError
from airflow_truedy.campaigns import holding, steps
from airflow_truedy.campaigns.errors import CampaignError, PastStartError, TimingError, UnsettledError
from airflow_truedy.campaigns.plan import OnPast, PastStartSkip
from airflow_truedy.campaigns.readback import compare_start, start_differences
from airflow_truedy.campaigns.states import State
from airflow_truedy.campaigns.times import UTC, in_words, instant_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall

log = logging.getLogger(__name__)

_IDS_AT_ONCE = 100


class WrongStateError(CampaignError):
    """The batch call is in a state in which what was asked for is impossible, or would mean something else."""


@dataclass(frozen=True)
class Start:
    """
    When a draft is to start, as asked for.

    :param scheduled_at: ISO 8601 text or datetime; a naive value is wall time in ``timezone``. ``None``: at once.
    :param timezone: IANA zone of start, window and days; ``None``: the batch call's own, for a start at once only.
    :param on_past: what a start in the past means.
    """

    scheduled_at: str | datetime | None
    timezone: str | None
    on_past: OnPast = "fail"

    @property
    def moment(self) -> datetime | None:
        """
        The instant to start at; ``None`` for at once.

        :raises TimingError: if it is missing, impossible or ambiguous.
        """
        return instant_of(self.scheduled_at, self.timezone) if self.scheduled_at else None


def check_start_is_stated(scheduled_at: object, schedule_type: object, timezone: object) -> None:
    """
    Refuse a start that would be left to a silent default. Looks only at what is given, so it can run before rendering.

    :raises TimingError: naming what to state.
    """
    if bool(scheduled_at) == (schedule_type == "immediate"):
        raise TimingError(
            "When does the campaign start? Give scheduled_at (and timezone), or schedule_type='immediate' to start "
            "when the task runs; one of them."
        )
    if scheduled_at and not timezone:
        raise TimingError("scheduled_at needs timezone: the IANA zone on whose wall clock it is read.")


def schedule(client: TruedyClient, batch_call_id: str, start: Start, now: datetime | None = None) -> BatchCall:
    """
    Start a draft, once.

    A batch call that is scheduled or started already is only compared.

    :raises WrongStateError: if it ended badly, or is scheduled for another moment.
    :raises PastStartError: if the start has passed and ``on_past`` is not ``"start_now"``.
    :raises ReadBackError: if the server stored another start; the campaign is paused then.
    """
    moment, now = start.moment, now or datetime.now(UTC)
    batch = steps.read(client, batch_call_id)
    state = State.of(batch.status)
    if state is not State.DRAFT:
        return _scheduled_already(batch, moment, start)
    zone = start.timezone or batch.timezone or "UTC"
    at = _not_past(moment, start, batch, now)
    batch = steps.schedule(client, batch, at, zone)
    compare_start(client, batch, at, zone, now)
    return batch


def _not_past(moment: datetime | None, start: Start, batch: BatchCall, now: datetime) -> datetime | None:
    if moment is None or moment > now:
        return moment
    if start.on_past == "start_now":
        return None
    raise (PastStartSkip if start.on_past == "skip" else PastStartError)(
        f"The start of batch call {batch.id}, {in_words(moment, start.timezone)}, has passed. Nothing was started. "
        "on_past='start_now' starts late, 'skip' skips the task."
    )


def _scheduled_already(batch: BatchCall, moment: datetime | None, start: Start) -> BatchCall:
    state = State.of(batch.status)
    if state.ended_badly:
        raise WrongStateError(f"Batch call {batch.id} is {batch.status!r} and cannot be started. Make a new one.")
    # A late start (on_past="start_now") was sent without a moment, so there is none to compare with.
    differences = (
        start_differences(batch, moment, start.timezone) if moment and start.timezone and batch.scheduled_at else []
    )
    if differences:
        raise WrongStateError(
            f"Batch call {batch.id} is {batch.status!r} already, with another start: {'; '.join(differences)}. "
            "Nothing was changed. UpdateBatchCallOperator moves the start of a scheduled or paused one."
        )
    log.info("Batch call %s is %r already; nothing was sent.", batch.id, batch.status)
    return batch


def pause(client: TruedyClient, batch_call_id: str) -> BatchCall:
    """
    Hold all future calls; calls already placed run to their end. What dials nobody any more, or not yet, is left alone.

    One that a kill had paused is paused for good from now on: no next try of its task resumes it.

    :raises UnsettledError: if the server accepts the pause and the campaign goes on, or its next try would resume it.
    """
    batch = steps.read(client, batch_call_id)
    state = State.of(batch.status)
    if state is State.DRAFT or state.is_terminal:
        log.warning("Batch call %s is %r: there is nothing to pause.", batch.id, batch.status)
        return batch
    paused = holding.hold_for_good(client, batch)
    if holding.is_marked(paused):
        raise UnsettledError(
            f"Batch call {paused.id} ({paused.name!r}) is paused, but the words 'paused by Airflow' could not be taken "
            "out of its name: the next try of the task that launched it would resume it. Run this again, or take them "
            "out in the Truedy dashboard."
        )
    return paused


def resume(client: TruedyClient, batch_call_id: str) -> BatchCall:
    """
    Let a paused campaign go on, whoever paused it. One that is going on already, or is completed, is left alone.

    :raises WrongStateError: if it is a draft, or ended badly.
    """
    batch = steps.read(client, batch_call_id)
    state = State.of(batch.status)
    if state is State.DRAFT:
        raise WrongStateError(f"Batch call {batch.id} is a draft: ScheduleBatchCallOperator starts it, not a resume.")
    if state.ended_badly:
        raise WrongStateError(f"Batch call {batch.id} is {batch.status!r} and cannot go on. Make a new one.")
    if state is not State.PAUSED:
        log.info("Batch call %s is %r; nothing was sent.", batch.id, batch.status)
        return batch
    # While it is paused, because some servers rename no active one.
    return steps.resume(client, holding.unmark(client, batch))


@dataclass
class Deletion:
    """
    What became of each batch call that was to be deleted.

    :param deleted: ids that are gone now.
    :param gone: ids that were not there to begin with.
    :param kept: id -> why it is still there.
    """

    deleted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"deleted": self.deleted, "gone": self.gone, "kept": self.kept}


def delete(client: TruedyClient, batch_call_ids: Sequence[str]) -> Deletion:
    """
    Delete drafts, failed and cancelled batch calls; anything else is kept, whatever the server would allow.

    Costs a read for each, and a request for a hundred that may go.
    """
    outcome = Deletion()
    deletable = []
    for batch_call_id in batch_call_ids:
        try:
            state = State.of(steps.read(client, batch_call_id).status)
        except NotFoundError:
            outcome.gone.append(batch_call_id)
            continue
        if state is State.DRAFT or state.ended_badly:
            deletable.append(batch_call_id)
        else:
            outcome.kept[batch_call_id] = f"is {state.value}"
    for first in range(0, len(deletable), _IDS_AT_ONCE):
        piece = deletable[first : first + _IDS_AT_ONCE]
        left = steps.delete(client, piece)
        outcome.deleted += [each for each in piece if each not in left]
        outcome.kept.update(dict.fromkeys(sorted(left), "refused by the server"))
    return outcome
