"""Find the batch calls of a logical campaign on the server, and agree with every other worker on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_truedy.api import endpoints
from airflow_truedy.api.paging import Pager
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
    """

    started: tuple[BatchCall, ...]
    drafts: tuple[BatchCall, ...]
    ended: tuple[BatchCall, ...]

    @property
    def chosen(self) -> BatchCall | None:
        """The one that everybody who looks agrees on: started before drafts, older before younger."""
        return next(iter(self.started + self.drafts), None)


def find(client: TruedyClient, key: CampaignKey) -> Matches:
    """
    Look through all batch calls of the organisation for those with the campaign's tag.

    Not filtered by agent, although the API can: a campaign whose agent was changed must be found too. One request
    per 100 batch calls.
    """
    return _sorted(b for b in client.pages(endpoints.list_batch_calls()) if key.tag_in(b.name))


def newest_since(client: TruedyClient, rows: ListRequest[T], since: datetime | None) -> Iterator[T]:
    """
    Yield the rows of a list, as far back as ``since`` where the list is sorted by age with the newest first.

    The order is not documented, so it is watched: a list in another order, or without times, is read to its end. Whole
    pages are yielded, so a few rows may be older.
    """
    pager: Pager[T] = Pager(rows)
    is_sorted, seen, youngest, previous = since is not None, 0, None, None
    while (request := pager.next_request()) is not None:
        for row in pager.take(client.send(request)):
            yield row
            seen += 1
            at = row.created_at
            is_sorted = is_sorted and at is not None and (previous is None or at <= previous)
            youngest, previous = youngest or at, at
        # Some rows and one difference at least: a few, or those of one moment, show no order.
        shows_order = seen >= _LEAST_ROWS_OF_AN_ORDER and youngest and previous and previous < youngest
        if is_sorted and since and previous and shows_order and previous < since:
            return


def _sorted(batches: Iterable[BatchCall]) -> Matches:
    started: list[BatchCall] = []
    drafts: list[BatchCall] = []
    ended: list[BatchCall] = []
    for batch in sorted(batches, key=_age):
        state = State.of(batch.status)
        group = ended if state.ended_badly else started if state.may_have_called else drafts
        group.append(batch)
    return Matches(tuple(started), tuple(drafts), tuple(ended))


def _age(batch: BatchCall) -> tuple[float, str]:
    # Without a creation time (older answers) the id alone decides; all that matters is that all decide alike.
    return (batch.created_at.timestamp() if batch.created_at else 0.0, batch.id)
