"""Pause a campaign because its task was killed, took too long, or found another start than was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import CampaignError, NotHeldError
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey

_RESUME = "resume it in the Truedy dashboard or with ResumeBatchCallOperator"


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
    pausing.hold(client, key, batch)
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
    pausing.hold_for_good(client, batch)
    return f"Batch call {batch_call_id} is paused; to let it go on, {_RESUME}."


def pause_and_raise(client: TruedyClient, batch: BatchCall, why: CampaignError) -> NoReturn:
    """
    Pause a campaign that would call at another time than was asked for, like a person would, and raise ``why``.

    :raises CampaignError: ``why``, and that the campaign is paused. A draft and an ended one need no pause.
    :raises NotHeldError: if it could not be paused.
    """
    state = State.of(batch.status)
    if state is State.DRAFT or state.is_terminal:
        raise why
    try:
        pausing.hold_for_good(client, batch)
    except Exception as failure:
        raise NotHeldError(f"{why} It could NOT be paused ({failure}): stop it in the Truedy dashboard.") from why
    raise type(why)(f"{why} The campaign is paused. Correct it and resume it, or delete it.")


def _left_alone(batch_call_id: str, status: str) -> str | None:
    """Say why nothing has to be paused; ``None`` if something has."""
    state = State.of(status)
    if state is State.DRAFT:
        return f"Batch call {batch_call_id} is a draft and dials nobody; it was left as it is."
    if state.is_terminal:
        return f"Batch call {batch_call_id} has ended ({status}); there is nothing to pause."
    return None
