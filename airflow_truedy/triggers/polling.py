"""
One poll for all triggers of a connection in this triggerer.

Airflow's own shared streams (3.3) are for event triggers only, know none of the subscribers' ids and end all
subscribers at the first error of the stream; a deferred task needs none of that and has to work on Airflow 3.0. So the
triggers share a poller of their own, which lives as long as one of them waits.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_truedy.hooks.truedy import TruedyAsyncHook
from airflow_truedy.monitoring.shared_reader import BatchReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_truedy.api.models import BatchCall

# By event loop, because tests and tools have several.
_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


class Waiter:
    """
    One trigger's place in the poll.

    :param poller: the shared poll.
    :param batch_call_id: whom it waits for.
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
        Return the next reading of the batch call, or the error that stood in its way.

        :param due: instant (seconds since 1970) by which it is wanted. It may come earlier, when others are read.
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
        """Whether a reading is waited for; one that was told and not yet fetched is none."""
        return self.answer is not None and not self.answer.done()

    def tell(self, reading: BatchCall | BaseException) -> None:
        """Hand a reading over, if one is waited for."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(reading)


class Poller:
    """
    Reads the batch calls of all its waiters.

    :param truedy_conn_id: the connection; read again after every failed round, so that a corrected one is noticed.
    """

    def __init__(self, truedy_conn_id: str) -> None:
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)
        self._hook = TruedyAsyncHook(truedy_conn_id)
        self._reader: BatchReader | None = None
        self._changed = asyncio.Event()
        # In a context of its own: what it logs belongs to none of the tasks, least of all to the first one.
        self._task = contextvars.Context().run(asyncio.create_task, self._run())

    @property
    def is_idle(self) -> bool:
        """Whether nobody is left to read for."""
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
        """Look at the waiters again: one of them wants a reading."""
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
                    waiter.tell(reading)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as problem:
            # All others, whatever they are (Airflow has one that is no Exception): a poll that dies lets its waiters
            # hang. They decide how long to bear it. The connection is read again, it may be what is wrong.
            for waiter in asked:
                waiter.tell(problem)
            self._reader = None
            await self._hook.aclose()


@asynccontextmanager
async def waiting_for(truedy_conn_id: str, batch_call_id: str) -> AsyncIterator[Waiter]:
    """
    Take a place in the shared poll of this event loop and connection.

    :param truedy_conn_id: connection of type ``truedy``.
    :param batch_call_id: whom to read.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(truedy_conn_id)
    if poller is None:
        poller = pollers[truedy_conn_id] = Poller(truedy_conn_id)
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
