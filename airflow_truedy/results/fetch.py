"""
Read the results of a batch call with as few requests as the API permits.

    contacts, page by page -> what is known already -> details of the other calls -> those that were not there yet

``GET /calls/{id}`` costs a request a call; ``GET /calls`` shows a hundred whole calls in one. There is no filter by
batch call (API facts, b.4), so the agent's list is walked for as long as it pays, and only the rest is read singly.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError
from airflow_truedy.api.paging import Pager
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.call_status import COMPLETED, call_status
from airflow_truedy.campaigns.schedule import UTC
from airflow_truedy.campaigns.status import State
from airflow_truedy.results.columns import Contacted, is_complete

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall, Call
    from airflow_truedy.results.staging import Spool

log = logging.getLogger(__name__)

_CONTACTS_AT_ONCE = 1_000
#: Below this many calls, reading them singly is as cheap as looking for them.
_WORTH_A_LIST = 10
#: Pages of the agent's calls that may bring less than they cost, before the list is given up.
_PATIENCE = 10
_FIRST_PAUSE = 5.0

#: Puts into the spool what an earlier reading left.
Recall = Callable[["Spool"], None]


@dataclass(frozen=True)
class Reading:
    """
    What to read.

    :param details: length, cost and summary of each call.
    :param transcripts: also what was said, one more request for each answered call.
    :param settle_seconds: how long to wait, in all, for details that the server has not got yet.
    :param threads: requests under way at once; the client paces them.
    """

    details: bool = True
    transcripts: bool = False
    settle_seconds: float = 120.0
    threads: int = 4


class ResultsReader:
    """
    Brings the results of one batch call into a spool.

    :param sleep: how to wait for details.
    :param now: the clock, in UTC.
    :ivar requests: requests made, those that the client repeated counted once.
    """

    def __init__(
        self,
        client: TruedyClient,
        reading: Reading | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._reading = reading or Reading()
        self._sleep = sleep
        self._now = now
        self.requests = 0

    def read(self, batch_call_id: str, spool: Spool, recall: Recall | None = None) -> BatchCall:
        """
        Fill the spool.

        :param recall: puts in what an earlier reading left; calls that it knew whole are not read again.
        :return: the batch call, as it was when the reading began.
        """
        batch = steps.read(self._client, batch_call_id)
        self.requests += 1
        state = State.of(batch.status)
        if not state.is_terminal:
            log.warning("Batch call %s is %r: its results will change. Read them again at its end.", batch.id, state)
        self._list_contacts(batch_call_id, spool)
        if self._reading.details:
            spool.want_details(of_unended=state.is_terminal)
            if self._reading.transcripts:
                spool.want_transcripts(COMPLETED)
        if recall is not None:
            recall(spool)
        self._read_details(spool, batch.agent_id)
        return batch

    def _list_contacts(self, batch_call_id: str, spool: Spool) -> None:
        contacts = map(Contacted.of, self._walk(endpoints.list_batch_call_contacts(batch_call_id)))
        while piece := list(islice(contacts, _CONTACTS_AT_ONCE)):
            spool.add(piece)

    def _walk(self, list_call: Any) -> Iterator[Any]:
        for page in self._pages(list_call):
            yield from page

    def _pages(self, list_call: Any) -> Iterator[list[Any]]:
        pager: Pager[Any] = Pager(list_call)
        while (call := pager.next_request()) is not None:
            self.requests += 1
            yield pager.take(self._client.send(call))

    # Details

    def _read_details(self, spool: Spool, agent_id: str | None) -> None:
        waited, pause = 0.0, _FIRST_PAUSE
        with ThreadPoolExecutor(self._reading.threads, thread_name_prefix="truedy-results") as pool:
            self._round(spool, agent_id, pool)
            while (left := spool.wanted() + spool.wanted_transcripts()) and waited < self._reading.settle_seconds:
                pause = min(pause, self._reading.settle_seconds - waited)
                log.info("%d call details or transcripts are not there yet; asking again in %.0f s.", left, pause)
                self._sleep(pause)
                waited, pause = waited + pause, pause * 2
                self._round(spool, agent_id, pool)
        if left := spool.wanted():
            log.warning("%d calls have no details after %.0f s; the next run asks for them again.", left, waited)
        spool.give_up()

    def _round(self, spool: Spool, agent_id: str | None, pool: ThreadPoolExecutor) -> None:
        spool.start_round()
        wanted = spool.wanted()
        if wanted:
            log.info("Reading the details of %d calls.", wanted)
        if wanted >= _WORTH_A_LIST:
            self._from_list(spool, agent_id, wanted)
        for call_ids in spool.unseen_calls():
            self.requests += len(call_ids)
            for call_id, call in zip(call_ids, pool.map(self._call, call_ids), strict=True):
                spool.look(call_id)
                if call is None:
                    spool.miss_details(call_id)
                else:
                    self._keep(spool, call_id, call)
        for call_ids in spool.calls_without_transcript():
            self.requests += len(call_ids)
            for call_id, text in zip(call_ids, pool.map(self._transcript, call_ids), strict=True):
                if text is not None:
                    spool.set_transcript(call_id, text)
                else:
                    # Calls that ended a while ago have none (it can be turned off); only fresh ones are asked again.
                    fresh_since = self._now() - timedelta(seconds=self._reading.settle_seconds)
                    spool.miss_transcript(call_id, fresh_since)

    def _from_list(self, spool: Spool, agent_id: str | None, wanted: int) -> None:
        """Walk the agent's calls while a page brings more than it costs."""
        found = 0
        # As long as a page finds a call or more, this never costs more than a request a call would.
        for pages, page in enumerate(self._pages(endpoints.list_calls(agent_id=agent_id)), 1):
            for call in page:
                # A list that leaves the summaries out is no substitute for the calls themselves.
                if "summary" in call.model_fields_set and spool.look(call.id):
                    found += 1
                    self._keep(spool, call.id, call)
            if found >= wanted or pages >= found + _PATIENCE:
                return

    def _keep(self, spool: Spool, call_id: str, call: Call) -> None:
        if is_complete(call, self._now(), self._reading.settle_seconds):
            spool.set_details(call_id, call_status(call.status), call)
            embedded = (call.model_extra or {}).get("transcript")
            if self._reading.transcripts and isinstance(embedded, list) and embedded:
                spool.set_transcript(call_id, _as_text(embedded))

    def _call(self, call_id: str) -> Call | None:
        try:
            return self._client.send(endpoints.get_call(call_id))
        except NotFoundError:
            return None

    def _transcript(self, call_id: str) -> str | None:
        try:
            found = self._client.send(endpoints.get_transcript(call_id)).transcript
        except NotFoundError:
            return None
        return _as_text(found) if found else None


def _as_text(transcript: list[Any]) -> str:
    return json.dumps(transcript, ensure_ascii=False)
