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
from airflow_truedy.campaigns.states import State

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.keys import CampaignKey

log = logging.getLogger(__name__)


def is_paused_by_us(key: CampaignKey, batch: BatchCall) -> bool:
    """Whether the batch call's name says that Airflow paused it (also just before or after the pause itself)."""
    tag = key.tag_in(batch.name)
    return tag is not None and tag.paused_by_us


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
    _rename(client, batch, key.with_mark(batch.name or "", paused_by_us=False))
    # Read afresh: the kill handler that set the mark may have paused it only now.
    resumed = steps.resume(client, steps.read(client, batch.id))
    log.info("Batch call %s goes on (%s).", batch.id, resumed.status)
    return resumed


def hand_over(client: TruedyClient, key: CampaignKey, batch: BatchCall) -> BatchCall:
    """Leave a campaign that we paused for a person to resume: no attempt of ours touches it any more."""
    _rename(client, batch, key.with_mark(batch.name or "", paused_by_us=False))
    return steps.read(client, batch.id)


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
        log.info("%s Batch call %s keeps its name for now.", refused, batch.id)
