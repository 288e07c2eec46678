"""
Pause a campaign, tell our own pause from a person's, and compare what was started with what was asked for.

A campaign paused by us carries the pause marker in its name, because that is the one thing that a trigger's or worker's
kill handler can write and the next attempt can read, with or without a store.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, OutcomeUnknownError
from airflow_truedy.api.models import BatchCallUpdate
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.errors import CampaignError, NotPausedError, ReadBackError
from airflow_truedy.campaigns.identity import without_markers
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.steps import PATIENT, Settling
from airflow_truedy.campaigns.timing import StartStep, in_words
from airflow_truedy.zone_data import is_same_zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey

log = logging.getLogger(__name__)

_TRIES = 3
_RESUME = "resume it in the Truedy dashboard or with ResumeBatchCallOperator"
# A kill handler has no time for a server whose reads lag by more.
_IN_A_HURRY = Settling(2.0)
_NONE = Settling(0)
# How far the server's clock and ours may be apart.
_CLOCK_SKEW = timedelta(minutes=2)


def is_paused_by_us(key: CampaignKey, batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it."""
    tag = key.tag_in(batch.name)
    return tag is not None and tag.paused_by_us


def has_marker(batch: BatchCall) -> bool:
    """Whether the batch call's name has a marker of ours, whichever campaign's tag it has."""
    name = batch.name or ""
    return without_markers(name) != name


def pause_with_marker(
    client: TruedyClient,
    key: CampaignKey,
    batch: BatchCall,
    settling: Settling = PATIENT,
    *,
    keep: Callable[[], None] | None = None,
) -> steps.Taken:
    """
    Pause a started campaign so that the next attempt resumes it; a pause that somebody else made is left alone.

    Paused first, marked then: who dies between the two leaves a pause that looks like a person's, and stays. The other
    way round a person's pause could come between the two, look like ours and be undone. Nothing is read between the
    two, so that the gap is as short as it can be.

    :param keep: called between the two, to keep in a store that the pause is ours.
    :return: the batch call, and whether the pause is ours.
    :raises NotPausedError: if the server does not let it be paused.
    """
    marked = batch

    def mark() -> None:
        nonlocal marked
        if keep:
            keep()
        marked = _marked(client, key, batch)

    try:
        taken = steps.pause(client, batch, settling, when_ours=mark)
    except (InvalidRequestError, ConflictError) as refused:
        state = State.of(steps.read(client, batch.id).status)
        raise NotPausedError(
            f"Batch call {batch.id} is {state.value!r} and cannot be paused: {refused} Stop it in the Truedy dashboard."
        ) from refused
    if not taken.by_us:
        log.warning("Batch call %s was paused by somebody else; that pause is left alone.", batch.id)
        return taken
    log.info("Batch call %s is paused by Airflow.", batch.id)
    return steps.Taken(taken.batch.model_copy(update={"name": marked.name}), by_us=True)


