"""Start, pause, resume and delete a batch call. Each command reads the state first and may be carried out twice."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import (
    NotFoundError,
    TooLateError,
)
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import (
    PastStartError,
    PastStartSkip,
    ReadBackError,
    TimingError,
    UnsettledError,
    WrongStateError,
)
from airflow_truedy.campaigns.pausing import compare_start, pause_and_raise, start_differences
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.timing import UTC, StartStep, in_words, instant_of
from airflow_truedy.zone_data import is_same_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import OnPast

log = logging.getLogger(__name__)

_IDS_AT_ONCE = 100
# A stored start so near is a start at once: the server's clock may differ from ours.
_AT_ONCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Start:
    """
    When a draft is to start, as asked for.

    :param scheduled_at: ISO 8601 text or datetime; a naive value is wall time in ``timezone``. ``None``: at once.
    :param timezone: IANA zone of start, window and days, which must be the draft's; ``None``: the draft's own, for a
        start at once only.
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


def check_same_zone(batch: BatchCall, timezone: str | None) -> None:
    """
    Refuse to read a batch call's window and days in another zone than its own: they would move by hours.

    :raises TimingError: naming both zones. Not if either is not known.
    """
    if batch.timezone and timezone and not is_same_zone(batch.timezone, timezone):
        raise TimingError(
            f"The window and days of batch call {batch.id} ({batch.name!r}) are read in {batch.timezone}; "
            f"timezone={timezone!r} was stated. Nothing was changed. State timezone={batch.timezone!r}; a scheduled_at "
            "with its offset is the same instant in every zone."
        )


