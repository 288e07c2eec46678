"""
Ring the person on call, and never the same person again within a while, whichever process asks.

Two memories are asked, because neither is enough: a register that the processes of one Airflow share, and the agent's
calls as the server lists them, which every Airflow sees, perhaps some seconds late. In doubt nobody is rung.

Of several processes that ask at once one rings. Airflow offers them no lock, only a value that the last writer wins. So
each writes a claim, waits for longer than a write takes, and rings if the claim is still its own (Fischer's algorithm).
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.api.errors import TruedyError
from airflow_truedy.campaigns.errors import CampaignError
from airflow_truedy.campaigns.progress import NoStore
from airflow_truedy.campaigns.single_call import SingleCall
from airflow_truedy.campaigns.timing import UTC
from airflow_truedy.formats import moment_of, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import CallRequest
    from airflow_truedy.campaigns.progress import Store

log = logging.getLogger(__name__)

#: Seconds after which a claim of another process would have been seen.
_CLAIM_SEEN_AFTER = 3.0
#: Longest pause, in seconds, between looks for a call whose answer was lost: callbacks have to end soon.
_LONGEST_PAUSE = 2.0


class Ring(NamedTuple):
    """
    What came of it.

    :param call_id: the call; ``None`` if nobody was rung.
    :param told: why, for the log.
    """

    call_id: str | None
    told: str


class OnCallRing:
    """
    One wish to ring one person.

    :param client: sends each request once.
    :param request: the call.
    :param register: shared by all processes, of this person alone.
    :param every: how long the person is left in peace after a call.
    :param sleep: how to wait.
    :param now: the clock, in UTC.
    """

    def __init__(
        self,
        client: TruedyClient,
        request: CallRequest,
        register: Store,
        *,
        every: timedelta,
        sleep: Callable[[float], Any] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._request = request
        self._register = register
        self._every = every
        self._sleep = sleep
        self._now = now

    def ring(self) -> Ring:
        """Ring, unless the person was rung a moment ago, is being rung, or that cannot be told. Raises nothing."""
        try:
            last = self._last_ring()
            if last is not None and self._now() - last < self._every:
                return Ring(None, f"this person was rung at {utc_text(last)}, and is rung once in {self._every}")
            if not self._claim():
                return Ring(None, "another process rings this person at the moment")
            return self._call()
        except TruedyError as refused:
            self._write({})
            return Ring(None, f"{type(refused).__name__}: {refused}")
        except CampaignError as unclear:
            # The phone may have rung: the claim stays.
            return Ring(None, f"it cannot be told whether the phone rang: {unclear}")

    def _last_ring(self) -> datetime | None:
        kept = self._register.get() or {}
        try:
            return moment_of(kept["at"])
        except (KeyError, TypeError, AttributeError, ValueError):
            return None

    def _claim(self) -> bool:
        claim = {"at": utc_text(self._now(), fraction=True), "claim": uuid.uuid4().hex}
        if not self._write(claim):
            return True  # Then the server's list is the only memory.
        self._sleep(_CLAIM_SEEN_AFTER)
        return self._register.get() == claim

    def _call(self) -> Ring:
        now = self._now()
        call = SingleCall(
            self._client,
            # Should two rings be on their way after all, a server that honours the key makes them one.
            f"on call {int(now.timestamp() // self._every.total_seconds())}",
            self._request,
            NoStore(),
            since=now - self._every,
            sleep=lambda seconds: self._sleep(min(seconds, _LONGEST_PAUSE)),
            now=self._now,
        )
        placed = call.place()
        if not placed.attached:
            return Ring(placed.call.id, "rung")
        at = placed.call.created_at or now
        self._write({"at": utc_text(at, fraction=True)})
        return Ring(None, f"call {placed.call.id} of this agent to this person, at {utc_text(at)}, counts")

    def _write(self, value: dict[str, Any]) -> bool:
        try:
            self._register.set(value)
        except Exception as problem:
            log.warning(
                "It cannot be kept when the person on call was rung (%s): what the server lists decides alone.", problem
            )
            return False
        return True
