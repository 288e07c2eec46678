"""
Notice which campaigns of an account have ended, each once, whoever made them.

The API keeps no history, so two readings of the account are compared. A watermark outlives a restart: the batch calls
that had not ended at the last look, including drafts, and the time of that look. A campaign that has ended since was
either among them or made later. A row that is missing from a list is read by its id: absence does not prove an end.

Looks are shared: several watermarks cost as many requests as one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError, TruedyError
from airflow_truedy.campaigns.identity import NewestFirst
from airflow_truedy.campaigns.status import State
from airflow_truedy.formats import moment_of, utc_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_truedy.api.client import AsyncTruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.monitoring.shared_reader import BatchReader

WATERMARK_VERSION = 1
#: How late a batch call may turn up in a list, and how far the server's clock may be off.
_OVERLAP = timedelta(hours=1)
#: How long a batch call must answer 404 before it counts as deleted.
_GONE_AFTER = timedelta(minutes=10)
# A campaign moves through them in this order. A pause goes both ways, so that list is read twice.
_NOT_ENDED = (State.DRAFT, State.SCHEDULED, State.PAUSED, State.ACTIVE, State.PAUSED)


class Look:
    """
    One look at an account. What it has read for one watermark costs the others no request.

    :param client: reads the account.
    :param reader: reads batch calls by their ids, and learns the cheapest way from look to look.
    """

    def __init__(self, client: AsyncTruedyClient, reader: BatchReader) -> None:
        self._client = client
        self._reader = reader
        self._rows: dict[str, BatchCall] = {}
        self._errors: dict[str, TruedyError] = {}
        self._made_since: datetime | None = None
        self._lock = asyncio.Lock()
        self._began: datetime | None = None
        #: Whether something could not be read at all: the connection may be what is wrong.
        self.has_failed = False

    async def wait_until_idle(self) -> None:
        """Wait for reads in progress: reading a big account may take longer than the time between two looks."""
        async with self._lock:
            return

    @property
    def at(self) -> datetime:
        """The server's time when the first page of this look came: what it shows is at least as new."""
        return self._began or self._client.now()

    async def made_since(self, since: datetime) -> list[BatchCall]:
        """Return the batch calls that were made since a moment, and perhaps a few that are older."""
        async with self._lock:
            if self._made_since is None or since < self._made_since:
                order = NewestFirst(since)
                async for page in self._pages(None):
                    if order.is_read_with(page):
                        break
                self._made_since = since
        return [batch for batch in self._rows.values() if batch.created_at and batch.created_at >= since]

    async def not_ended(self) -> list[BatchCall]:
        """Return every batch call that has not ended."""
        async with self._lock:
            for state in _NOT_ENDED:
                async for _ in self._pages(state):
                    pass
        return [batch for batch in self._rows.values() if not State.of(batch.status).is_terminal]

    async def read(self, wanted: Mapping[str, str]) -> Mapping[str, BatchCall | TruedyError]:
        """
        Return everything this look has read, by id: batch calls, and errors that concern a single one.

        Reads the wanted ones first.

        :param wanted: id -> status when it was read last.
        :raises TruedyError: if nothing can be read at present.
        """
        async with self._lock:
            unread = {id_: status for id_, status in wanted.items() if id_ not in self._rows}
            try:
                async for id_, reading in self._reader.read(unread):
                    if isinstance(reading, TruedyError):
                        self._errors[id_] = reading
                    else:
                        self._keep(reading)
            except TruedyError:
                self.has_failed = True
                raise
        return {**self._errors, **self._rows}

    async def _pages(self, state: State | None) -> AsyncIterator[list[BatchCall]]:
        rows = endpoints.list_batch_calls(status=state.value if state else None)
        try:
            async for page in self._client.iter_pages(rows):
                self._began = self._began or self._client.now()
                for batch in page.items:
                    self._keep(batch)
                yield page.items
        except TruedyError:
            self.has_failed = True
            raise

    def _keep(self, batch: BatchCall) -> None:
        # An ended campaign stays ended: the list read last may lag.
        if batch.id not in self._rows or not State.of(self._rows[batch.id].status).is_terminal:
            self._rows[batch.id] = batch


@dataclass(frozen=True)
class Ending:
    """
    A campaign that has ended.

    :param state: ``completed``, ``failed``, ``cancelled``, or ``deleted`` for one that had been scheduled and is gone.
    :param batch: as it was read at its end; ``None`` for a deleted one.
    """

    batch_call_id: str
    state: str
    batch: BatchCall | None = None


