"""
Hold a campaign ourselves, and tell that from a person's pause.

A campaign paused by us carries a mark in its name, because that is the one thing that a trigger's or worker's kill
handler can write and the next attempt can read, with or without a store.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, OutcomeUnknownError
from airflow_truedy.api.models import BatchCallUpdate
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.errors import NotHeldError
from airflow_truedy.campaigns.identity import unmarked
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey

log = logging.getLogger(__name__)

_TRIES = 3


def is_paused_by_us(key: CampaignKey, batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it (also just before or after the pause itself)."""
    tag = key.tag_in(batch.name)
    return tag is not None and tag.paused_by_us


def is_marked(batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it, whichever campaign's tag it has."""
    name = batch.name or ""
    return unmarked(name) != name


def hold(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """
    Pause a started campaign so that the next attempt knows to resume it.

    :raises NotHeldError: if the server does not let it be paused.
    """
    # The mark first: a pause without a mark would look like a person's.
    marked_name = key.with_mark(batch.name or "", paused_by_us=True)
    _rename(client, batch, marked_name)
    try:
        held = steps.pause(client, batch)
    except (InvalidRequestError, ConflictError) as refused:
        state = State.of(steps.read(client, batch.id).status)
        raise NotHeldError(
            f"Batch call {batch.id} is {state.value!r} and cannot be paused: {refused} Stop it in the Truedy dashboard."
        ) from refused
    if not is_paused_by_us(key, held):
        # Some servers let a paused campaign be renamed, but no active one; and the next attempt may have come between
        # the two steps and taken the mark away.
        _rename(client, held, marked_name)
    log.info("Batch call %s is paused by Airflow.", batch.id)
    return held


def release(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """
    Let a campaign go on that we paused ourselves.

    The mark goes while the campaign is still paused, because some servers rename no active one, and a mark left behind
    would make a person's later pause look like ours. Who dies between the two leaves a pause that looks like a
    person's: the store tells (a launch not seen to its end); without one the campaign stays paused, the safe side.
    """
    if is_paused_by_us(key, batch):
        # Returned as read afresh: the kill handler that set the mark may have paused it only now.
        batch = unmark(client, batch)
    resumed = steps.resume(client, batch)
    log.info("Batch call %s goes on (%s).", batch.id, resumed.status)
    return resumed


def hand_over(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """Leave a campaign that we paused for a person to resume: no attempt of ours touches it any more."""
    return unmark(client, batch) if is_paused_by_us(key, batch) else batch


def hold_for_good(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """
    Pause a started campaign like a person would, also one that we paused before: no attempt of ours resumes it.

    :return: the batch call as read last; see :func:`is_marked` for whether the mark could be taken away.
    """
    # Paused first: some servers rename no active one.
    return unmark(client, steps.pause(client, batch))


def unmark(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """
    Take the mark out of a batch call's name, if it is there, and return the batch call as read after that.

    Read back and repeated (the same name twice does no harm): one lost request would leave a mark behind, and with it
    a person's later pause looks like ours and is undone.
    """
    for _ in range(_TRIES):
        if not is_marked(batch):
            return batch
        _rename(client, batch, unmarked(batch.name or ""))
        batch = steps.read(client, batch.id)
    if is_marked(batch):
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
