"""How reads are answered: from which state, and lists in which pages. Here lag and loose paging happen."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from truedy_sandbox.answers import JsonAnswer, meta_of, world_of
from truedy_sandbox.ids import draw
from truedy_sandbox.views import batch_counts, batch_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from truedy_sandbox.batches import BatchCall
    from truedy_sandbox.state import State

_ALL_DRAWS = 2**64
# How many rows a wrong total counts that are not there.
_SURPLUS = 7


def state_for_one(request: Request) -> State:
    """Return the state from which one thing is read: by ``read_lag`` behind, if a replica answers."""
    return _state_behind(request, world_of(request).settings.read_lag)


def state_for_list(request: Request) -> State:
    """Return the state from which a list is read: by ``list_lag`` behind, if a replica answers."""
    return _state_behind(request, world_of(request).settings.list_lag)


def _state_behind(request: Request, lag: float) -> State:
    world = world_of(request)
    # The request's number decides, so that the same requests in the same order see the same.
    by_replica = draw(world.settings.seed, 0, request.state.number) < world.settings.replica_share * _ALL_DRAWS
    return world.behind(lag if by_replica else 0)


def read_batch(request: Request, batch: BatchCall, state: State) -> dict[str, Any]:
    """Return a batch call as a read or a list shows it, with counters that may be older than the rest."""
    world = world_of(request)
    shown = batch_view(batch, world.settings)
    counting = world.behind(world.settings.counter_lag)
    if counting.clock.now() < state.clock.now():
        counted = counting.batches.get(batch.id)
        if counted is not None:
            counted.advance(counting.clock.now())
        shown |= batch_counts(counted)
    return shown


def page_size(request: Request, limit: int) -> int:
    """Return how many rows a page holds: ``limit``, but no more than ``page_cap``."""
    return min(limit, world_of(request).settings.page_cap or limit)


def places_on_page(
    request: Request, total: int, limit: int, offset: int, *, newest_first: bool = True
) -> Sequence[int]:
    """
    Return which rows of a list belong on a page, counted from 0 in the list's usual order.

    :param total: how many rows the list has.
    :param newest_first: whether the usual order is that; then ``list_order="oldest"`` turns it round.
    """
    settings = world_of(request).settings
    start = 0 if settings.ignore_offset else offset
    stop = start + page_size(request, limit)
    if settings.list_order == "unstable":
        # Another order for each request, and the same one when the same requests are made again.
        shuffled = Random(f"{settings.seed} {request.state.number}")  # noqa: S311 - nothing secret
        return shuffled.sample(range(total), total)[start:stop]
    if settings.list_order == "oldest" and newest_first:
        return range(total)[::-1][start:stop]
    return range(total)[start:stop]


def page_answer(
    request: Request, data: list[Any], total: int, limit: int, offset: int, *, page: int | None = None
) -> JsonAnswer:
    """
    Answer one page of a list.

    :param total: how many rows the list has.
    :param page: the page's number, for a list that is paged by ``page``; default: it is paged by ``offset``.
    """
    world = world_of(request)
    limit = page_size(request, limit)
    body: dict[str, Any] = {"data": data, "meta": meta_of(request.scope, world.settings, world.clock.now())}
    emptied = bool(request.state.empty_page)
    if emptied:
        body["data"] = []
    told = {"right": total, "missing": 0, "wrong": total + _SURPLUS, "page": len(data)}[world.settings.totals]
    if world.settings.totals == "missing":
        pass
    elif page is not None:
        body["pagination"] = {"page": page, "limit": limit, "total": told, "pages": -(-told // limit)}
    else:
        # From the offset that was asked for: a server that ignores it does not know that it does.
        has_more = emptied or offset + len(data) < told
        body["pagination"] = {"total": told, "limit": limit, "offset": offset, "has_more": has_more}
    return JsonAnswer(body)
