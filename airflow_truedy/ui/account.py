"""
The campaigns of a connection, read once for everybody who looks.

All viewers share one reading. It is renewed only while somebody looks, by one task at a time, and within a budget of
requests that does not grow with the number of viewers. Who comes meanwhile gets the last reading and its age.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import AsyncTruedyClient
from airflow_truedy.api.errors import (
    InconsistentListError,
    InvalidPayloadError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    TruedyError,
)
from airflow_truedy.campaigns.identity import digest
from airflow_truedy.campaigns.status import State
from airflow_truedy.hooks.settings import diagnose
from airflow_truedy.ui.budget import Budget
from airflow_truedy.ui.campaign import Campaign

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.api.request import Page
    from airflow_truedy.hooks.settings import ClientSettings

log = logging.getLogger(__name__)

_PAGE = 100
# An account of up to so many batch calls is listed whole; of a larger one the live and the newest are.
_LISTED_WHOLE = 500
# Pages of one state's list: 1,000 live campaigns of each state.
_MOST_PAGES = 10
_LIVE = (State.ACTIVE, State.PAUSED, State.SCHEDULED)
_SHORTEST_PAUSE = 12.0
# Campaigns that are in no list are read one by one, so many in a round, while somebody looks at their run.
_SINGLES = 2
_MOST_SINGLES = 500
_FORGOTTEN_AFTER = 90.0
# Seconds that a viewer waits: for the first reading, and for the next one where a look has just begun.
_FIRST_PATIENCE, _PATIENCE = 5.0, 0.5
_SAMPLES = 240


class Sample(NamedTuple):
    """How far a campaign was at a moment (seconds since 1970)."""

    at: float
    called: int
    completed: int


@dataclass(frozen=True)
class Reading:
    """
    What is known of an account.

    :param campaigns: by id.
    :param read_at: when the last whole look began, seconds since 1970; ``None`` before the first one.
    :param is_partial: whether campaigns may be missing: the first look goes on, or a list changed while it was read.
    :param unlisted: older campaigns that were not looked at.
    :param ahead: seconds by which the server's clock, which changes are told by, is ahead of ours.
    :param problem: why nothing newer could be read; ``None`` if it could.
    :param problem_since: since when, seconds since 1970.
    """

    campaigns: dict[str, Campaign]
    read_at: float | None = None
    is_partial: bool = True
    unlisted: int = 0
    ahead: float = 0.0
    problem: str | None = None
    problem_since: float | None = None


class Account:
    """
    The campaigns of one connection.

    :param read_settings: reads the connection; asked before every look, so that a corrected one is noticed.
    :param budget_of: returns the budget of an account, which its connections share.
    :param clock: seconds since 1970.
    """

    def __init__(
        self,
        read_settings: Callable[[], Awaitable[ClientSettings]],
        budget_of: Callable[[ClientSettings], Budget],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._read_settings = read_settings
        self._budget_of = budget_of
        self._clock = clock
        self._reading = Reading({})
        self._singles: dict[str, Campaign] = {}
        self._wanted: dict[str, float] = {}
        self._samples: dict[str, deque[Sample]] = {}
        self._task: asyncio.Task[None] | None = None
        self._due = 0.0
        self.settings: ClientSettings | None = None

    async def reading(self, wanted: tuple[str, ...] = ()) -> Reading:
        """
        Return the last reading, after a short wait for a first or a newer one. Begins a look if one is due.

        :param wanted: ids of batch calls that are read by themselves where no list shows them.
        """
        now = self._clock()
        known = self._known()
        unlisted = [id_ for id_ in wanted if id_ not in self._reading.campaigns]
        # One that has ended changes no more.
        self._wanted.update((id_, now) for id_ in unlisted if id_ not in known or not known[id_].is_over)
        if self._task is None and now >= self._due:
            self._task = asyncio.create_task(self._look())
            self._task.add_done_callback(self._ended)
        if self._task is not None:
            nothing_yet = not known and self._reading.read_at is None
            is_missing = nothing_yet or any(id_ not in known for id_ in wanted)
            await asyncio.wait({self._task}, timeout=_FIRST_PATIENCE if is_missing else _PATIENCE)
        return replace(self._reading, campaigns=self._known())

    def samples(self, batch_call_id: str) -> list[Sample]:
        """Return how far a campaign was whenever it was read, oldest first, as far as this process remembers."""
        return list(self._samples.get(batch_call_id, ()))

    def _known(self) -> dict[str, Campaign]:
        return {**self._singles, **self._reading.campaigns}

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None

    async def _look(self) -> None:
        began = self._clock()
        look = _Look(self._take_early)
        try:
            self.settings = await self._read_settings()
            budget = self._budget_of(self.settings)
            arguments = {**self.settings.client_arguments(), "requests_per_minute": None}
            # Somebody looks and waits: the first answer counts, and the next look is the next try.
            async with AsyncTruedyClient(**arguments, max_wait=0, rate_limiter=budget) as client:
                await look.lists(client)
                await self._look_at_wanted(client, look)
                ahead = client.now().timestamp() - self._clock()
            pause = max(_SHORTEST_PAUSE, look.requests * budget.seconds_each)
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            self._fail(problem)
            pause = _SHORTEST_PAUSE
        else:
            # What a list that moved did not show is shown as it was.
            found = {**self._reading.campaigns, **look.found} if look.has_moved else look.found
            self._reading = Reading(found, began, look.is_partial, look.unlisted, ahead)
            self._remember(found)
        self._due = began + pause

    def _take_early(self, found: dict[str, Campaign]) -> None:
        """Show the pages of the very first look as they come: it may take a minute."""
        if self._reading.read_at is None:
            self._reading = replace(self._reading, campaigns=dict(found))

    def _fail(self, problem: Exception) -> None:
        # Whatever else it is may hold anything.
        told = diagnose(problem) if isinstance(problem, (TruedyError, ValueError)) else type(problem).__name__
        if isinstance(problem, OSError) and problem.filename:
            told = f"{told}: {problem.filename}"  # The file of the budget.
        if self._reading.problem is None:
            log.warning("The campaigns page cannot read Truedy: %s", told)
        since = self._reading.problem_since or self._clock()
        self._reading = replace(self._reading, problem=told, problem_since=since)

    async def _look_at_wanted(self, client: AsyncTruedyClient, look: _Look) -> None:
        now = self._clock()
        wanted = [id_ for id_, at in self._wanted.items() if at > now - _FORGOTTEN_AFTER and id_ not in look.found]
        for batch_call_id in wanted[:_SINGLES]:
            look.requests += 1
            # An id from an XCom may be anything; the lists do not depend on it.
            with suppress(NotFoundError, InvalidRequestError, InvalidPayloadError, ServerError):
                batch = await client.send(endpoints.get_batch_call(batch_call_id))
                self._singles[batch_call_id] = Campaign.of(batch)
        for batch_call_id in list(self._singles)[:-_MOST_SINGLES]:
            del self._singles[batch_call_id]
        # Whoever still looks asks for it again.
        self._wanted = dict.fromkeys(wanted[_SINGLES:], now)

    def _remember(self, found: dict[str, Campaign]) -> None:
        now = self._clock()
        for campaign in found.values():
            samples = self._samples.get(campaign.id)
            if samples is None and campaign.is_over:
                continue
            sample = Sample(now, campaign.called or 0, campaign.completed or 0)
            if samples is None:
                samples = self._samples[campaign.id] = deque(maxlen=_SAMPLES)
            if not samples or samples[-1][1:] != sample[1:]:
                samples.append(sample)
        for gone in self._samples.keys() - found.keys():
            del self._samples[gone]


class _Look:
    """
    One walk through the lists of an account.

    :param show: takes what was found so far, after each page.
    """

    def __init__(self, show: Callable[[dict[str, Campaign]], None]) -> None:
        self._show = show
        self.found: dict[str, Campaign] = {}
        self.requests = 0
        self.unlisted = 0
        self.is_partial = False
        self.has_moved = False

    async def lists(self, client: AsyncTruedyClient) -> None:
        """Read the whole list if it is short, else the live campaigns and the newest."""
        total = 0
        async with aclosing(self._pages(client, None)) as pages:
            async for page in pages:
                total = max(total, page.total or 0)
                self._take(page.items)
                if total > _LISTED_WHOLE:
                    break
            else:
                return
        await self._newest(client, page.items, total)
        for state in _LIVE:
            async for page in self._pages(client, state):
                self._take(page.items)
        self.unlisted = max(0, total - len(self.found))

    async def _newest(self, client: AsyncTruedyClient, first: list[BatchCall], total: int) -> None:
        """Read the last page too where the list begins with the oldest; no document tells its order."""
        begin, end = first[0].created_at, first[-1].created_at
        if begin and end and begin < end:
            self.requests += 1
            last = await client.send(endpoints.list_batch_calls().page(("offset", total - _PAGE)))
            self._take(last.items)

    async def _pages(self, client: AsyncTruedyClient, state: State | None) -> AsyncGenerator[Page[BatchCall], None]:
        read = 0
        try:
            async for page in client.iter_pages(endpoints.list_batch_calls(status=state.value if state else None)):
                read += 1
                self.requests += 1
                yield page
                if read == _MOST_PAGES:
                    self.is_partial = True
                    return
        except InconsistentListError as problem:
            # It changes while it is read; the next look finds what this one missed.
            log.info("%s", problem)
            self.is_partial = self.has_moved = True
        except InvalidRequestError:
            if state is None:
                raise
            self.is_partial = True  # A server that does not know this word.

    def _take(self, batches: list[BatchCall]) -> None:
        self.found.update((batch.id, Campaign.of(batch)) for batch in batches)
        self._show(self.found)


class Accounts:
    """
    The accounts of one event loop, by connection.

    :param read_settings: reads a connection by its id.
    """

    def __init__(self, read_settings: Callable[[str], Awaitable[ClientSettings]]) -> None:
        self._read_settings = read_settings
        self._accounts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Account]] = WeakKeyDictionary()
        self._budgets: dict[str, Budget] = {}

    def of(self, conn_id: str) -> Account:
        """Return the account of a connection."""
        accounts = self._accounts.setdefault(asyncio.get_running_loop(), {})
        if conn_id not in accounts:
            accounts[conn_id] = Account(lambda: self._read_settings(conn_id), self._budget_of)
        return accounts[conn_id]

    def _budget_of(self, settings: ClientSettings) -> Budget:
        """Return the budget of a server and key, which several connections may name."""
        key = digest(f"{settings.base_url} {settings.api_key}")
        return self._budgets.setdefault(key, Budget(key))