def _marked(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """Set the pause marker; return the batch call with the name that it has then."""
    marked = key.with_pause_marker(batch.name or "")
    renamed = _rename(client, batch, marked)
    if renamed is None:
        return batch
    stored = batch.model_copy(update={"name": renamed.name or marked})
    if key.tag_in(batch.name) and not key.tag_in(stored.name):
        _rename(client, stored, batch.name or "")
        return batch
    return stored


def resume_our_pause(
    client: TruedyClient,
    batch: BatchCall,
    *,
    not_after: datetime | None = None,
    settling: Settling = PATIENT,
) -> BatchCall:
    """
    Let a campaign go on that we paused ourselves, not later than ``not_after``.

    The marker goes while the campaign is still paused, because some servers rename no active one. Who dies between the
    two leaves a pause that looks like a person's: the campaign stays paused, the safe side.
    """
    # Returned as read afresh: the kill handler that set the marker may have paused it only now.
    resumed = steps.resume(client, remove_marker(client, batch, settling), not_after=not_after, settling=settling)
    log.info("Batch call %s goes on (%s).", batch.id, resumed.status)
    # The reading before the resume may have been too old to show the marker.
    return remove_marker(client, resumed, settling)


def pause_like_a_person(client: TruedyClient, batch: BatchCall, settling: Settling = PATIENT) -> BatchCall:
    """
    Pause a started campaign for good, also one that we paused before: no attempt of ours resumes it.

    :return: the batch call as read last; see :func:`has_marker` for whether the marker could be taken away.
    """
    # Paused first: some servers rename no active one.
    return remove_marker(client, steps.pause(client, batch, settling).batch, settling)


def remove_marker(client: TruedyClient, batch: BatchCall, settling: Settling = PATIENT) -> BatchCall:
    """
    Take pause and hold marker out of a batch call's name, if they are there, and return the batch call as it is then.

    One that stayed behind would make a person's later pause look like ours, and it would be undone.
    """
    batch = change_name(client, batch, without_markers, settling)
    if has_marker(batch):
        log.warning(
            "Batch call %s (%r) keeps the words 'paused by Airflow' in its name: the next try of its task would resume "
            "it, whoever pauses it. Take these words out of the name in the Truedy dashboard, not the rest of the tag.",
            batch.id,
            batch.name,
        )
    return batch


def change_name(
    client: TruedyClient, batch: BatchCall, change: Callable[[str], str], settling: Settling = PATIENT
) -> BatchCall:
    """
    Change a batch call's name, as far as the server lets it be changed, and return the batch call as it is then.

    An answer with the new name is believed. Anything else is read back and repeated.

    :param change: makes the new name of the present one; of its own result it makes the same again.
    """

    def is_done(seen: BatchCall) -> bool:
        return change(seen.name or "") == (seen.name or "")

    for _ in range(_TRIES):
        if is_done(batch):
            break
        renamed = _rename(client, batch, change(batch.name or ""))
        if renamed is not None and renamed.name and renamed.status:
            # The state too: a kill handler may have paused it only now.
            batch = batch.model_copy(update={"name": renamed.name, "status": renamed.status})
            continue
        batch = (_NONE if renamed is None else settling).read(client, batch.id, is_done)
    return batch


def _rename(client: TruedyClient, batch: BatchCall, name: str) -> BatchCall | None:
    """Rename the batch call; return the answer, ``None`` if it was refused (servers differ in which states) or lost."""
    if name == (batch.name or ""):
        return batch
    try:
        return client.send(endpoints.update_batch_call(batch.id, BatchCallUpdate(name=name)))
    except (InvalidRequestError, ConflictError, OutcomeUnknownError) as refused:
        log.info("Batch call %s (%s) keeps its name for now: %s.", batch.id, batch.status, type(refused).__name__)
        return None


def pause_for_kill(client: TruedyClient, key: CampaignKey, batch_call_id: str) -> str:
    """
    Pause a campaign whose task was killed, so that the task's next attempt resumes it.

    :return: what was done and how to undo it.
    :raises NotPausedError: if the server does not let it be paused.
    """
    batch = steps.read(client, batch_call_id)
    if State.of(batch.status) is State.PAUSED:
        return f"Batch call {batch.id} is paused already; it was left as it is. To let it go on, {_RESUME}."
    if (left_alone := _left_alone(batch.id, batch.status)) is not None:
        return left_alone
    taken = pause_with_marker(client, key, batch, _IN_A_HURRY)
    if not taken.by_us:
        return (
            f"Batch call {batch_call_id} was paused by somebody else; it was left as it is. To let it go on, {_RESUME}."
        )
    return (
        f"Batch call {batch_call_id} is paused because its task was killed; calls already placed run to their end. "
        f"The task's next try or a cleared task resumes it, or {_RESUME}."
    )


def pause_for_good(client: TruedyClient, batch_call_id: str) -> str:
    """
    Pause a campaign that took too long, also one that a kill had paused: a retry or a cleared task does not resume it.

    :return: what was done and how to undo it.
    """
    batch = steps.read(client, batch_call_id)
    if (left_alone := _left_alone(batch.id, batch.status)) is not None:
        return left_alone
    pause_like_a_person(client, batch)
    return f"Batch call {batch_call_id} is paused; to let it go on, {_RESUME}."


def pause_and_raise(
    client: TruedyClient, batch: BatchCall, why: CampaignError, settling: Settling = PATIENT
) -> NoReturn:
    """
    Pause a campaign for good and raise ``why``, saying so. A draft and an ended one need no pause.

    :raises NotPausedError: if it could not be paused.
    """
    state = State.of(batch.status)
    if state is State.DRAFT or state.is_terminal:
        raise why
    try:
        pause_like_a_person(client, batch, settling)
    except Exception as failure:
        raise NotPausedError(f"{why} It could NOT be paused ({failure}): stop it in the Truedy dashboard.") from why
    raise type(why)(f"{why} The campaign is paused. Correct it and resume it, or delete it.")


def _left_alone(batch_call_id: str, status: str) -> str | None:
    """Say why nothing has to be paused; ``None`` if something has."""
    state = State.of(status)
    if state is State.DRAFT:
        return f"Batch call {batch_call_id} is a draft and dials nobody; it was left as it is."
    if state.is_terminal:
        return f"Batch call {batch_call_id} has ended ({status}); there is nothing to pause."
    return None


def compare_start(
    client: TruedyClient,
    batch: BatchCall,
    step: StartStep,
    now: datetime,
    settling: Settling = PATIENT,
) -> None:
    """
    Compare start and zone of a campaign, as read after the schedule step, with what was sent; pause it if they differ.

    :raises ReadBackError: if start or zone differ, or it calls before its start.
    """
    at, differences = step.at, start_differences(batch, step)
    # By the server's own clock where it tells it: that is what it goes by.
    now = batch.answered_at or now
    if at is not None and at - now > _CLOCK_SKEW and State.of(batch.status) in (State.ACTIVE, State.COMPLETED):
        differences.append(f"start sent {in_words(at, step.timezone)}, but it is {batch.status!r} now")
    if differences:
        story = f"The server has another start for batch call {batch.id} ({batch.name!r}) than was sent"
        pause_and_raise(client, batch, ReadBackError(f"{story}: {'; '.join(differences)}."), settling)


def start_differences(batch: BatchCall, step: StartStep) -> list[str]:
    """Return in words how the stored start and zone differ from what was sent; nothing if they do not."""
    differences = []
    at, told, timezone = step.at, batch.scheduled_at, step.timezone
    if at is not None and (told is None or at.replace(microsecond=0) != told.replace(microsecond=0)):
        # A start that the server does not tell cannot be compared, and it may be "at once".
        stored = "none" if told is None else in_words(told, timezone)
        differences.append(f"start sent {in_words(at, timezone)}, stored {stored}")
    if batch.timezone and timezone and not is_same_zone(batch.timezone, timezone):
        differences.append(f"timezone sent {timezone}, stored {batch.timezone}")
    return differences
