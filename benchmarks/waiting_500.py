"""
500 deferred campaigns in one triggerer process: requests, 429s, memory, and how soon each end is seen.

    python benchmarks/waiting_500.py [--campaigns 500] [--interval 12] [--alone-seconds 30]

First all triggers share one poll, as they do. Then the same campaigns are waited for by one poll per trigger, each
with a client of its own that keeps the same pace, as triggers do elsewhere. The server is the sandbox with the
documented 100 requests a minute, in real time, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api import endpoints
from airflow_truedy.api.client import AsyncTruedyClient
from airflow_truedy.api.errors import TruedyError
from airflow_truedy.api.models import BatchCallRequest
from airflow_truedy.campaigns.status import State
from airflow_truedy.monitoring.monitor import MonitorSettings

LIMIT = 100
PACE = 95
ENDS_IN_SECONDS = 45
# The campaigns never end by themselves: the sandbox's clock stands still.
FROZEN: dict[str, Any] = {"speed": 0, "start": datetime(2026, 6, 1, 13, 0, tzinfo=timezone.utc)}


def memory() -> float:
    """Resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def make_campaigns(sandbox: SandboxProcess, count: int) -> list[str]:
    """Campaigns that are calling."""
    ids = []
    async with AsyncTruedyClient(sandbox.api_key, sandbox.base_url, requests_per_minute=0) as client:
        for n in range(count):
            contacts = [{"phone_number": "+12125550100"}]
            request = BatchCallRequest(name=f"Campaign {n}", agent_id="agt_f9447372", contacts=contacts)
            made = await client.send(endpoints.create_batch_call(request))
            await client.send(endpoints.schedule_batch_call(made.id))
            ids.append(made.id)
    return ids


async def share_one_poll(sandbox: SandboxProcess, ids: list[str], interval: float) -> dict[str, Any]:
    """Wait with the provider's triggers; end every campaign by hand and see when each trigger fires."""
    from airflow_truedy.triggers.batch_calls import BatchCallTrigger

    ended: dict[str, float] = {}
    late: list[float] = []

    async def follow(batch_call_id: str) -> None:
        settings = MonitorSettings(batch_call_id, interval=interval).to_json()
        async for _ in BatchCallTrigger(truedy_conn_id="truedy_default", settings=settings).run():
            late.append(time.time() - ended[batch_call_id])

    before, began = memory(), time.time()
    waiting = [asyncio.create_task(follow(batch_call_id)) for batch_call_id in ids]
    await asyncio.sleep(2 * interval)
    after = memory()
    for batch_call_id in ids:
        ended[batch_call_id] = time.time()
        state = f"batch-calls/{batch_call_id}/state"
        await asyncio.to_thread(sandbox.admin, "POST", state, {"status": "cancelled"})
        await asyncio.sleep(max(0.0, ENDS_IN_SECONDS / len(ids) - (time.time() - ended[batch_call_id])))
    await asyncio.gather(*waiting)
    return {"seconds": time.time() - began, "memory": after - before, "late": late}


async def poll_alone(sandbox: SandboxProcess, ids: list[str], interval: float, seconds: float) -> dict[str, Any]:
    """Wait with a client and a loop for each campaign."""

    async def follow(batch_call_id: str) -> None:
        client = AsyncTruedyClient(sandbox.api_key, sandbox.base_url, requests_per_minute=PACE)
        async with client:
            while True:
                with suppress(TruedyError):
                    batch = await client.send(endpoints.get_batch_call(batch_call_id))
                    if State.of(batch.status).is_terminal:
                        return
                await asyncio.sleep(interval)

    before, began = memory(), time.time()
    waiting = [asyncio.create_task(follow(batch_call_id)) for batch_call_id in ids]
    await asyncio.sleep(seconds)
    after = memory()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return {"seconds": time.time() - began, "memory": after - before, "late": []}


def report(name: str, sandbox: SandboxProcess, result: dict[str, Any]) -> dict[str, Any]:
    """Print one line of the table."""
    reads = [request for request in sandbox.requests() if request["method"] == "GET"]
    refused = sum(request["status"] == 429 for request in reads)
    per_minute = len(reads) * 60 / result["seconds"]
    late = sorted(result["late"])
    seen = f"{statistics.median(late):.1f} / {late[-1]:.1f} s" if late else "not measured"
    print(f"| {name} | {per_minute:.0f} | {refused} | {result['memory']:.1f} MiB | {seen} |", flush=True)
    return {"refused": refused, "latest": late[-1] if late else None}


def main() -> int:
    """Run both; 0 if the shared poll kept its promises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--interval", type=float, default=12.0, help="seconds between two looks")
    parser.add_argument("--alone-seconds", type=float, default=30.0)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        state_file = Path(folder) / "state"
        with SandboxProcess(rate_limit=0, state_file=state_file, **FROZEN) as sandbox:
            ids = asyncio.run(make_campaigns(sandbox, options.campaigns))
        print(f"{len(ids)} campaigns, a look every {options.interval:.0f} s, {LIMIT} requests a minute allowed\n")
        print("| poll | requests a minute | 429 | memory of the triggers | end seen after (median / latest) |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        with SandboxProcess(rate_limit=LIMIT, state_file=state_file, **FROZEN) as sandbox:
            alone = asyncio.run(poll_alone(sandbox, ids, options.interval, options.alone_seconds))
            report("one per trigger", sandbox, alone)
        with SandboxProcess(rate_limit=LIMIT, state_file=state_file, **FROZEN) as sandbox:
            connection = {**json.loads(sandbox.connection()), "extra": {"requests_per_minute": PACE}}
            os.environ["AIRFLOW_CONN_TRUEDY_DEFAULT"] = json.dumps(connection)
            shared = asyncio.run(share_one_poll(sandbox, ids, options.interval))
            result = report("shared", sandbox, shared)
    kept = result["refused"] == 0 and result["latest"] <= 2 * options.interval
    print(f"\nNo 429 and every end seen within two intervals: {'yes' if kept else 'NO'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
