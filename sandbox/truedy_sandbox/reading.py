"""From which state a read is answered: the newest, or one that lags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truedy_sandbox.answers import world_of
from truedy_sandbox.ids import draw
from truedy_sandbox.views import batch_counts, batch_view

if TYPE_CHECKING:
    from fastapi import Request

    from truedy_sandbox.batches import BatchCall
    from truedy_sandbox.state import State

_ALL_DRAWS = 2**64


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
