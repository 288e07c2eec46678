"""
One call, placed at most once.

A call carries no tag by which it could be found again, and the idempotency key is best effort (API facts, a.9). So the
intent is kept before the request, and the agent's calls to this number are looked through: after a lost answer, on a
later attempt, and before the first where another task may have placed it. After a request that may have left nothing is
sent again: either its call is found, or it stays undecided and fails. Rather no call than two.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError, OutcomeUnknownError, TruedyError
from airflow_truedy.api.paging import Pager
from airflow_truedy.campaigns.call_status import ENDED, call_status
from airflow_truedy.campaigns.errors import (
    CallNotLookedUpError,
    CallOutcomeUnknownError,
    CallTimeoutError,
    LaunchInterruptedError,
    PayloadChangedError,
)
from airflow_truedy.campaigns.identity import CampaignKey, digest
from airflow_truedy.campaigns.schedule import UTC
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import Call, CallRequest
    from airflow_truedy.campaigns.progress import Store

log = logging.getLogger(__name__)

#: How far the server's clock may be behind ours.
_SKEW = timedelta(minutes=5)
#: Seconds between looks for a call whose answer was lost: it may still be on its way.
_LOOKS = (2.0, 8.0, 20.0)
_MOST_PAGES = 20
_LEAST_DIGITS_OF_A_NUMBER = 7


@dataclass(frozen=True)
class Placed:
    """
    A call that exists once.

    :param call: as answered or found.
    :param attached: whether an earlier request had placed it.
    """

    call: Call
    attached: bool


class SingleCall:
    """
    One attempt to place one call.

    :param key: what makes two attempts the same call.
    :param store: where intent and call id outlive the attempt.
    :param since: the agent's calls to this number since then count as this one and are looked for before anything is
        sent, even if the store knows nothing. ``None``: what is sent is the first.
    :param settle: whether an earlier attempt's request may still be on its way, so that one look is not enough.
    :param sleep: how to wait between looks.
    :param now: the clock, in UTC.
    """

    def __init__(
        self,
        client: TruedyClient,
        key: CampaignKey,
        request: CallRequest,
        store: Store,
        *,
        since: datetime | None = None,
        settle: bool = True,
        sleep: Callable[[float], Any] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._key = key
        self._request = request
        self._store = store
        self._since = since
        self._settle = settle
        self._sleep = sleep
        self._now = now
        self._interrupted = False

    def interrupt(self) -> None:
        """Stop before the next request. Only sets a flag, so a signal handler may call it."""
        self._interrupted = True

    def place(self) -> Placed:
        """
        Place the call, unless an earlier attempt did.

        :raises CallOutcomeUnknownError: if it cannot be told whether it was placed.
        :raises CallNotLookedUpError: the same, where a later try may tell.
        :raises PayloadChangedError: if an earlier attempt of this key was about another call.
        """
        kept = self._kept()
        if kept.get("call_id"):
            try:
                return Placed(self._client.send(endpoints.get_call(kept["call_id"])), attached=True)
            except NotFoundError as gone:
                raise CallOutcomeUnknownError(
                    f"Call {kept['call_id']} was placed by an earlier attempt and is gone from the server. It was not "
                    "placed again. Another call_key or a new Dag run calls once more."
                ) from gone
            except TruedyError as unread:
                raise _not_read(
                    f"Call {kept['call_id']} was placed by an earlier attempt and cannot be read: {_said(unread)}. "
                    "Nothing was sent again.",
                    unread,
                ) from unread
        if kept.get("intent_at"):
            log.info("An earlier attempt may have placed this call; looking for it.")
            return self._found(datetime.fromisoformat(kept["intent_at"]), "an earlier attempt was cut off")
        if self._since is not None:
            log.info("Looking for a call of this agent to this number since %s first.", utc_text(self._since))
            why = "an earlier attempt may have placed it"
            found = self._look_after_a_request(self._since, why) if self._settle else self._look(self._since)
            if found is not None:
                return self._attach(found)
        return self._send(self._since or self._now())

    def _kept(self) -> dict[str, Any]:
        kept = self._store.get() or {}
        if kept.get("key") != self._key.short:
            return {}
        if kept.get("fingerprint") != self._fingerprint:
            raise PayloadChangedError(
                "An earlier attempt of this task placed, or tried to place, a call with another number, agent or "
                "variables. Nothing was sent. Restore them, or start a new Dag run to make another call."
            )
        return kept

    @property
    def _fingerprint(self) -> str:
        return digest(self._request.to_json())

    def _send(self, intent_at: datetime) -> Placed:
        idempotency_key = self._key.idempotency_key(self._request.to_json(), 0)
        call = endpoints.create_call(self._request, idempotency_key=idempotency_key)
        self._keep(intent_at)
        try:
            if self._interrupted:
                raise LaunchInterruptedError("The task was stopped before the call was placed; nothing was sent.")
            placed = self._client.send(call)
        except OutcomeUnknownError as lost:
            log.warning("%s Looking for it among the agent's calls.", lost)
            return self._found(intent_at, "its answer was lost")
        except (TruedyError, LaunchInterruptedError):
            # Refused, or never sent: there is nothing that the next attempt would have to find.
            self._store.set({})
            raise
        self._keep(intent_at, placed.id)
        return Placed(placed, attached=False)

    def _found(self, since: datetime, why: str) -> Placed:
        """
        Attach to the call of a request that may have been carried out.

        :raises CallOutcomeUnknownError: if it is not to be found. It may be placed late, so it is not sent again.
        :raises CallNotLookedUpError: if the server cannot be asked now.
        """
        found = self._look_after_a_request(since, why)
        if found is None:
            raise CallOutcomeUnknownError(_undecided(f"{why} and the server lists no such call", since))
        return self._attach(found)

    def _attach(self, call: Call) -> Placed:
        log.info("Call %s to this number counts as this one; nothing was sent.", call.id)
        self._keep(self._now(), call.id)
        return Placed(call, attached=True)

    def _keep(self, intent_at: datetime, call_id: str | None = None) -> None:
        self._store.set(
            {
                "key": self._key.short,
                "fingerprint": self._fingerprint,
                "intent_at": intent_at.isoformat(),
                "call_id": call_id,
            }
        )

    # Looking for a call

    def _look_after_a_request(self, since: datetime, why: str) -> Call | None:
        """Look for the call of a request that may have been carried out; an error then says that it may ring."""
        try:
            return self._look_until_sure(since)
        except TruedyError as unread:
            undecided = _undecided(f"{why}, and looking for it failed: {_said(unread)}", since)
            raise _not_read(undecided, unread) from unread

    def _look_until_sure(self, since: datetime) -> Call | None:
        """Look several times, because a request may be carried out after its answer was lost."""
        found = self._look(since)
        for pause in _LOOKS:
            if found is not None:
                break
            self._sleep(pause)
            found = self._look(since)
        return found

    def _look(self, since: datetime) -> Call | None:
        """
        Return the call of this agent to this number that was placed since ``since``.

        :raises CallOutcomeUnknownError: if the list does not tell.
        """
        earliest = since - _SKEW
        matches = []
        for call in self._calls_since(earliest):
            if call.direction not in (None, "", "outbound"):
                continue
            if call.to_number is None:
                raise CallOutcomeUnknownError(_undecided("a call in the list does not say whom it went to", since))
            if _may_be_the_same(call.to_number, self._request.phone_number):
                if call.created_at is None:
                    raise CallOutcomeUnknownError(_undecided("a call to this number does not say when it was", since))
                matches.append(call)
        # The first is ours where there are several: the others were placed by somebody after it.
        return min(matches, key=lambda call: call.created_at or since, default=None)

    def _calls_since(self, earliest: datetime) -> Iterator[Call]:
        """Yield the agent's calls since ``earliest``. The order of the list is not documented, so it is watched."""
        pager: Pager[Call] = Pager(endpoints.list_calls(agent_id=self._request.agent_id))
        newest_first, last = True, None
        for _ in range(_MOST_PAGES):
            request = pager.next_request()
            if request is None:
                return
            oldest_seen = None
            for call in pager.take(self._client.send(request)):
                if call.created_at is None or call.created_at >= earliest:
                    yield call
                if call.created_at is not None:
                    newest_first = newest_first and (last is None or call.created_at <= last)
                    last = oldest_seen = call.created_at
            if newest_first and oldest_seen is not None and oldest_seen < earliest:
                return
        if pager.next_request() is not None:
            raise CallOutcomeUnknownError(_undecided(f"the agent has more than {_MOST_PAGES} pages of calls", earliest))


