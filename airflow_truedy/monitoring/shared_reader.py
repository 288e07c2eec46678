"""
Read many batch calls in few requests.

One request reads one batch call by its id, or up to 100 from a list. Which is cheaper depends on how many are wanted
and how long each list is (the whole one, or one state's); the answers themselves tell the lengths.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import (
    InvalidRequestError,
    NotFoundError,
    ServerError,
    TruedyError,
    UnreadableAnswerError,
)
from airflow_truedy.api.paging import Pager
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_truedy.api.client import AsyncTruedyClient
    from airflow_truedy.api.models import BatchCall

    Reading = tuple[str, BatchCall | TruedyError]

log = logging.getLogger(__name__)

# The states that a waiting campaign can be listed by. The whole list (None) shows the ended ones too.
_LISTED = (State.ACTIVE, State.SCHEDULED, State.PAUSED)
# Errors that may concern one batch call, or one list, and not the connection.
_OF_ONE = (NotFoundError, ServerError, UnreadableAnswerError, InvalidRequestError)
_ERRORS_IN_A_ROW = 3
_PAGE = 100


class BatchReader:
    """
    Reads batch calls by id and remembers how long each list was.

    :param client: whose pace all reading keeps.
    """

    def __init__(self, client: AsyncTruedyClient) -> None:
        self._client = client
        self._lengths: dict[State | None, int] = {}
        self._useless: set[State | None] = set()

    async def read(self, wanted: Mapping[str, str]) -> AsyncIterator[Reading]:
        """
        Read the wanted batch calls in as few requests as are known to do.

        Yields more than was wanted where a list shows it for nothing. One that is in no list is read by its id before
        it counts as gone.

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
        """Return how many requests a list takes; 1, to find out, where that is not known."""
        return max(1, math.ceil(self._lengths.get(filter_, 0) / _PAGE))

    async def _listed(self, filter_: State | None, left: Mapping[str, str]) -> AsyncIterator[BatchCall]:
        pager = Pager(endpoints.list_batch_calls(status=filter_.value if filter_ else None))
        shown = 0
        try:
            while left and (call := pager.next_request()) is not None:
                page = await self._client.send(call)
                shown += len(page.items)
                self._lengths[filter_] = _length(page.pagination.get("total"), shown)
                for batch in pager.take(page):
                    yield batch
                if self._pages(filter_) - math.ceil(shown / _PAGE) >= len(left):
                    return  # The rest of the list costs more than reading the rest one by one.
        except _OF_ONE as problem:
            log.warning("%s Reading batch calls without this list.", problem)
            if not isinstance(problem, ServerError):
                self._useless.add(filter_)

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
        """Give up a filter that hid a batch call in its very state: servers differ in the words they know."""
        if expected is not None and State.of(batch.status) is expected and not self._lengths.get(expected):
            self._useless.add(expected)


def _length(total: object, shown: int) -> int:
    return max(int(total), shown) if isinstance(total, (int, float)) and not isinstance(total, bool) else shown
