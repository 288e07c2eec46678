from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_truedy.triggers.batch_call_ended import BatchCallEndedTrigger
from tests.triggers.conftest import World
from tests.triggers.virtual_time import run
from tests.triggers.watching import Told, ids, watching

MONDAY = datetime(2026, 6, 1, 13, 30, tzinfo=timezone.utc)

pytestmark = pytest.mark.usefixtures("variables")


class Account:
    """People who make, start, end and throw away campaigns, and a server that fails now and then."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.drafts: list[str] = []
        self.running: list[str] = []
        self.ended: set[str] = set()

    async def do_something(self) -> None:
        deeds = [self.make, self.start, self.stop, self.throw_away, self.call_one, self.fail]
        await self.chance.choice(deeds)()

    async def make(self) -> None:
        self.drafts.append(await self.world.batch(900, start=False))

    async def start(self) -> None:
        if self.drafts:
            self.running.append(self.drafts.pop(self.chance.randrange(len(self.drafts))))
            await self.world.ask("POST", f"/batch-calls/{self.running[-1]}/schedule", {})

    async def stop(self) -> None:
        if self.running:
            batch_id = self.running.pop(self.chance.randrange(len(self.running)))
            await self.world.set_state(batch_id, self.chance.choice(["cancelled", "failed", "completed"]))
            self.ended.add(batch_id)

    async def throw_away(self) -> None:
        if self.drafts:
            await self.world.set_state(self.drafts.pop(), "deleted")

    async def call_one(self) -> None:
        self.ended.add(await self.world.batch(1))

    async def fail(self) -> None:
        await self.world.fault("error_500", times=self.chance.randrange(1, 9))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_end_is_told_once(make_world: Callable[..., World], seed: int) -> None:
    """Only what was told in the seconds before the triggerer went may be told again."""
    chance = random.Random(seed)
    lag = chance.choice([0, 20])

    async def main() -> None:
        world = make_world(rate_limit=0, read_lag=lag, list_lag=lag, replica_share=0.5, live_state="running")
        account = Account(world, chance)
        await account.make()
        told: list[str] = []
        may_repeat: set[str] = set()
        async with watching(BatchCallEndedTrigger()):
            await asyncio.sleep(300)
        for _ in range(6):
            here: Any = nullcontext(Told()) if chance.random() < 0.3 else watching(BatchCallEndedTrigger())
            async with here as told_here:
                for _ in range(chance.randrange(6)):
                    await account.do_something()
                    await asyncio.sleep(chance.choice([1, 5, 40]))
                await asyncio.sleep(chance.choice([1, 20, 70, 300]))
            may_repeat |= told_here.in_doubt()
            told += ids(told_here)
            await asyncio.sleep(chance.choice([0, 100, 10_000]))
        async with watching(BatchCallEndedTrigger()) as told_here:
            await asyncio.sleep(3600)
        told += ids(told_here)
        assert {id_ for id_ in told if told.count(id_) > 1} <= may_repeat
        now = {batch["id"]: batch["status"] for batch in await world.ask("GET", "/batch-calls?limit=100")}
        assert set(told) == {id_ for id_, status in now.items() if status in ("completed", "failed", "cancelled")}
        assert account.ended <= set(told)

    run(main(), MONDAY)