def schedule(
    client: TruedyClient,
    batch_call_id: str,
    start: Start,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BatchCall:
    """
    Start a draft, once.

    A batch call that is scheduled or started already is only compared.

    :param now: the clock, in UTC.
    :raises WrongStateError: if it ended badly, is paused or in an unknown state, is scheduled for another moment, or
        calls before the one asked for.
    :raises TimingError: if another zone is stated than the draft's.
    :raises PastStartError: if the start has passed and ``on_past`` is not ``"start_now"``.
    :raises ReadBackError: if the server stored another start; the campaign is paused then.
    """
    moment = start.moment
    batch = steps.read(client, batch_call_id)
    if State.of(batch.status) is not State.DRAFT:
        return _scheduled_already(batch, moment, start, batch.answered_at or now())
    check_same_zone(batch, start.timezone)
    at = _not_past(moment, start, batch, now())
    zone = start.timezone or batch.timezone
    log.info(
        "Batch call %s: the API does not tell its calling window. A draft that was made without start_time and "
        "end_time has none and may call at any hour.",
        batch.id,
    )
    try:
        batch = steps.schedule(client, batch, StartStep(at, zone, not_after=at))
    except TooLateError:
        # The start passed while a rate limit was waited out.
        at = _not_past(moment, start, batch, max(moment or client.now(), client.now()))
        batch = steps.schedule(client, batch, StartStep(at, zone))
    if at is None and (kept := _date_ahead(batch, batch.answered_at or now())) is not None:
        story = f"Batch call {batch.id} ({batch.name!r}) was to start at once; the server stored the start"
        pause_and_raise(client, batch, ReadBackError(f"{story} {in_words(kept, start.timezone)}."))
    # Without a stated zone none was sent, so any that is told is the draft's own.
    compare_start(client, batch, StartStep(at, zone or batch.timezone), now())
    return batch


def _has_begun(batch: BatchCall) -> bool:
    return State.of(batch.status) in (State.ACTIVE, State.COMPLETED)


def _date_ahead(batch: BatchCall, now: datetime) -> datetime | None:
    """Return the start that a campaign waits for; ``None`` if it waits for none or does not tell it."""
    if _has_begun(batch) or batch.scheduled_at is None or batch.scheduled_at <= now + _AT_ONCE:
        return None
    return batch.scheduled_at


def _not_past(moment: datetime | None, start: Start, batch: BatchCall, now: datetime) -> datetime | None:
    if moment is None or moment > now:
        return moment
    if start.on_past == "start_now":
        return None
    raise (PastStartSkip if start.on_past == "skip" else PastStartError)(
        f"The start of batch call {batch.id}, {in_words(moment, start.timezone)}, has passed. Nothing was started. "
        "on_past='start_now' starts late, 'skip' skips the task."
    )


def _scheduled_already(batch: BatchCall, moment: datetime | None, start: Start, now: datetime) -> BatchCall:
    state = State.of(batch.status)
    if state.ended_badly:
        raise WrongStateError(f"Batch call {batch.id} is {batch.status!r} and cannot be started. Make a new one.")
    if state is State.PAUSED:
        raise WrongStateError(
            f"Batch call {batch.id} ({batch.name!r}) is scheduled already and paused, so nobody is called. Nothing was "
            "changed. ResumeBatchCallOperator lets it go on."
        )
    _refuse_unknown(batch)
    if moment is not None and moment <= now and start.on_past == "start_now":
        # A late start was sent as one at once, and the server stored the moment of that.
        moment = None
    if moment is not None and moment > now and _has_begun(batch):
        raise WrongStateError(
            f"Batch call {batch.id} ({batch.name!r}) is {batch.status!r} already, before the start that was asked for, "
            f"{in_words(moment, start.timezone)}. Nothing was changed. PauseBatchCallOperator stops one that calls."
        )
    if moment is None and (waits_for := _date_ahead(batch, now)) is not None:
        differences = [f"start asked for at once, stored {in_words(waits_for, start.timezone)}"]
    elif moment and start.timezone and batch.scheduled_at:
        differences = start_differences(batch, StartStep(moment, start.timezone))
    else:
        differences = []
    if differences:
        raise WrongStateError(
            f"Batch call {batch.id} is {batch.status!r} already, with another start: {'; '.join(differences)}. "
            "Nothing was changed. UpdateBatchCallOperator moves the start of a scheduled or paused one."
        )
    log.info("Batch call %s is %r already; nothing was sent.", batch.id, batch.status)
    return batch


def _refuse_unknown(batch: BatchCall) -> None:
    if State.of(batch.status) is State.UNKNOWN:
        raise WrongStateError(
            f"Batch call {batch.id} is {batch.status!r}, a state that this version does not know: whether it calls "
            "cannot be told. Nothing was changed. Look at it in the Truedy dashboard."
        )


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
    paused = pausing.pause_like_a_person(client, batch)
    if pausing.has_marker(paused):
        raise UnsettledError(
            f"Batch call {paused.id} ({paused.name!r}) is paused, but the words 'paused by Airflow' could not be taken "
            "out of its name: the next try of the task that launched it would resume it. Run this again, or take them "
            "out in the Truedy dashboard."
        )
    return paused


def resume(client: TruedyClient, batch_call_id: str) -> BatchCall:
    """
    Let a paused campaign go on, whoever paused it. One that is going on already, or is completed, is left alone.

    :raises WrongStateError: if it is a draft, ended badly, or is in an unknown state.
    """
    batch = steps.read(client, batch_call_id)
    state = State.of(batch.status)
    if state is State.DRAFT:
        raise WrongStateError(f"Batch call {batch.id} is a draft: ScheduleBatchCallOperator starts it, not a resume.")
    if state.ended_badly:
        raise WrongStateError(f"Batch call {batch.id} is {batch.status!r} and cannot go on. Make a new one.")
    _refuse_unknown(batch)
    if state is not State.PAUSED:
        log.info("Batch call %s is %r; nothing was sent.", batch.id, batch.status)
        return batch
    # While it is paused, because some servers rename no active one.
    return steps.resume(client, pausing.remove_marker(client, batch))


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
