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
from airflow_truedy.campaigns.errors import CampaignError, CountMismatchError, NotPausedError, ReadBackError
from airflow_truedy.campaigns.identity import without_pause_marker
from airflow_truedy.campaigns.schedule import in_words
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.upload import check_count

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey
    from airflow_truedy.campaigns.plan import CampaignPlan

log = logging.getLogger(__name__)

_TRIES = 3
_RESUME = "resume it in the Truedy dashboard or with ResumeBatchCallOperator"
# How far the server's clock and ours may be apart.
_CLOCK_SKEW = timedelta(minutes=2)


def is_paused_by_us(key: CampaignKey, batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it (also just before or after the pause itself)."""
    tag = key.tag_in(batch.name)
    return tag is not None and tag.paused_by_us


def has_marker(batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it, whichever campaign's tag it has."""
    name = batch.name or ""
    return without_pause_marker(name) != name


def pause_with_marker(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """
    Pause a started campaign so that the next attempt knows to resume it.

    :raises NotPausedError: if the server does not let it be paused.
    """
    # The mark first: a pause without a mark would look like a person's.
    marked_name = key.with_pause_marker(batch.name or "", paused_by_us=True)
    _rename(client, batch, marked_name)
    try:
        held = steps.pause(client, batch)
    except (InvalidRequestError, ConflictError) as refused:
        state = State.of(steps.read(client, batch.id).status)
        raise NotPausedError(
            f"Batch call {batch.id} is {state.value!r} and cannot be paused: {refused} Stop it in the Truedy dashboard."
        ) from refused
    if not is_paused_by_us(key, held):
        # Some servers let a paused campaign be renamed, but no active one; and the next attempt may have come between
        # the two steps and taken the mark away.
        _rename(client, held, marked_name)
    log.info("Batch call %s is paused by Airflow.", batch.id)
    return held


def resume_our_pause(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """
    Let a campaign go on that we paused ourselves.

    The mark goes while the campaign is still paused, because some servers rename no active one, and a mark left behind
    would make a person's later pause look like ours. Who dies between the two leaves a pause that looks like a
    person's: the store tells (a launch not seen to its end); without one the campaign stays paused, the safe side.
    """
    if is_paused_by_us(key, batch):
        # Returned as read afresh: the kill handler that set the mark may have paused it only now.
        batch = remove_marker(client, batch)
    resumed = steps.resume(client, batch)
    log.info("Batch call %s goes on (%s).", batch.id, resumed.status)
    return resumed


def leave_to_a_person(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """Leave a campaign that we paused for a person to resume: no attempt of ours touches it any more."""
    return remove_marker(client, batch) if is_paused_by_us(key, batch) else batch


def pause_like_a_person(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """
    Pause a started campaign like a person would, also one that we paused before: no attempt of ours resumes it.

    :return: the batch call as read last; see :func:`has_marker` for whether the mark could be taken away.
    """
    # Paused first: some servers rename no active one.
    return remove_marker(client, steps.pause(client, batch))


def remove_marker(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """
    Take the mark out of a batch call's name, if it is there, and return the batch call as read after that.

    Read back and repeated (the same name twice does no harm): one lost request would leave a mark behind, and with it
    a person's later pause looks like ours and is undone.
    """
    for _ in range(_TRIES):
        if not has_marker(batch):
            return batch
        _rename(client, batch, without_pause_marker(batch.name or ""))
        batch = steps.read(client, batch.id)
    if has_marker(batch):
        log.warning(
            "Batch call %s (%r) keeps the words 'paused by Airflow' in its name: the next try of its task would resume "
            "it, whoever pauses it. Take these words out of the name in the Truedy dashboard, not the rest of the tag.",
            batch.id,
            batch.name,
        )
    return batch


def _rename(client: TruedyClient, batch: BatchCall, name: str) -> None:
    """
    Give the batch call its name with or without the mark, where the server allows it.

    In which states that is differs between documents (facts, (f) 29). Without a mark a campaign that we paused stays
    paused until a person resumes it, which is the safe side.
    """
    if name == batch.name:
        return
    try:
        client.send(endpoints.update_batch_call(batch.id, BatchCallUpdate(name=name)))
    except (InvalidRequestError, ConflictError, OutcomeUnknownError) as refused:
        log.info("Batch call %s (%s) keeps its name for now: %s.", batch.id, batch.status, type(refused).__name__)


def pause_for_kill(client: TruedyClient, key: CampaignKey, batch_call_id: str) -> str:
    """
    Pause a campaign whose task was killed, marked as paused by us, so that the task's next attempt resumes it.

    :return: what was done and how to undo it.
    :raises CampaignError: if the server does not let it be paused.
    :raises TruedyError: if it cannot be reached.
    """
    batch = steps.read(client, batch_call_id)
    if State.of(batch.status) is State.PAUSED:
        return f"Batch call {batch.id} is paused already; it was left as it is. To let it go on, {_RESUME}."
    if (left_alone := _left_alone(batch.id, batch.status)) is not None:
        return left_alone
    pause_with_marker(client, key, batch)
    return (
        f"Batch call {batch_call_id} is paused because its task was killed; calls already placed run to their end. "
        f"The task's next try or a cleared task resumes it, or {_RESUME}."
    )


def pause_for_good(client: TruedyClient, batch_call_id: str) -> str:
    """
    Pause a campaign that took too long, like a person would: a retry or a cleared task does not resume it.

    That holds for one that a kill had paused before, too.

    :return: what was done and how to undo it.
    :raises TruedyError: if the server refuses or cannot be reached.
    """
    batch = steps.read(client, batch_call_id)
    if (left_alone := _left_alone(batch.id, batch.status)) is not None:
        return left_alone
    pause_like_a_person(client, batch)
    return f"Batch call {batch_call_id} is paused; to let it go on, {_RESUME}."


def pause_and_raise(client: TruedyClient, batch: BatchCall, why: CampaignError) -> NoReturn:
    """
    Pause a campaign that would call at another time than was asked for, like a person would, and raise ``why``.

    :raises CampaignError: ``why``, and that the campaign is paused. A draft and an ended one need no pause.
    :raises NotPausedError: if it could not be paused.
    """
    state = State.of(batch.status)
    if state is State.DRAFT or state.is_terminal:
        raise why
    try:
        pause_like_a_person(client, batch)
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


def verify_start(
    client: TruedyClient, plan: CampaignPlan, batch: BatchCall, at: datetime | None, now: datetime
) -> None:
    """
    Compare start, zone and contacts of a started campaign with the plan; pause it if they differ.

    :param batch: the batch call, read after the schedule step.
    :param at: the instant that was sent; ``None`` for an immediate start.
    :param now: the present instant.
    :raises ReadBackError: if start or zone differ, or it calls before its start.
    :raises CountMismatchError: if contacts came in between the comparison and the schedule step.
    """
    compare_start(client, batch, at, plan.timezone, now)
    try:
        check_count(client, plan, batch)
    except CountMismatchError as mismatch:
        pause_and_raise(client, batch, mismatch)


def compare_start(client: TruedyClient, batch: BatchCall, at: datetime | None, timezone: str, now: datetime) -> None:
    """
    Compare start and zone of a started campaign with what was sent; pause it if they differ.

    :param batch: the batch call, read after the schedule step.
    :param at: the instant that was sent; ``None`` for an immediate start.
    :param now: the present instant.
    :raises ReadBackError: if start or zone differ, or it calls before its start.
    """
    differences = start_differences(batch, at, timezone)
    # By the server's own clock where it tells it: that is what it goes by.
    now = batch.answered_at or now
    if at is not None and at - now > _CLOCK_SKEW and State.of(batch.status) in (State.ACTIVE, State.COMPLETED):
        differences.append(f"start sent {in_words(at, timezone)}, but it is {batch.status!r} now")
    if differences:
        story = f"The server has another start for batch call {batch.id} ({batch.name!r}) than was sent"
        pause_and_raise(client, batch, ReadBackError(f"{story}: {'; '.join(differences)}."))


def start_differences(batch: BatchCall, at: datetime | None, timezone: str) -> list[str]:
    """Return in words how the stored start and zone differ from what was sent; nothing if they do not."""
    differences = []
    if at is not None and batch.scheduled_at is None:
        log.warning("Batch call %s does not tell its start; it could not be compared.", batch.id)
    elif at is not None and batch.scheduled_at is not None and not _same_second(at, batch.scheduled_at):
        sent, stored = in_words(at, timezone), in_words(batch.scheduled_at, timezone)
        differences.append(f"start sent {sent}, stored {stored}")
    if batch.timezone is not None and batch.timezone != timezone:
        differences.append(f"timezone sent {timezone}, stored {batch.timezone}")
    return differences


def _same_second(one: datetime, other: datetime) -> bool:
    return one.replace(microsecond=0) == other.replace(microsecond=0)
