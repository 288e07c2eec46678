"""
Results of 5,000 and 50,000 contacts from the sandbox: memory, requests and time.

Run with ``python -m benchmarks.results_50k``; about two minutes, most of it in the sandbox. Each reading runs in a
process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from truedy_sandbox.process import SandboxProcess

from airflow_truedy.api import endpoints, models
from airflow_truedy.api.client import TruedyClient
from airflow_truedy.results.fetch import Reading, ResultsReader
from airflow_truedy.results.manifest import write_results
from airflow_truedy.results.staging import Staging

SIZES = (5_000, 50_000)
#: Calls read one by one, to compare threads: what a server costs whose list shows no whole calls.
SINGLY = 2_000
THREADS = (1, 2, 4, 8)
_AT_ONCE = 500


def make_campaign(sandbox: SandboxProcess, client: TruedyClient, size: int) -> str:
    """Make a campaign of ``size`` contacts and let it end."""
    numbers = [{"phone_number": f"+1{2_125_550_100 + i}"} for i in range(size)]
    request = models.BatchCallRequest(name="bench", agent_id="agt_f9447372", contacts=numbers[:_AT_ONCE])
    batch = client.send(endpoints.create_batch_call(request))
    for first in range(_AT_ONCE, size, _AT_ONCE):
        client.send(endpoints.add_contacts(batch.id, numbers[first : first + _AT_ONCE]))
    client.send(endpoints.schedule_batch_call(batch.id, timezone="UTC"))
    sandbox.advance(86_400)
    return batch.id


def measure(base_url: str, api_key: str, batch_call_id: str) -> dict[str, float]:
    """Read and write the results in this process."""
    before = _peak()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _client(base_url, api_key) as client, Staging() as staging:
        reader = ResultsReader(client, now=lambda: datetime(2026, 6, 30, tzinfo=timezone.utc))
        reader.read(batch_call_id, staging)
        read = time.perf_counter()
        write_results(staging, batch_call_id, Path(folder) / "results.jsonl.gz")
        counts = staging.totals()
    return {
        "contacts": counts.contacts,
        "details_missing": counts.details_missing,
        "requests": reader.requests,
        "read_seconds": round(read - began, 1),
        "write_seconds": round(time.perf_counter() - read, 1),
        "peak_mb": round(_peak(), 1),
        "before_mb": round(before, 1),
    }


def measure_threads(sandbox: SandboxProcess, calls: list[str], threads: int) -> float:
    """Return calls a second, read singly with so many threads."""
    from concurrent.futures import ThreadPoolExecutor

    reading = Reading(threads=threads)
    with _client(sandbox.base_url, sandbox.api_key) as client, ThreadPoolExecutor(reading.threads) as pool:
        reader = ResultsReader(client, reading)
        began = time.perf_counter()
        found = sum(call is not None for call in pool.map(reader._call, calls))
    assert found == len(calls)
    return found / (time.perf_counter() - began)


def _client(base_url: str, api_key: str) -> TruedyClient:
    return TruedyClient(api_key, base_url, requests_per_minute=None)


def _peak() -> float:
    # Not ru_maxrss: a child's begins at what its parent had.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    start = datetime(2026, 6, 1, 13, tzinfo=timezone.utc)
    for size in SIZES:
        with (
            SandboxProcess(rate_limit=0, speed=0, concurrency=1000, start=start) as sandbox,
            _client(sandbox.base_url, sandbox.api_key) as client,
        ):
            batch_call_id = make_campaign(sandbox, client, size)
            arguments = [sys.executable, __file__, sandbox.base_url, sandbox.api_key, batch_call_id]
            figures = json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
            pages = -(-size // 100)
            allowed = 1 + pages + size
            assert figures["details_missing"] == 0
            assert figures["requests"] <= allowed
            print(f"{size:>6} contacts: {figures}; pages + one per call would be {allowed:,}")
            if size == SIZES[0]:
                rows = client.pages(endpoints.list_batch_call_contacts(batch_call_id))
                calls = [row.call_id or "" for row in rows][:SINGLY]
                for threads in THREADS:
                    rate = measure_threads(sandbox, calls, threads)
                    print(f"       one by one, {threads} threads: {rate:.0f} calls/s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:4])))
    else:
        main()
