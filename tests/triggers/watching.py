"""Run triggers of ended campaigns in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from airflow_truedy.triggers.batch_call_ended import _STORED_AFTER, BatchCallEndedTrigger


class Told(list[dict[str, Any]]):
    """The payloads of events, and when the last one of each campaign came."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def in_doubt(self) -> set[str]:
        """Return the campaigns whose event may be told again if the triggerer dies now."""
        return {batch_id for batch_id, at in self.at.items() if at > time.time() - _STORED_AFTER - 1}


@asynccontextmanager
async def watching(*triggers: BatchCallEndedTrigger) -> AsyncIterator[Told]:
    """Run triggers as a triggerer before Airflow 3.3 does, until the block ends, and gather their events."""
    told = Told()

    async def watch(trigger: BatchCallEndedTrigger) -> None:
        async for event in trigger.run():
            told.append(json.loads(json.dumps(event.payload)))
            told.at[event.payload["batch_call_id"]] = time.time()

    tasks = [asyncio.ensure_future(watch(trigger)) for trigger in triggers]
    await asyncio.sleep(5)
    try:
        yield told
    finally:
        # Before Python 3.12 a cancellation can be lost that comes in the same moment as an answer.
        while not all(task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended


def ids(told: list[dict[str, Any]]) -> list[str]:
    return [event["batch_call_id"] for event in told]
