"""
Measure what a launch assumes of a server; ``python -m airflow_truedy.check`` shows it.

One draft with fictional numbers is made, read in every way in which a launch reads, and deleted again. Nothing is ever
scheduled. If the create itself starts something, its start is 30 days ahead, it is paused, and the check stops.
"""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_truedy.api import endpoints, models
from airflow_truedy.api.errors import ForbiddenByConnectionError, InvalidRequestError, NotFoundError, TruedyError
from airflow_truedy.campaigns.identity import CampaignKey, digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import Envelope
    from airflow_truedy.api.request import ListRequest, Request

T = TypeVar("T")

#: How many fictional numbers the draft holds in the end.
CONTACTS = 120
_START = {"timezone": "America/New_York", "start_time": "09:00", "end_time": "17:00", "schedule_type": "scheduled"}
# A lag is over when the looks of so many seconds, and at least three, have shown what was written.
_SHORTEST_WATCH, _LONGEST_WATCH = 7.0, 60.0
# What was quick today may take longer tomorrow.
_SHORTEST_SETTLE = 15.0
_LARGEST_OFFSET = 5.0


@dataclass(frozen=True)
class Finding:
    """One promise: whether this server keeps it (``None``: it could not be told), and what was found."""

    promise: str
    holds: bool | None
    found: str


class _Stop(Exception):  # noqa: N818 - an end of the check, not a fault of the program
    """The check must not or cannot go on."""


