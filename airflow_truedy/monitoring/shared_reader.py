"""
Read the batch calls that triggers wait for, in as few requests as possible.

One request reads one batch call by its id, or up to 100 from a list. Which is cheaper depends on how many are wanted
and how long each list is (the whole one, or one state's); the answers themselves tell the lengths.

All triggers of a connection in one triggerer share one poll. Airflow's own shared streams (3.3) serve event
triggers only, do not know which ids the subscribers want, and end all subscribers at the first error of the stream.
Deferred tasks also have to work on Airflow 3.0. So these triggers share their own poller, which lives as long as one of
them waits.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import (
    InconsistentListError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    TruedyError,
    UnreadableAnswerError,
)
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from airflow_truedy.api.client import AsyncTruedyClient
    from airflow_truedy.api.models import BatchCall

    Reading = tuple[str, BatchCall | TruedyError]

log = logging.getLogger(__name__)

# The states that a waiting campaign can be listed by. The whole list (None) shows the ended ones too.
_LISTED = (State.ACTIVE, State.SCHEDULED, State.PAUSED, State.DRAFT)
# Errors that may concern one batch call, or one list, and not the connection.
_OF_ONE = (NotFoundError, ServerError, UnreadableAnswerError, InvalidRequestError)
_ERRORS_IN_A_ROW = 3
#: How often a list that changes while it is read is tried, before the rest is read one by one.
_LISTINGS = 2
_PAGE = 100


class BatchReader:
    """
    Reads batch calls by id and remembers how long each list was.

    :param client: sends the requests, at its own pace.
    """

    def __init__(self, client: AsyncTruedyClient) -> None:
        self._client = client
        self._lengths: dict[State | None, int] = {}
        self._useless: set[State | None] = set()

    async def read(self, wanted: Mapping[str, str]) -> AsyncIterator[Reading]:
        """
        Read the wanted batch calls in as few requests as possible.

        Also yields others that a list shows anyway. A batch call that is missing from the lists is read by its id
        before it counts as gone.

        :param wanted: id -> status when it was read last, empty if never.
        :raises TruedyError: if nothing can be read at present; the rest stays unread.
        """
        left = dict(wanted)
        not_listed: dict[str, State] = {}
        for filter_ in self._lists_for(left):
            # Still cheaper than one by one, now that the lists before have been read?
            if self._pages(filter_) >= len(left):
                continue
            async for batch in self._listed(filter_, left):
                left.pop(batch.id, None)
                self._check_filter(not_listed.get(batch.id), batch)
                yield batch.id, batch
            if filter_ is not None:
                not_listed.update({id_: filter_ for id_, status in left.items() if State.of(status) is filter_})
        async for batch_call_id, reading in self._one_by_one(left):
            if not isinstance(reading, TruedyError):
                self._check_filter(not_listed.get(batch_call_id), reading)
            yield batch_call_id, reading

    def _lists_for(self, left: Mapping[str, str]) -> list[State | None]:
        """Return the lists that may help, best first: those of the states last seen, or the whole one if shorter."""
        states = {State.of(status) for status in left.values()}
        by_state: list[State | None] = [s for s in _LISTED if s in states and s not in self._useless]
        whole: list[State | None] = [] if None in self._useless else [None]
        if whole and self._pages(None) <= sum(map(self._pages, by_state)):
            return whole
        # Those who have left their state are read from the whole list only if it is still the cheaper way then.
        return by_state + whole

    def _pages(self, filter_: State | None) -> int:
        """Return how many requests a list takes; 1 while its length is unknown."""
        return max(1, math.ceil(self._lengths.get(filter_, 0) / _PAGE))

    async def _listed(self, filter_: State | None, left: Mapping[str, str]) -> AsyncIterator[BatchCall]:
        for _ in range(_LISTINGS):
            try:
                async for batch in self._walk(filter_, left):
                    yield batch
            except InconsistentListError as problem:
                # A campaign that ends leaves the list, and the others move up while it is read.
                log.info("%s", problem)
                continue
            except _OF_ONE as problem:
                log.warning("%s Reading batch calls without this list.", problem)
                if not isinstance(problem, ServerError):
                    self._useless.add(filter_)
            return

    async def _walk(self, filter_: State | None, left: Mapping[str, str]) -> AsyncIterator[BatchCall]:
        shown = 0
        async for page in self._client.iter_pages(
            endpoints.list_batch_calls(status=filter_.value if filter_ else None)
        ):
            shown += len(page.items)
            self._lengths[filter_] = _length(page.pagination.get("total"), shown)
            for batch in page.items:
                yield batch
            if not left or self._pages(filter_) - math.ceil(shown / _PAGE) >= len(left):
                return  # The rest of the list costs more than reading the rest one by one.

    async def _one_by_one(self, left: Mapping[str, str]) -> AsyncIterator[Reading]:
        in_a_row = 0
        for batch_call_id in left:
            try:
                reading: BatchCall | TruedyError = await self._client.send(endpoints.get_batch_call(batch_call_id))
                in_a_row = 0
            except _OF_ONE as problem:
                in_a_row = 0 if isinstance(problem, NotFoundError) else in_a_row + 1
                if in_a_row >= _ERRORS_IN_A_ROW:
                    raise
                reading = problem
            yield batch_call_id, reading

    def _check_filter(self, expected: State | None, batch: BatchCall) -> None:
        """Stop using a filter that hid a batch call in that state: servers know different words for states."""
        if expected is not None and State.of(batch.status) is expected and not self._lengths.get(expected):
            self._useless.add(expected)


def _length(total: object, shown: int) -> int:
    return max(int(total), shown) if isinstance(total, (int, float)) and not isinstance(total, bool) else shown


# By event loop, because tests and tools have several.
_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


class Waiter:
    """
    One trigger's place in the poll.

    :param poller: the shared poll.
    :param batch_call_id: the batch call that it waits for.
    """

    def __init__(self, poller: Poller, batch_call_id: str) -> None:
        self._poller = poller
        self.batch_call_id = batch_call_id
        self.status = ""
        self.due = 0.0
        self.welcome = 0.0
        self.answer: asyncio.Future[BatchCall | BaseException] | None = None

    async def next(self, due: float) -> BatchCall | BaseException:
        """
        Return the next reading of the batch call, or the error that prevented it.

        :param due: instant (seconds since 1970) by which to read. The reading may come earlier, along with others.
        """
        now = time.time()
        self.due = due
        # A reading in the second half of the wait saves one of its own, and brings all waiters into step.
        self.welcome = now + max(0.0, due - now) / 2
        self.answer = asyncio.get_running_loop().create_future()
        self._poller.wake()
        try:
            reading = await self.answer
        finally:
            self.answer = None
        if not isinstance(reading, BaseException):
            self.status = reading.status
        return reading

    @property
    def is_asking(self) -> bool:
        """Whether this trigger still waits for a reading."""
        return self.answer is not None and not self.answer.done()

    def hand_over(self, reading: BatchCall | BaseException) -> None:
        """Hand over a reading, if this trigger waits for one."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(reading)


