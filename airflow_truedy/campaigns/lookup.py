"""Find the batch calls of a logical campaign on the server, and agree with every other worker on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_truedy.api import endpoints
from airflow_truedy.campaigns.identity import is_payload_of_another
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.api.request import ListRequest
    from airflow_truedy.campaigns.identity import CampaignKey


class _Created(Protocol):
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=_Created)
_LEAST_ROWS_OF_AN_ORDER = 20


@dataclass(frozen=True)
class Matches:
    """
    The batch calls that carry one campaign's tag, oldest first in each group.

    More than one is rare: a server that ignored the idempotency key, or a zombie worker and its successor.

    :param started: those that may call or may have called somebody, and did not end badly.
    :param drafts: those that dial nobody.
    :param ended: failed and cancelled ones.
    :param duplicates: those with the same payload under another key.
    """

    started: tuple[BatchCall, ...]
    drafts: tuple[BatchCall, ...]
    ended: tuple[BatchCall, ...]
    duplicates: tuple[BatchCall, ...] = ()

    @property
    def chosen(self) -> BatchCall | None:
        """The one that everybody who looks agrees on: started before drafts, older before younger."""
        return next(iter(self.started + self.drafts), None)

    def beside(self, earlier: Matches) -> Matches:
        """Return these and those of an earlier look that went further back; where both saw one, as it is here."""
        ours = {batch.id: batch for batch in (*earlier.ended, *self.started, *self.drafts, *self.ended)}
        duplicates = {batch.id: batch for batch in (*earlier.duplicates, *self.duplicates)}
        return _sorted(ours.values(), duplicates.values())

    def since(self, moment: datetime) -> datetime | None:
        """Return ``moment``, or when the oldest of them was made if that is earlier; ``None`` if one does not tell."""
        made = [batch.created_at for batch in (*self.started, *self.drafts, *self.ended, *self.duplicates)]
        return min((moment, *(at for at in made if at)), default=None) if None not in made else None


def find(
    client: TruedyClient, key: CampaignKey, *, since: datetime | None = None, fingerprint: str | None = None
) -> Matches:
    """
    Look through the batch calls of the organisation for those with the campaign's tag.

    Not filtered by agent, although the API can: a campaign whose agent was changed must be found too. One request
    per 100 batch calls.

    :param since: nothing that was made earlier is looked for. Default: all are.
    :param fingerprint: look for batch calls with this payload under other keys as well.
    """
    ours, duplicates = [], []
    for batch in newest_since(client, endpoints.list_batch_calls(), since):
        if key.tag_in(batch.name):
            ours.append(batch)
        elif fingerprint and is_payload_of_another(batch.name, key, fingerprint):
            duplicates.append(batch)
    return _sorted(ours, duplicates)


def newest_since(client: TruedyClient, rows: ListRequest[T], since: datetime | None) -> Iterator[T]:
    """
    Yield the rows of a list, as far back as ``since`` where the list is sorted by age with the newest first.

    Whole pages are yielded, so a few rows may be older.
    """
    order = NewestFirst(since)
    for page in client.iter_pages(rows):
        yield from page.items
        if order.is_read_with(page.items):
            return


class NewestFirst:
    """
    Tells when a list that comes page by page has been read back to a moment.

    The order of lists is not documented, so it is watched: a list in another order, or without times, has to be read to
    its end.

    :param since: nothing that was made earlier is looked for. ``None``: everything is.
    """

    def __init__(self, since: datetime | None) -> None:
        self._since = since
        self._is_sorted = since is not None
        self._rows = 0
        self._youngest: datetime | None = None
        self._last: datetime | None = None

    def is_read_with(self, rows: Iterable[_Created]) -> bool:
        """Take the next page and return whether what was looked for is on it or was before it."""
        for row in rows:
            at = row.created_at
            self._rows += 1
            self._is_sorted = self._is_sorted and at is not None and (self._last is None or at <= self._last)
            self._youngest, self._last = self._youngest or at, at
        # Some rows and one difference at least: a few, or those of one moment, show no order.
        youngest, last = self._youngest, self._last
        shows_order = self._rows >= _LEAST_ROWS_OF_AN_ORDER and youngest and last and last < youngest
        return bool(self._is_sorted and self._since and last and shows_order and last < self._since)


def _sorted(batches: Iterable[BatchCall], duplicates: Iterable[BatchCall]) -> Matches:
    started: list[BatchCall] = []
    drafts: list[BatchCall] = []
    ended: list[BatchCall] = []
    for batch in sorted(batches, key=age):
        state = State.of(batch.status)
        group = ended if state.ended_badly else started if state.may_have_called else drafts
        group.append(batch)
    return Matches(tuple(started), tuple(drafts), tuple(ended), tuple(sorted(duplicates, key=age)))


def age(batch: BatchCall) -> tuple[float, str]:
    """Return by what batch calls are sorted from the oldest to the youngest."""
    # Without a creation time (older answers) the id alone decides; all that matters is that all decide alike.
    return (batch.created_at.timestamp() if batch.created_at else 0.0, batch.id)