@dataclass
class ServerCheck:
    """
    One check of one server.

    :param client: how to reach it.
    :param sleep: waits for seconds.
    :param clock: seconds; only differences count.
    :param now: our own time.
    :param say: shows a line of progress.
    """

    client: TruedyClient
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    say: Callable[[str], object] = lambda _: None
    findings: list[Finding] = field(default_factory=list)
    #: Seconds after which each thing that was written was seen; ``None``: not within a minute.
    lags: dict[str, float | None] = field(default_factory=dict)
    #: Ids of batch calls that could not be deleted.
    left_behind: list[str] = field(default_factory=list)
    #: Whether the check came to its end.
    complete: bool = False

    def run(self, agent_id: str | None = None) -> None:
        """
        Carry out the check and clean up.

        :param agent_id: the agent of the draft. Default: the first one that is active and has a number.
        """
        self._token = f"check {uuid.uuid4().hex[:8]}"
        self._key = CampaignKey(self._token, "airflow-check")
        self._ids: list[str] = []
        self._may_have_created = False
        try:
            agent_id = agent_id or self._find_agent()
            self._check_refusals()
            self._check_create(agent_id)
            self._check_answer()
            self._check_rename()
            self._check_contacts()
            self.complete = True
        except _Stop as stop:
            self.say(f"Stopped: {stop}")
            self._tell("The check comes to its end", False, str(stop))
        except TruedyError as error:
            self._tell("The check comes to its end", False, _words_of(error))
        finally:
            self._clean_up()

    def settle(self) -> tuple[float | None, str]:
        """Return the ``settle`` that fits in seconds, ``None`` if none is known, and a sentence about it."""
        unseen = [what for what, lag in self.lags.items() if lag is None]
        if not self.complete:
            return None, "settle was not measured, because the check did not come to its end"
        if unseen:
            return None, f"No settle fits: {unseen[0]} later than after {_LONGEST_WATCH:.0f} s, if at all"
        worst = max((lag for lag in self.lags.values() if lag is not None), default=0.0)
        fits = float(max(_SHORTEST_SETTLE, math.ceil(2 * worst)))
        return fits, f"settle = {fits:.0f} or more fits; the longest lag was {worst:.1f} s"

    def _tell(self, promise: str, holds: bool | None, found: str) -> None:
        for each in self._ids:
            found = found.replace(each, "(id)")
        self.findings.append(Finding(promise, holds, found))

    # --- before anything is written

    def _find_agent(self) -> str:
        for each in self.client.pages(endpoints.list_agents()):
            if each.status == "active" and each.outbound_phone_numbers:
                return each.id
        raise _Stop("no agent is active and has a number to call from")

    def _check_refusals(self) -> None:
        self.say("Asking for what does not exist ...")
        unknown = f"airflow-check-{uuid.uuid4().hex[:8]}"
        self._refused("An unknown batch call is a 404", endpoints.get_batch_call(unknown), NotFoundError)
        create = endpoints.create_batch_call(self._wanted(self._token, unknown))
        self._may_have_created = True
        self._refused("An unknown agent is refused with a reason", create, InvalidRequestError, NotFoundError)

    def _refused(self, promise: str, request: Request[models.BatchCall], *wanted: type[TruedyError]) -> None:
        try:
            self._draft(self.client.send(request))
        except ForbiddenByConnectionError:
            raise
        except TruedyError as error:
            known = f"{error.status}, code {error.code}, {'a' if error.request_id else 'no'} request id"
            fields = ", ".join(sorted(getattr(error, "fields", ()))) or "none"
            holds = None if error.retryable else isinstance(error, wanted)
            self._tell(promise, holds, f"{known}, fields named: {fields}")
        else:
            self._tell(promise, False, "accepted")

    def _wanted(self, name: str, agent_id: str) -> models.BatchCallRequest:
        start = (self.now() + timedelta(days=30)).replace(hour=17, minute=0, second=0, microsecond=0)
        contacts = [{"phone_number": _number(0)}]
        wanted = {"name": name, "agent_id": agent_id, "contacts": contacts, "scheduled_at": start, **_START}
        return models.BatchCallRequest.checked(**wanted)

    # --- the draft

    def _check_create(self, agent_id: str) -> None:
        self.say("Making a draft with one fictional number ...")
        name = self._key.tagged(f"{self._token} of airflow-provider-truedy, may be deleted {'.' * 255}", digest(""))
        wanted = self._wanted(name, agent_id)
        create = endpoints.create_batch_call(wanted, idempotency_key=str(uuid.uuid4())).once()
        first = self._create(create)
        if first is None:
            self._watch({"a create whose answer was lost is carried out": self._ours})
            first = next((self._draft(each) for each in self._ours()), None)
        if first is None:
            raise _Stop(f"no draft appeared; should {self._token!r} show up in the dashboard, delete it")
        self._id, since = first.id, self.clock()
        again = self._create(create)
        same = again.id == first.id if again else None
        found = "its answer was lost" if same is None else "the same draft" if same else "a second draft"
        self._tell("An idempotency key is honoured", same, found)
        self._check_name("A long name keeps the tag", name, first.name)
        self._watch({"a new draft is read": self._read, "a new draft is listed": self._listed}, since)
        self._tell("A create makes a draft", True, "status draft")

    def _create(self, create: Request[models.BatchCall]) -> models.BatchCall | None:
        """Return what a create answers; None if its answer was lost."""
        try:
            return self._draft(self.client.send(create))
        except TruedyError as error:
            if not error.retryable:
                raise
            self._tell("A create is answered", False, _words_of(error))
            return None

    def _draft(self, batch: models.BatchCall) -> models.BatchCall:
        """Return a batch call if it is a draft; else pause it and stop."""
        self._ids.append(batch.id)
        if batch.status == "draft":
            return batch
        try:
            self.client.send(endpoints.pause_batch_call(batch.id))
            done = "it was paused"
        except TruedyError as error:
            done = f"PAUSE IT BY HAND, it begins in 30 days: {_words_of(error)}"
        self._tell("A create makes a draft", False, f"status {batch.status or 'missing'}; {done}")
        raise _Stop(f"the create started batch call {batch.id}; {done}")

    def _check_name(self, promise: str, sent: str, stored: str | None) -> None:
        tag, stored = self._key.tag_in(stored), stored or ""
        found = "kept" if stored == sent else "cut" if sent.startswith(stored) else "rewritten"
        self._tell(promise, tag == self._key.tag_in(sent), f"{found}, {len(stored)} of {len(sent)} characters")

    def _check_answer(self) -> None:
        read, written = endpoints.get_batch_call(self._id), ""

        def parse(envelope: Envelope) -> models.BatchCall:
            nonlocal written
            written = str(envelope.data.get("created_at"))
            return read.parse(envelope)

        made, ours = self.client.send(replace(read, parse=parse)), self.now()
        form = "Z" if written.endswith("Z") else "an offset" if written[-6:-5] in ("+", "-") else "no offset"
        is_utc = abs(ours - made.created_at) < timedelta(minutes=10) if made.created_at else None
        self._tell("Times are UTC", is_utc, f"{len(written)} characters with {form}")
        offset = (made.answered_at - ours).total_seconds() if made.answered_at else None
        agrees, found = (
            (None, "no time") if offset is None else (abs(offset) <= _LARGEST_OFFSET, f"{round(offset):+d} s")
        )
        self._tell("The server's clock agrees with ours", agrees, found)
        times = [each.created_at for each in self._page(endpoints.list_batch_calls())[0] if each.created_at]
        newest, oldest = times == sorted(times, reverse=True), times == sorted(times)
        order = (
            "too few to tell"
            if newest and oldest
            else "as promised"
            if newest
            else "oldest first"
            if oldest
            else "none"
        )
        self._tell("Batch calls are listed newest first", None if newest and oldest else newest, order)

    def _check_rename(self) -> None:
        self.say("Renaming it, with the pause marker ...")
        name = self._key.with_pause_marker(self._key.tagged(f"{self._token} renamed", digest("")))
        update = models.BatchCallUpdate.checked(name=name)
        stored = self.client.send(endpoints.update_batch_call(self._id, update)).name
        self._check_name("A short name keeps the tag and the pause marker", name, stored)
        looks = {"a change is read": self._read, "a change is listed": self._listed}
        self._watch({what: partial(_shows, look, name=stored) for what, look in looks.items()})

    def _check_contacts(self) -> None:
        self.say(f"Adding {CONTACTS - 1} fictional numbers, and reading them ...")
        more = [{"phone_number": _number(index)} for index in range(1, CONTACTS)]
        added = self.client.send(endpoints.add_contacts(self._id, more)).added_count
        self._tell("An add tells how many it added", added == len(more), f"{added} of {len(more)}")
        contacts = endpoints.list_batch_call_contacts(self._id)
        self._watch(
            {
                "added contacts are counted": partial(_shows, self._read, total_contacts=CONTACTS),
                "added contacts are listed": lambda: len(self._page(contacts)[0]) > 1,
            }
        )
        rows, total = self._page(contacts)
        again, second = self._page(contacts)[0], self._page(contacts, len(rows))[0]
        first, same, next_ones = ([contacts.key(each) for each in page] for page in (rows, again, second))
        try:
            read = len({contacts.key(each) for each in self.client.pages(contacts)})
            outcome = f"{read} of {CONTACTS} rows read"
        except TruedyError as error:
            read, outcome = 0, f"reading fails: {error.message}"
        order, offset = "stable" if same == first else "unstable", "ignored" if next_ones == first else "honoured"
        found = f"total {total}, order {order}, offset {offset}, {len(first)} rows where 100 were asked for; {outcome}"
        self._tell("Lists can be read whole", read == CONTACTS, found)

    # --- how it looks and cleans up

    def _page(self, of: ListRequest[T], offset: int = 0) -> tuple[list[T], int | None]:
        page = self.client.send(of.page(("offset", offset)))
        return page.items, page.total

    def _read(self) -> models.BatchCall | None:
        """Return the draft as it is read now; None for a 404."""
        try:
            return self._draft(self.client.send(endpoints.get_batch_call(self._id)))
        except NotFoundError:
            return None

    def _all_listed(self) -> list[models.BatchCall]:
        """Return the first page of batch calls, and the last one where the total tells where that is."""
        first, total = self._page(endpoints.list_batch_calls())
        more = (
            self._page(endpoints.list_batch_calls(), max(len(first), total - 50))[0]
            if total and total > len(first)
            else []
        )
        return first + more

    def _listed(self) -> models.BatchCall | None:
        return next((each for each in self._all_listed() if each.id == self._id), None)

    def _ours(self) -> list[models.BatchCall]:
        """Return the batch calls that this check made, whatever became of their tag."""
        return [each for each in self._all_listed() if self._token in (each.name or "").lower()]

    def _watch(self, looks: dict[str, Callable[[], object]], since: float | None = None) -> None:
        """Look with growing pauses; note after how many seconds each look was true for good, 0 for always."""
        began, pause, hits = self.clock() if since is None else since, 0.1, dict.fromkeys(looks, 0)
        self.lags |= dict.fromkeys(looks, 0.0)
        while True:
            for what, look in looks.items():
                at = self.clock() - began
                hits[what] = hits[what] + 1 if look() else 0
                if not hits[what]:
                    self.lags[what] = None
                elif self.lags[what] is None:
                    self.lags[what] = round(at, 1)
            passed = self.clock() - began
            if passed >= _LONGEST_WATCH or (passed >= _SHORTEST_WATCH and min(hits.values()) >= 3):
                return
            self.sleep(pause)
            pause = min(1.6 * pause, 5.0)

    def _clean_up(self) -> None:
        if not self._may_have_created:
            return
        try:
            ids = list(dict.fromkeys([*self._ids, *(each.id for each in self._ours())]))
            self.left_behind = ids
            if not ids:
                return
            self.say("Deleting it ...")
            refused = self.client.send(endpoints.delete_batch_calls(ids)).failed_ids or []
            deleted = [each for each in ids if each not in refused]
            if deleted:
                self._watch({"a deletion is read": lambda: not any(map(self._exists, deleted))})
            self.left_behind = [each for each in ids if each in refused or self._exists(each)]
        except TruedyError as error:
            self._tell("A draft can be deleted", False, _words_of(error))
        else:
            self._tell("A draft can be deleted", not self.left_behind, f"{len(self.left_behind)} left behind")

    def _exists(self, batch_call_id: str) -> bool:
        try:
            self.client.send(endpoints.get_batch_call(batch_call_id))
        except NotFoundError:
            return False
        return True


def _shows(look: Callable[[], models.BatchCall | None], **fields: object) -> bool:
    found = look()
    return found is not None and all(getattr(found, name) == value for name, value in fields.items())


def _number(index: int) -> str:
    """Return a number of the range that is reserved for fiction, 555-0100 to 555-0199, in one of two area codes."""
    return f"+1{('212', '646')[index // 100]}55501{index % 100:02d}"


def _words_of(error: TruedyError) -> str:
    """Return an error's text without the name of the connection: the report goes to others."""
    error.connection = None
    return str(error)
