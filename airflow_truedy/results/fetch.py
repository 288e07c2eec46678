"""
Read the results of a batch call with as few requests as the API permits.

    contacts, page by page, until all are there -> what is known already -> details of the other calls

``GET /calls/{id}`` costs one request for each call; ``GET /calls`` shows a hundred complete calls in one. It cannot be
filtered by batch call, so the agent's list is read as long as that saves requests, and the rest one by one.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import InconsistentListError, NotFoundError
from airflow_truedy.campaigns import steps
from airflow_truedy.campaigns.status import State
from airflow_truedy.results.columns import Contacted, Details, IncompleteResultsError, details_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall, Call
    from airflow_truedy.results.staging import Staging

log = logging.getLogger(__name__)

_CONTACTS_AT_ONCE = 1_000
#: Below this many calls, reading them singly is as cheap as looking for them.
_WORTH_A_LIST = 10
#: Pages of the agent's calls that may bring less than they cost, before the list is given up.
_PATIENCE = 10
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 20.0
#: Listings in a row that bring no new contact, before a list counts as incomplete.
_STALE_LISTINGS = 3


@dataclass(frozen=True)
class Reading:
    """
    What to read.

    :param details: length, cost and summary of each call.
    :param transcripts: also what was spoken, one more request for each answered call.
    :param settle_seconds: how long to wait, in all, for details that the server does not have yet.
    :param threads: requests under way at once; the client paces them.
    :param may_be_incomplete: whether a list that stays shorter than the batch call's own count is a warning only.
    """

    details: bool = True
    transcripts: bool = False
    settle_seconds: float = 120.0
    threads: int = 4
    may_be_incomplete: bool = False


class ResultsReader:
    """
    Brings the results of one batch call into the staging.

    :param sleep: how to wait for contacts and details.
    :param now: the clock, in UTC. Default: the server's.
    :ivar requests: requests made, those that the client repeated counted once.
    :ivar missing: contacts that the batch call has and the server did not list.
    :ivar is_complete: whether as many contacts are listed as the batch call has.
    """

    def __init__(
        self,
        client: TruedyClient,
        reading: Reading | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._client = client
        self._reading = reading or Reading()
        self._sleep = sleep
        self._now = now or client.now
        self.requests = 0
        self.missing = 0
        self.is_complete = False

    def read(self, batch_call_id: str, staging: Staging) -> BatchCall:
        """
        Fill the staging. What it knows from an earlier reading is not read again.

        :return: the batch call, as it was when the reading began.
        :raises IncompleteResultsError: if the server lists fewer contacts than the batch call has, also after pauses.
        """
        batch = self._batch(batch_call_id)
        state = State.of(batch.status)
        if not state.is_terminal:
            log.warning("Batch call %s is %r: its results will change. Read them again at its end.", batch.id, state)
        self._list_all(batch, staging)
        staging.tell_apart()
        if self._reading.details:
            staging.want_details(of_unended=state.is_terminal, transcripts=self._reading.transcripts)
        staging.recall()
        self._read_details(staging, batch.agent_id)
        return batch

    def _batch(self, batch_call_id: str) -> BatchCall:
        self.requests += 1
        return steps.read(self._client, batch_call_id)

    # Contacts

    def _list_all(self, batch: BatchCall, staging: Staging) -> None:
        """List the contacts until there are as many as the batch call has, or further listings bring nothing new."""
        stale, pause = 0, _FIRST_PAUSE
        while True:
            before = staging.count()
            contradiction = self._list_once(batch.id, staging)
            found, expected = staging.count(), batch.total_contacts
            self.missing = max(0, (expected or 0) - found)
            # As many as the batch call has: then it does not matter how the list counted them.
            if not self.missing and (contradiction is None or expected is not None):
                break
            stale = 0 if found > before else stale + 1
            if stale >= _STALE_LISTINGS:
                self._give_up_on_contacts(found, expected, contradiction)
                break
            log.info("%d of %s contacts are listed; listing them again in %.0f s.", found, expected, pause)
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            batch = self._batch(batch.id)
        self.is_complete = expected is not None and not self.missing
        if expected is None:
            log.warning("The server does not tell how many contacts there are; %d are listed.", found)

    def _list_once(self, batch_call_id: str, staging: Staging) -> InconsistentListError | None:
        """List the contacts once; return how the list contradicted itself, if it did."""
        listed: list[Contacted] = []
        contradiction = None
        try:
            for page in self._pages(endpoints.list_batch_call_contacts(batch_call_id)):
                listed += map(Contacted.of, page)
                if len(listed) >= _CONTACTS_AT_ONCE:
                    staging.add(listed)
                    listed = []
        except InconsistentListError as found:
            contradiction = found
        staging.add(listed)
        return contradiction

    def _give_up_on_contacts(
        self, found: int, expected: int | None, contradiction: InconsistentListError | None
    ) -> None:
        told = f"The server lists {found} of {expected or 'an unknown number of'} contacts, also when asked again."
        if contradiction is not None:
            told += f" {contradiction}"
        if not self._reading.may_be_incomplete:
            raise IncompleteResultsError(
                f"{told} Nothing was written. Run the task again later, or take what there is with "
                'on_incomplete="warn".'
            )
        log.warning("%s The results are incomplete.", told)

    def _pages(self, list_request: Any) -> Iterator[list[Any]]:
        for page in self._client.iter_pages(list_request):
            self.requests += 1
            yield page.items

    # Details

    def _read_details(self, staging: Staging, agent_id: str | None) -> None:
        waited, pause = 0.0, _FIRST_PAUSE
        with ThreadPoolExecutor(self._reading.threads, thread_name_prefix="truedy-results") as pool:
            self._round(staging, agent_id, pool)
            while (left := staging.wanted() + staging.wanted_transcripts()) and waited < self._reading.settle_seconds:
                pause = min(pause, self._reading.settle_seconds - waited)
                log.info("%d call details or transcripts are not there yet; asking again in %.0f s.", left, pause)
                self._sleep(pause)
                waited, pause = waited + pause, pause * 2
                self._round(staging, agent_id, pool)
        if left := staging.wanted():
            log.warning("%d calls have no details after %.0f s; the next run asks for them again.", left, waited)
        staging.give_up()

    def _round(self, staging: Staging, agent_id: str | None, pool: ThreadPoolExecutor) -> None:
        staging.start_round()
        wanted = staging.wanted()
        if wanted:
            log.info("Reading the details of %d calls.", wanted)
        if wanted >= _WORTH_A_LIST:
            self._from_list(staging, agent_id, wanted)
        for call_ids in staging.unseen_calls():
            self.requests += len(call_ids)
            for call_id, call in zip(call_ids, pool.map(self._call, call_ids), strict=True):
                staging.look(call_id)
                if call is None:
                    staging.miss_details(call_id)
                else:
                    self._keep(staging, call_id, call)
        for call_ids in staging.calls_without_transcript():
            self.requests += len(call_ids)
            for call_id, text in zip(call_ids, pool.map(self._transcript, call_ids), strict=True):
                if text is not None:
                    staging.set_transcript(call_id, text)
                else:
                    # Calls that ended a while ago have none (it can be turned off); only fresh ones are asked again.
                    fresh_since = self._now() - timedelta(seconds=self._reading.settle_seconds)
                    staging.miss_transcript(call_id, fresh_since)

    def _from_list(self, staging: Staging, agent_id: str | None, wanted: int) -> None:
        """Read the agent's list of calls while each page saves more requests than it costs."""
        found = 0
        try:
            # As long as a page finds a call or more, this never costs more than a request a call would.
            for pages, page in enumerate(self._pages(endpoints.list_calls(agent_id=agent_id)), 1):
                for call in page:
                    # A list that leaves the summaries out does not replace the calls themselves.
                    if "summary" in call.model_fields_set and staging.look(call.id):
                        found += 1
                        self._keep(staging, call.id, call)
                if found >= wanted or pages >= found + _PATIENCE:
                    return
        except InconsistentListError as problem:
            # Calls that are placed meanwhile move the list; what it did not show is read singly.
            log.info("%s", problem)

    def _keep(self, staging: Staging, call_id: str, call: Call) -> None:
        details = details_of(call, self._now(), self._reading.settle_seconds)
        if details is Details.WANTED:
            return
        staging.set_details(call_id, call, details)
        embedded = (call.model_extra or {}).get("transcript")
        if self._reading.transcripts and isinstance(embedded, list) and embedded:
            staging.set_transcript(call_id, _as_text(embedded))

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
