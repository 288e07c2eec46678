"""
A list of 1,000,000 contacts through CreateBatchCallOperator into the sandbox, rate limit off.

Reports the time against a bare loop of the HTTP library that posts the same chunks in the same run, the number of
requests against the formula of the API (1 + ceil((n - chunk) / chunk) + reads + the schedule step), and the peak
memory at a tenth of the list and at all of it.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from truedy_sandbox.process import SandboxProcess

CONTACTS = int(os.environ.get("BENCH_CONTACTS", "1000000"))
CHUNK = 500


def people(count: int) -> Iterator[dict[str, str]]:
    """Yield so many contacts, each number once."""
    for number in range(count):
        yield {"phone_number": f"+1{2_000_000_000 + number}", "first_name": f"Person {number}"}


def main() -> None:
    """Run the operator in a child for each size, then the bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        tenth = _run_operator(Path(folder), CONTACTS // 10)
        whole = _run_operator(Path(folder), CONTACTS)
        bare = _run_bare_loop(Path(folder), CONTACTS)
    chunks = 1 + ceil((CONTACTS - CHUNK) / CHUNK)
    kinds = whole["requests"]
    print(f"operator    {CONTACTS:>9,} contacts {whole['seconds']:7.1f} s  peak {whole['peak_mb']:6.1f} MB")
    print(f"operator    {CONTACTS // 10:>9,} contacts {tenth['seconds']:7.1f} s  peak {tenth['peak_mb']:6.1f} MB")
    print(f"bare loop   {CONTACTS:>9,} contacts {bare['seconds']:7.1f} s")
    print(f"operator / bare loop: {whole['seconds'] / bare['seconds']:.2f}")
    print(f"requests    {kinds['with contacts']} with contacts (formula: {chunks}), {kinds['reads']} reads, "
          f"{kinds['other']} other")  # fmt: skip
    assert kinds["with contacts"] == chunks
    assert kinds["other"] == 1, "the schedule step"
    assert whole["held"] == CONTACTS


def _run_operator(folder: Path, count: int) -> dict[str, Any]:
    with SandboxProcess(rate_limit=0, speed=0) as sandbox:
        path = _contacts_file(folder / f"{count}.jsonl.gz", count)
        connection = {**json.loads(sandbox.connection()), "extra": {"requests_per_minute": 0, "settle": 0}}
        env = {**os.environ, "AIRFLOW_CONN_TRUEDY_DEFAULT": json.dumps(connection)}
        output = subprocess.run(
            [sys.executable, "-m", "benchmarks.launch_million", str(path)], env=env, check=True, capture_output=True
        ).stdout
        report: dict[str, Any] = json.loads(output.splitlines()[-1])
        requests = sandbox.requests()
        batches = sandbox.admin("GET", "state?numbers=false")["batch_calls"]
        report["held"] = batches[0]["total_contacts"]
        report["requests"] = Counter(_kind(request) for request in requests)
        return report


def _kind(request: dict[str, Any]) -> str:
    if request["method"] == "GET":
        return "reads"
    return "with contacts" if request["contacts"] else "other"


def _contacts_file(path: Path, count: int) -> Path:
    with gzip.open(path, "wt", compresslevel=1) as file:
        for person in people(count):
            file.write(json.dumps(person) + "\n")
    return path


def child(path: str) -> None:
    """One launch, as a worker would do it; prints time and peak memory of this process."""
    import resource

    from airflow.sdk.bases.operator import ExecutorSafeguard

    from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

    ExecutorSafeguard.test_mode = True
    operator = CreateBatchCallOperator(
        task_id="launch",
        name="A million",
        agent_id="agt_f9447372",
        contacts=path,
        chunk_size=CHUNK,
        scheduled_at="2099-06-01T09:30",
        timezone="America/New_York",
        start_time="09:00",
        end_time="17:30",
    )
    ti = SimpleNamespace(
        dag_id="d", task_id="launch", run_id="r", map_index=-1, try_number=1, xcom_push=lambda **_: None
    )
    began = time.perf_counter()
    operator.execute(cast("Any", {"ti": ti}))
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))


def _run_bare_loop(folder: Path, count: int) -> dict[str, Any]:
    import httpx

    with SandboxProcess(rate_limit=0, speed=0) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        with gzip.open(folder / f"{count}.jsonl.gz", "rt") as file, httpx.Client(headers=headers) as client:
            began = time.perf_counter()
            chunk: list[Any] = []
            batch_call_id = ""
            for line in file:
                chunk.append(json.loads(line))
                if len(chunk) == CHUNK:
                    batch_call_id = _post(client, sandbox.base_url, batch_call_id, chunk)
                    chunk = []
            if chunk:
                _post(client, sandbox.base_url, batch_call_id, chunk)
            return {"seconds": time.perf_counter() - began}


def _post(client: Any, base_url: str, batch_call_id: str, contacts: list[Any]) -> str:
    if batch_call_id:
        client.post(f"{base_url}/batch-calls/{batch_call_id}/contacts", json={"contacts": contacts}).raise_for_status()
        return batch_call_id
    body = {"name": "bare", "agent_id": "agt_f9447372", "contacts": contacts, "timezone": "UTC"}
    answer = client.post(f"{base_url}/batch-calls", json=body)
    answer.raise_for_status()
    return str(answer.json()["data"]["id"])


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else main()