class Poller:
    """
    Reads the batch calls of all its waiters.

    :param hook: a ``TruedyAsyncHook``. Its client is asked for again after every failed round, so that a corrected
        connection is noticed.
    """

    def __init__(self, hook: Any) -> None:
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)
        self._hook = hook
        self._reader: BatchReader | None = None
        self._changed = asyncio.Event()
        # In a context of its own: what it logs belongs to none of the tasks, least of all to the first one.
        self._task = contextvars.Context().run(asyncio.create_task, self._run())

    @property
    def is_idle(self) -> bool:
        """Whether no trigger waits any more."""
        return not self._waiters

    def join(self, waiter: Waiter) -> None:
        """Take a waiter in."""
        self._waiters[waiter.batch_call_id].add(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter."""
        group = self._waiters[waiter.batch_call_id]
        group.discard(waiter)
        if not group:
            del self._waiters[waiter.batch_call_id]

    def wake(self) -> None:
        """Check again which waiters want a reading."""
        self._changed.set()

    async def stop(self) -> None:
        """End the poll and close its connections."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._hook.aclose()

    async def _run(self) -> None:
        while True:
            await self._until_due()
            await self._round()

    def _asking(self) -> list[Waiter]:
        return [waiter for group in self._waiters.values() for waiter in group if waiter.is_asking]

    async def _until_due(self) -> None:
        while True:
            self._changed.clear()
            due = min((waiter.due for waiter in self._asking()), default=None)
            pause = None if due is None else due - time.time()
            if pause is not None and pause <= 0:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)

    async def _round(self) -> None:
        now = time.time()
        asked = [waiter for waiter in self._asking() if waiter.welcome <= now]
        try:
            if self._reader is None:
                self._reader = BatchReader(await self._hook.get_async_conn())
            wanted = {waiter.batch_call_id: waiter.status for waiter in asked}
            async for batch_call_id, reading in self._reader.read(wanted):
                for waiter in self._waiters.get(batch_call_id, ()):
                    waiter.hand_over(reading)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as problem:
            # All others, whatever they are (Airflow has one that is not an Exception): a poll that dies leaves its
            # waiters hanging. They decide how long to bear it. The connection is read again, it may be what is wrong.
            for waiter in asked:
                waiter.hand_over(problem)
            self._reader = None
            await self._hook.aclose()


@asynccontextmanager
async def waiting_for(
    truedy_conn_id: str, batch_call_id: str, make_hook: Callable[[str], Any]
) -> AsyncIterator[Waiter]:
    """
    Take a place in the shared poll of this event loop and connection.

    :param truedy_conn_id: connection of type ``truedy``.
    :param batch_call_id: the batch call to read.
    :param make_hook: makes the hook of a connection for the first one who waits.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(truedy_conn_id)
    if poller is None:
        poller = pollers[truedy_conn_id] = Poller(make_hook(truedy_conn_id))
    waiter = Waiter(poller, batch_call_id)
    poller.join(waiter)
    try:
        yield waiter
    finally:
        poller.leave(waiter)
        if poller.is_idle and pollers.get(truedy_conn_id) is poller:
            # Out of the registry first: whoever comes while it closes gets a new one.
            del pollers[truedy_conn_id]
            await poller.stop()
