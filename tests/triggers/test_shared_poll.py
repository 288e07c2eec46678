from __future__ import annotations

import asyncio
import contextvars
import gc
import time
import weakref
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_truedy.hooks.truedy import TruedyAsyncHook
from airflow_truedy.monitoring import shared_reader
from tests.triggers.conftest import World
from tests.triggers.test_batch_calls import event_of, trigger
from tests.triggers.virtual_time import run

MONDAY = datetime(2026, 6, 1, 13, 30, tzinfo=timezone.utc)
MakeWorld = Callable[..., World]


def test_five_hundred_campaigns_share_one_poll_and_every_end_is_seen_in_time(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        ids = [await world.batch(1, start=False) for _ in range(500)]
        await asyncio.sleep(60)  # What was used to make them counts in this minute.
        world.app.state.quota.limit = 100
        ended: dict[str, float] = {}
        seen: dict[str, float] = {}

        async def follow(batch_id: str) -> None:
            await event_of(trigger(batch_id))
            seen[batch_id] = time.time()

        waiting = []
        for batch_id in ids:
            # They did not all start in the same second.
            waiting.append(asyncio.ensure_future(follow(batch_id)))
            await asyncio.sleep(0.5)
        await asyncio.sleep(600)
        before = len(world.requests())
        await asyncio.sleep(600)
        assert len(world.requests()) - before <= 2 * 10 * 5, "five pages, at most twice in an interval"
        for n, batch_id in enumerate(ids):
            # The last hundred end in one second.
            await asyncio.sleep(2 if n < 400 else 0)
            await world.set_state(batch_id, "cancelled")
            ended[batch_id] = time.time()
        await asyncio.gather(*waiting)
        assert max(seen[batch_id] - ended[batch_id] for batch_id in ids) <= 120
        assert world.app.state.quota.refused == 0

    run(main(), MONDAY)


def test_campaigns_that_start_at_any_time_come_into_step(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        ids = [await world.batch(1, start=False) for _ in range(30)]
        waiting = []
        for batch_id in ids:
            waiting.append(asyncio.ensure_future(event_of(trigger(batch_id))))
            await asyncio.sleep(7)
        before = len(world.requests())
        await asyncio.sleep(600)
        assert len(world.requests()) - before <= 20, "one page in an interval, at most twice"
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(main(), MONDAY)


def test_a_long_history_is_not_read_again_and_again(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        for _ in range(1500):
            old = await world.batch(1, start=False)
            await world.set_state(old, "cancelled")
        ids = [await world.batch(1000, concurrency=1) for _ in range(20)]
        waiting = [asyncio.ensure_future(event_of(trigger(batch_id))) for batch_id in ids]
        await asyncio.sleep(300)
        before = len(world.requests())
        await asyncio.sleep(600)
        assert len(world.requests()) - before <= 20, "the list of active ones is one page"
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(main(), MONDAY)


def test_the_poll_lives_as_long_as_somebody_waits(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        ids = [await world.batch(1, start=False) for _ in range(3)]
        waiting = [asyncio.ensure_future(event_of(trigger(batch_id))) for batch_id in ids]
        await asyncio.sleep(100)
        registered = shared_reader._pollers[asyncio.get_running_loop()]
        poller = weakref.ref(registered["truedy_default"])
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        await world.set_state(ids[1], "cancelled")
        assert (await waiting[1])["reason"] == "cancelled", "another's cancellation does not end the poll"
        assert registered
        waiting[2].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not registered
        assert len(asyncio.all_tasks()) == 1, "nothing is left running"
        assert all(client._http.is_closed for client in world.clients)
        left.append(poller)

    left: list[Any] = []
    run(main(), MONDAY)
    gc.collect()
    assert left[0]() is None


def test_whoever_comes_after_the_last_one_left_gets_a_poll_of_its_own(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        for _ in range(3):
            assert (await event_of(trigger(await world.batch(2))))["status"] == "success"

    run(main(), MONDAY)


def test_two_tasks_may_wait_for_the_same_campaign(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        batch_id = await world.batch(5)
        events = await asyncio.gather(event_of(trigger(batch_id)), event_of(trigger(batch_id)))
        assert events[0] == events[1]

    run(main(), MONDAY)


def test_one_campaign_that_cannot_be_read_keeps_no_other_from_being_read(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        bad, good = await world.batch(20), await world.batch(20)
        await world.fault("html_502", path=f"{bad}$", times=None)
        await world.fault("html_502", path="batch-calls$", times=None)
        waiting = asyncio.ensure_future(event_of(trigger(bad)))
        assert (await event_of(trigger(good)))["status"] == "success"
        await world.admin.delete("/_sandbox/faults")
        assert (await waiting)["status"] == "success"

    run(main(), MONDAY)


class _NoException(BaseException):
    """Like Airflow's DeadlockImminentError."""


@pytest.mark.parametrize("problem", [_NoException("busy"), ValueError("Connection 'truedy_default' has no API key")])
def test_a_connection_that_cannot_be_read_is_trouble_and_not_the_end_of_the_poll(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        working = TruedyAsyncHook.get_async_conn

        async def connect(hook: TruedyAsyncHook) -> Any:
            if time.time() < MONDAY.timestamp() + 200:
                raise problem
            return await working(hook)

        monkeypatch.setattr(TruedyAsyncHook, "get_async_conn", connect)
        assert (await event_of(trigger(await world.batch(2))))["status"] == "success"

    run(main(), MONDAY)


def test_the_poll_logs_into_no_tasks_log(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    whose = contextvars.ContextVar("whose", default="nobody's")
    found = []

    async def main() -> None:
        world = make_world(rate_limit=0)
        working = TruedyAsyncHook.get_async_conn

        async def connect(hook: TruedyAsyncHook) -> Any:
            found.append(whose.get())
            return await working(hook)

        monkeypatch.setattr(TruedyAsyncHook, "get_async_conn", connect)
        whose.set("the first task's")
        await event_of(trigger(await world.batch(2)))

    run(main(), MONDAY)
    assert set(found) == {"nobody's"}