@dataclass
class Watermark:
    """
    What was known of an account at a moment.

    :param at: the moment of the look, by the server's clock.
    :param open: batch calls that had not ended -> their status.
    :param ended: batch calls that had ended and were made shortly before ``at`` -> when they were made.
    :param missing: batch calls that answered 404 -> since when.
    """

    at: datetime
    open: dict[str, str] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)
    missing: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    async def begin(cls, look: Look) -> Watermark:
        """Return the watermark to begin with: campaigns that have ended by now are not reported."""
        not_ended = await look.not_ended()
        at = look.at
        made = await look.made_since(at - _OVERLAP)
        ended = {each.id: each.created_at for each in made if each.created_at and State.of(each.status).is_terminal}
        return cls(at, {batch.id: batch.status for batch in not_ended if batch.id not in ended}, ended)

    async def advance(self, look: Look) -> tuple[list[Ending], Watermark]:
        """
        Return the campaigns that have ended since, and the next watermark.

        :raises TruedyError: if the account cannot be read at present. The next look reports what this one missed.
        """
        made = await look.made_since(self.at - _OVERLAP)
        fresh = {batch.id: batch.status for batch in made if batch.id not in self.ended}
        known = {**fresh, **self.open}
        readings = await look.read(known)
        after = Watermark(max(look.at, self.at))
        after.ended = {id_: made_at for id_, made_at in self.ended.items() if after._is_recent(made_at)}
        endings = []
        for id_, status in known.items():
            ending = after._take(id_, status, readings.get(id_), self.missing.get(id_, after.at))
            endings += [ending] if ending else []
        return endings, after

    def _take(
        self, id_: str, status: str, reading: BatchCall | TruedyError | None, missing_since: datetime
    ) -> Ending | None:
        """Take in what was read of one batch call, and return its ending if it has ended."""
        if isinstance(reading, NotFoundError):
            if self.at - missing_since >= _GONE_AFTER:
                # A deleted draft never was a campaign.
                return Ending(id_, "deleted") if State.of(status).may_have_called else None
            self.missing[id_] = missing_since
        if reading is None or isinstance(reading, TruedyError):
            self.open[id_] = status
            return None
        state = State.of(reading.status)
        if not state.is_terminal:
            self.open[id_] = reading.status
            return None
        if reading.created_at and self._is_recent(reading.created_at):
            self.ended[id_] = reading.created_at
        return Ending(id_, state.value, reading)

    def tell_later(self, ending: Ending, before: Watermark) -> None:
        """
        Leave an ending to the next look.

        :param before: the watermark that this one came from.
        """
        id_ = ending.batch_call_id
        self.ended.pop(id_, None)
        self.open[id_] = before.open.get(id_, State.ACTIVE.value)
        if id_ in before.missing:
            self.missing[id_] = before.missing[id_]

    def _is_recent(self, moment: datetime) -> bool:
        return moment >= self.at - _OVERLAP

    def knows_the_same_as(self, other: Watermark) -> bool:
        """Whether an earlier watermark would report the same endings next."""
        is_close = abs(self.at - other.at) < _OVERLAP / 4
        # Old endings are dropped over time; that alone is not written.
        has_no_more = self.ended.keys() <= other.ended.keys()
        return is_close and has_no_more and (self.open, self.missing) == (other.open, other.missing)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON, by status: an account may have a thousand drafts."""
        by_status: defaultdict[str, list[str]] = defaultdict(list)
        for id_, status in self.open.items():
            by_status[status].append(id_)
        return {
            "version": WATERMARK_VERSION,
            "at": utc_text(self.at, fraction=True),
            "open": dict(by_status),
            "ended": {id_: utc_text(at, fraction=True) for id_, at in self.ended.items()},
            "missing": {id_: utc_text(at, fraction=True) for id_, at in self.missing.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Watermark:
        """
        Read it back.

        :raises ValueError: if this is not a watermark, or of another version.
        """
        try:
            if values["version"] != WATERMARK_VERSION:
                raise ValueError(f"version {values['version']!r}")
            return cls(
                moment_of(values["at"]),
                {id_: status for status, ids in values["open"].items() for id_ in ids},
                {id_: moment_of(at) for id_, at in values["ended"].items()},
                {id_: moment_of(at) for id_, at in values["missing"].items()},
            )
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"not a watermark ({problem!r})") from problem
