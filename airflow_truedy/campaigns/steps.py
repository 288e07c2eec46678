"""
Steps on a batch call that can be taken again from whatever is true: read the state, act, read again.

A server is given time to show what it was told: reads may come from a replica, lists and counters may lag. Absence and
old values are believed only after that. Sleep and clock are handed in, so tests wait for nothing.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, NotFoundError, OutcomeUnknownError
from airflow_truedy.campaigns.errors import CampaignEndedError, UnsettledError
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.api.request import Request
    from airflow_truedy.campaigns.timing import StartStep

log = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 3
DEFAULT_SETTLE = 15.0
_FIRST_PAUSE = 1.0


def _sleep(seconds: float) -> None:
    # Looked up late, so that a test can put its own clock in place of it.
    time.sleep(seconds)


@dataclass(frozen=True)
class Settling:
    """
    Looks again, with growing pauses, before absence or an old value is believed.

    :param seconds: how far the server's reads, lists and counters may be behind; 0 believes the first look.
    :param sleep: how to wait.
    """

    seconds: float = DEFAULT_SETTLE
    sleep: Callable[[float], Any] = _sleep

    def pauses(self) -> Iterator[float]:
        """Yield growing pauses that add up to :attr:`seconds`."""
        left, pause = self.seconds, _FIRST_PAUSE
        while left > 0:
            yield min(pause, left)
            left -= pause
            pause *= 2

    def wait(self, seconds: float, why: str) -> None:
        """Wait, and say what for."""
        if seconds > 0:
            log.info("Waiting %.0f s %s.", max(seconds, 1), why)
            self.sleep(seconds)

    def look_until(self, look: Callable[[], T], good: Callable[[T], bool], why: str) -> T:
        """Return what ``look`` returns first that is good; after the settle time whatever it returned last."""
        seen = look()
        for pause in self.pauses():
            if good(seen):
                break
            self.wait(pause, why)
            seen = look()
        return seen

    def read(
        self, client: TruedyClient, batch_call_id: str, good: Callable[[BatchCall], bool] = lambda _: True
    ) -> BatchCall:
        """
        Return a batch call once a read shows it as it should be; after the settle time as it was read last.

        :param good: whether a reading shows what is waited for. Default: any reading that is not a 404.
        :raises NotFoundError: if the last read was a 404.
        """

        def look() -> BatchCall | NotFoundError:
            try:
                return client.send(endpoints.get_batch_call(batch_call_id))
            except NotFoundError as gone:
                return gone

        def is_good(seen: BatchCall | NotFoundError) -> bool:
            return not isinstance(seen, NotFoundError) and good(seen)

        seen = self.look_until(look, is_good, f"before reading batch call {batch_call_id} again")
        if isinstance(seen, NotFoundError):
            raise seen
        return seen


#: For single commands to a batch call, such as a pause.
PATIENT = Settling()


@dataclass(frozen=True)
class Taken:
    """
    A step that was taken, by this attempt or by somebody else.

    :param batch: the batch call as read last.
    :param by_us: whether a request of this attempt did it, or may have: its answer was good, or lost.
    """

    batch: BatchCall
    by_us: bool


def read(client: TruedyClient, batch_call_id: str) -> BatchCall:
    """Return the batch call as the server shows it now."""
    return client.send(endpoints.get_batch_call(batch_call_id))


def schedule(
    client: TruedyClient,
    batch: BatchCall,
    step: StartStep,
    settling: Settling = PATIENT,
) -> BatchCall:
    """
    Take the one step that starts a campaign.

    :param batch: the batch call, just read as ``draft``.
    :return: the batch call read back.
    :raises NotFoundError: if the server knows no such draft; nothing was started.
    :raises CampaignEndedError: if it is gone after the request.
    :raises TooLateError: if its last moment had passed; nothing was sent.
    """
    request = endpoints.schedule_batch_call(batch.id, scheduled_at=step.at, timezone=step.timezone)
    request = replace(request, not_after=step.not_after)
    return _take(client, batch, request, settling, done=lambda state: state.may_have_called).batch


def pause(
    client: TruedyClient, batch: BatchCall, settling: Settling = PATIENT, *, when_ours: Callable[[], None] | None = None
) -> Taken:
    """
    Hold all future calls; calls already placed run to their end. Does nothing if it is paused.

    :param when_ours: called as soon as it is known that this attempt paused it, before patient reads show it.
    """
    request = endpoints.pause_batch_call(batch.id)
    return _take(client, batch, request, settling, done=lambda state: state is State.PAUSED, when_ours=when_ours)


def resume(
    client: TruedyClient, batch: BatchCall, *, not_after: datetime | None = None, settling: Settling = PATIENT
) -> BatchCall:
    """Let a paused campaign go on. Does nothing if it is not paused."""
    request = replace(endpoints.resume_batch_call(batch.id), not_after=not_after)
    return _take(client, batch, request, settling, done=lambda state: state is not State.PAUSED).batch


def _take(  # noqa: C901 - one story, told in one place
    client: TruedyClient,
    batch: BatchCall,
    request: Request[Any],
    settling: Settling,
    *,
    done: Callable[[State], bool],
    when_ours: Callable[[], None] | None = None,
) -> Taken:
    """
    Send ``request`` until the state shows that it is done.

    It is sent again only after its answer was lost and patient reads show that it had no effect.

    :raises UnsettledError: if the state does not follow the answers.
    """

    def is_done(seen: BatchCall) -> bool:
        return done(State.of(seen.status))

    def ended() -> CampaignEndedError:
        return CampaignEndedError(
            f"Batch call {batch.id} is gone after {request.operation} was sent: somebody may have deleted it. "
            "It may have called, so no other one was made. A new Dag run makes another campaign on purpose."
        )

    def look() -> BatchCall:
        try:
            return settling.read(client, batch.id, is_done)
        except NotFoundError as gone:
            raise ended() from gone

    by_us = was_answered = False

    def taken() -> Taken:
        if when_ours and by_us and not was_answered:
            when_ours()
        return Taken(batch, by_us)

    for _ in range(_TRIES):
        if is_done(batch):
            return taken()
        was_answered = False
        try:
            client.send(request)
            by_us = was_answered = True
            if when_ours:
                when_ours()
        except OutcomeUnknownError as lost:
            log.warning("%s Reading the state before anything else is sent.", lost)
            by_us = True
        except NotFoundError as gone:
            if by_us:
                # Says nothing about the request before it, whose answer was lost.
                raise ended() from gone
            raise
        except (InvalidRequestError, ConflictError):
            # Somebody may have done it a moment ago; only the state can tell.
            batch = look()
            if not is_done(batch):
                raise
            continue
        batch = look()
        if was_answered and not is_done(batch):
            # Not sent again: it may still take effect. Not taken for done: nobody would be called, or stopped.
            raise UnsettledError(
                f"{request.operation} was answered, but batch call {batch.id} is still {batch.status!r}. "
                "The next try reads the state and goes on."
            )
    if is_done(batch):
        return taken()
    raise UnsettledError(
        f"The answer to {request.operation} was lost {_TRIES} times and batch call {batch.id} is still "
        f"{batch.status!r}. Nothing more was sent; the next try reads the state and goes on."
    )


def delete(client: TruedyClient, batch_call_ids: Collection[str]) -> set[str]:
    """Delete drafts, and batch calls that ended badly; return the ids that are still there."""
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
