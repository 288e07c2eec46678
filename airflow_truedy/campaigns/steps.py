"""Single steps on a batch call that can be taken again from whatever is true: read the state, act, read again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, NotFoundError, OutcomeUnknownError
from airflow_truedy.campaigns.errors import UnsettledError
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.api.request import Request

log = logging.getLogger(__name__)

_TRIES = 3


def read(client: TruedyClient, batch_call_id: str) -> BatchCall:
    """Return the batch call as the server holds it now."""
    return client.send(endpoints.get_batch_call(batch_call_id))


def schedule(client: TruedyClient, batch: BatchCall, at: datetime | None, timezone: str | None) -> BatchCall:
    """
    Take the one step that starts a campaign.

    :param batch: the batch call, just read as ``draft``.
    :param at: the instant to start at; ``None`` starts now.
    :param timezone: zone of window and days; ``None`` sends none, so that the draft keeps its own.
    :return: the batch call read back.
    """
    request = endpoints.schedule_batch_call(batch.id, scheduled_at=at, timezone=timezone)
    return _take(client, batch, request, done=lambda state: state.may_have_called)


def pause(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """Hold all future calls; calls already placed run to their end. Does nothing if it is paused."""
    return _take(client, batch, endpoints.pause_batch_call(batch.id), done=lambda state: state is State.PAUSED)


def resume(client: TruedyClient, batch: BatchCall) -> BatchCall:
    """Let a paused campaign go on. Does nothing if it is not paused."""
    return _take(client, batch, endpoints.resume_batch_call(batch.id), done=lambda state: state is not State.PAUSED)


def _take(client: TruedyClient, batch: BatchCall, request: Request[Any], *, done: Callable[[State], bool]) -> BatchCall:
    """
    Send ``request`` until the state says that it is done.

    It is sent again only after its answer was lost and a read shows that it had no effect.

    :raises UnsettledError: if the state does not follow the answers.
    """
    for _ in range(_TRIES):
        if done(State.of(batch.status)):
            return batch
        try:
            client.send(request)
        except OutcomeUnknownError as lost:
            log.warning("%s Reading the state before anything else is sent.", lost)
            batch = read(client, batch.id)
            continue
        except (InvalidRequestError, ConflictError):
            # A twin may have done it a moment ago; only the state can tell.
            batch = read(client, batch.id)
            if done(State.of(batch.status)):
                return batch
            raise
        batch = read(client, batch.id)
        if not done(State.of(batch.status)):
            # Not sent again: it may still take effect. Not taken for done: nobody would be called, or stopped.
            raise UnsettledError(
                f"{request.method} {request.path} was answered, but batch call {batch.id} is still {batch.status!r}. "
                "The next try reads the state and goes on."
            )
        return batch
    if done(State.of(batch.status)):
        return batch
    raise UnsettledError(
        f"The answer to {request.method} {request.path} was lost {_TRIES} times and batch call {batch.id} is still "
        f"{batch.status!r}. Nothing more was sent; the next try reads the state and goes on."
    )


def delete(client: TruedyClient, batch_call_ids: Collection[str]) -> set[str]:
    """
    Delete batch calls that may be deleted (drafts and such as ended badly).

    :return: the ids that are still there.
    """
    ids = sorted(set(batch_call_ids))
    if not ids:
        return set()
    try:
        answer = client.send(endpoints.delete_batch_calls(ids))
    except (OutcomeUnknownError, InvalidRequestError, ConflictError, NotFoundError) as problem:
        log.warning("%s Reading what is still there.", problem)
    else:
        if not answer.failed_ids and set(answer.deleted_ids or ()) >= set(ids):
            return set()
    return {batch_call_id for batch_call_id in ids if _exists(client, batch_call_id)}


def _exists(client: TruedyClient, batch_call_id: str) -> bool:
    try:
        read(client, batch_call_id)
    except NotFoundError:
        return False
    return True