def _may_be_the_same(listed: str, asked: str) -> bool:
    """Whether two ways of writing may mean one number: a server may leave out the ``+``, or the country code."""
    short, long = sorted((re.sub(r"[^0-9]", "", number).lstrip("0") for number in (listed, asked)), key=len)
    return short == long or (len(short) >= _LEAST_DIGITS_OF_A_NUMBER and long.endswith(short))


def _undecided(why: str, since: datetime) -> str:
    return (
        f"This call may have been placed since {utc_text(since)}; it cannot be told: {why}. Nothing was sent again. "
        "Look for a call to this number since then in the Truedy dashboard; if there is none, another call_key or "
        "a new Dag run places it."
    )


def _not_read(story: str, unread: TruedyError) -> CallOutcomeUnknownError:
    """Return the error for a call that the server could not be asked about."""
    if not unread.retryable:
        return CallOutcomeUnknownError(story)
    return CallNotLookedUpError(f"{story} The next try looks again.", getattr(unread, "retry_after", None))


def _said(error: TruedyError) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")


def wait_until_ended(
    client: TruedyClient,
    call: Call,
    *,
    poll_interval: float,
    timeout: float,
    pause: Callable[[float], Any],
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Call:
    """
    Read a call until it has ended.

    :param pause: how to wait.
    :param stopped: asked before each read.
    :raises CallTimeoutError: if it has not ended in ``timeout`` seconds.
    """
    deadline = clock() + timeout
    while not _is_over(call):
        if stopped():
            raise LaunchInterruptedError(f"The task was stopped; call {call.id} goes on.")
        if clock() >= deadline:
            raise CallTimeoutError(f"Call {call.id} is still {call.status!r} after {timeout:.0f} s. It was left alone.")
        pause(poll_interval)
        call = client.send(endpoints.get_call(call.id))
    return call


def _is_over(call: Call) -> bool:
    # An unknown word is never an end here.
    return call.ended_at is not None or call_status(call.status) in ENDED
