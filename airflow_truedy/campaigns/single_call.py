"""
One call, placed at most once.

A call carries no tag by which it could be found again, and a server may ignore idempotency keys. So the intent is kept
before the request, and the agent's calls to this number are looked through before the first request and after a lost
answer. After a request that may have left nothing is sent again: either its call is found, or the task fails and says
that it cannot tell. Rather no call than two.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, NotFoundError, OutcomeUnknownError, TruedyError
from airflow_truedy.campaigns.errors import (
    CallNotLookedUpError,
    CallOutcomeUnknownError,
    CallTimeoutError,
    LaunchInterruptedError,
)
from airflow_truedy.campaigns.identity import CampaignKey, digest, newest_since
from airflow_truedy.campaigns.status import ENDED, call_status
from airflow_truedy.campaigns.timing import UTC
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import Call, CallRequest
    from airflow_truedy.campaigns.progress import Store

log = logging.getLogger(__name__)

#: How far the server's clock may be behind ours.
_SKEW = timedelta(minutes=5)
#: Seconds between looks for a call whose answer was lost: it may still be on its way.
_PAUSES = (2.0, 8.0, 20.0)
_MOST_CALLS = 2_000
_LEAST_DIGITS_OF_A_NUMBER = 7
# So few that nobody finds the number by trying all of them; Airflow shows what the store keeps.
_DIGITS_KEPT = 6


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

    :param identity: what makes two attempts the same call, beside agent and number.
    :param store: where intent and call id outlive the attempt.
    :param since: the agent's calls to this number since then count as this one. ``None``: what is sent is the first.
    :param may_be_under_way: whether an earlier attempt's request may still be on its way, so that one look is not
        enough.
    :param sleep: how to wait between looks.
    :param now: the clock, in UTC.
    """

    def __init__(
        self,
        client: TruedyClient,
        identity: str,
        request: CallRequest,
        store: Store,
        *,
        since: datetime | None = None,
        may_be_under_way: bool = False,
        sleep: Callable[[float], Any] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._key = CampaignKey(f"{identity}\n{request.agent_id}\n{request.phone_number}")
        self._request = request
        self._store = store
        self._since = since
        self._may_be_under_way = may_be_under_way
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
        :raises CallNotLookedUpError: as above, but a later try may find out.
        """
        kept = self._store.get() or {}
        if kept.get("key") != self._short_key:
            kept = {}
        if kept.get("call_id"):
            return Placed(self._read_again(kept["call_id"]), attached=True)
        if kept.get("intent_at"):
            log.info("An earlier attempt may have placed this call; looking for it.")
            return self._find_or_give_up(datetime.fromisoformat(kept["intent_at"]), "an earlier attempt was cut off")
        if self._since is not None:
            found = self._look_before_sending(self._since)
            if found is not None:
                return self._attach(found)
        return self._send(self._since or self._now())

    @property
    def _short_key(self) -> str:
        return digest(self._key.text, _DIGITS_KEPT)

    def _read_again(self, call_id: str) -> Call:
        placed = f"Call {call_id} was placed by an earlier attempt and"
        try:
            return self._client.send(endpoints.get_call(call_id))
        except NotFoundError as gone:
            raise CallOutcomeUnknownError(
                f"{placed} is gone from the server. It was not placed again; a new Dag run calls once more."
            ) from gone
        except TruedyError as unread:
            raise _not_read(f"{placed} cannot be read: {_told(unread)}. Nothing was sent again.", unread) from unread

    def _send(self, intent_at: datetime) -> Placed:
        # The body does not count for the key: one person twice in a list may have different variables.
        request = endpoints.create_call(self._request, idempotency_key=self._key.idempotency_key(b"", 0))
        self._keep(intent_at)
        try:
            if self._interrupted:
                raise LaunchInterruptedError("The task was stopped before the call was placed; nothing was sent.")
            placed = self._client.send(request)
        except (OutcomeUnknownError, ConflictError) as lost:
            log.warning("%s Looking for it among the agent's calls.", lost)
            return self._find_or_give_up(intent_at, "its answer was lost")
        except (TruedyError, LaunchInterruptedError):
            # Refused, or never sent: there is nothing that the next attempt would have to find.
            self._store.set({})
            raise
        self._keep(intent_at, placed.id)
        return Placed(placed, attached=False)

    def _attach(self, call: Call) -> Placed:
        log.info("Call %s to this number counts as this one; nothing was sent.", call.id)
        self._keep(self._now(), call.id)
        return Placed(call, attached=True)

    def _keep(self, intent_at: datetime, call_id: str | None = None) -> None:
        self._store.set({"key": self._short_key, "intent_at": intent_at.isoformat(), "call_id": call_id})

    # Looking for a call

    def _look_before_sending(self, since: datetime) -> Call | None:
        log.info("Looking for a call of this agent to this number since %s first.", utc_text(since))
        if self._may_be_under_way:
            return self._look_patiently(since, "an earlier attempt may have placed it")
        return self._look(since)

    def _find_or_give_up(self, since: datetime, why: str) -> Placed:
        """
        Attach to the call of a request that may have been carried out.

        :raises CallOutcomeUnknownError: if it is not found. It may be placed late, so it is not sent again.
        """
        found = self._look_patiently(since, why)
        if found is None:
            raise CallOutcomeUnknownError(_undecided(f"{why} and the server lists no such call", since))
        return self._attach(found)

    def _look_patiently(self, since: datetime, why: str) -> Call | None:
        """Look several times, because a request may be carried out after its answer was lost."""
        try:
            found = self._look(since)
            for pause in _PAUSES:
                if found is not None:
                    break
                log.info("Waiting %.0f s before looking again for a call that may be on its way.", pause)
                self._sleep(pause)
                found = self._look(since)
        except TruedyError as unread:
            undecided = _undecided(f"{why}, and looking for it failed: {_told(unread)}", since)
            raise _not_read(undecided, unread) from unread
        return found

    def _look(self, since: datetime) -> Call | None:
        """
        Return the first call of this agent to this number since ``since``; later ones are somebody else's.

        :raises CallOutcomeUnknownError: if the list leaves that open.
        """
        earliest = since - _SKEW
        matches = []
        rows = newest_since(self._client, endpoints.list_calls(agent_id=self._request.agent_id), earliest)
        for count, call in enumerate(rows):
            if count >= _MOST_CALLS:
                raise CallOutcomeUnknownError(_undecided(f"the agent has more than {_MOST_CALLS} calls", since))
            if call.direction not in (None, "", "outbound"):
                continue
            if call.to_number is None:
                raise CallOutcomeUnknownError(_undecided("a call in the list does not tell its number", since))
            if _may_be_the_same(call.to_number, self._request.phone_number):
                if call.created_at is None:
                    raise CallOutcomeUnknownError(_undecided("a call to this number does not tell its time", since))
                matches += [call] if call.created_at >= earliest else []
        return min(matches, key=lambda call: call.created_at or since, default=None)


def _may_be_the_same(listed: str, asked: str) -> bool:
    """Whether a listed number may be the E.164 number asked for; some servers leave out ``+`` or the country code."""
    digits, wanted = re.sub(r"[^0-9]", "", listed), re.sub(r"[^0-9]", "", asked)
    if listed.strip().startswith("+"):
        return digits == wanted
    digits = digits.lstrip("0")
    return digits == wanted or (len(digits) >= _LEAST_DIGITS_OF_A_NUMBER and wanted.endswith(digits))


def _undecided(why: str, since: datetime) -> str:
    return (
        f"This call may have been placed since {utc_text(since)}; it cannot be told: {why}. Nothing was sent again. "
        "Look for a call to this number since then in the Truedy dashboard; if there is none, a new Dag run places it."
    )


def _not_read(story: str, unread: TruedyError) -> CallOutcomeUnknownError:
    """Return the error for a call that the server could not be asked about."""
    if not unread.retryable:
        return CallOutcomeUnknownError(story)
    return CallNotLookedUpError(f"{story} The next try looks again.", getattr(unread, "retry_after", None))


def _told(error: TruedyError) -> str:
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
    # An unknown word never counts as an end here.
    return call.ended_at is not None or call_status(call.status) in ENDED
