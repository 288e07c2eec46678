"""One attempt of the operator in a process of its own, killed with SIGKILL at a stated point of a stated request."""

from __future__ import annotations

import json
import logging
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Points of a request, by the events that the HTTP library tells of its connection.
POINTS = {
    "before it is sent": "http11.send_request_headers.started",
    "after it was sent": "http11.send_request_body.complete",
    "before its answer is read": "http11.receive_response_headers.complete",
    "after its answer was read": "http11.receive_response_body.complete",
}


@dataclass(frozen=True)
class Job:
    """
    What a child does.

    :param kill_at: number of the request (from 1) and the point at which to die; ``None`` runs to the end.
    :param store: file that stands for Airflow's task state store; ``None`` for an Airflow without one.
    """

    connection: str
    parameters: dict[str, Any] = field(repr=False)
    report: Path
    kill_at: tuple[int, str] | None = None
    store: Path | None = None
    try_number: int = 1


class FileStore:
    """Airflow's task state store as the operator sees it, kept in a file that outlives a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self._path.read_text()).get(key, default) if self._path.exists() else default

    def set(self, key: str, value: Any) -> None:
        kept = json.loads(self._path.read_text()) if self._path.exists() else {}
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps({**kept, key: value}))
        beside.replace(self._path)


def run(job: Job) -> None:
    """Run the operator as Airflow's worker would, up to the kill."""
    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW_CONN_TRUEDY_DEFAULT"] = job.connection
    requests = _count_requests(job.kill_at)
    from airflow.sdk.bases.operator import ExecutorSafeguard

    from airflow_truedy.operators.batch_calls import CreateBatchCallOperator

    ExecutorSafeguard.test_mode = True  # The task runner's part is played here.
    operator = CreateBatchCallOperator(task_id="launch", **job.parameters)
    try:
        outcome = {"result": operator.execute(_context(job))}
    except BaseException as error:
        outcome = {"error": f"{type(error).__name__}: {error}"}
    job.report.write_text(json.dumps({**outcome, "requests": requests()}))


def _context(job: Job) -> dict[str, Any]:
    ti = SimpleNamespace(
        dag_id="campaigns",
        task_id="launch",
        run_id="run_1",
        map_index=-1,
        try_number=job.try_number,
        xcom_push=lambda **_: None,
    )
    return {"ti": ti} if job.store is None else {"ti": ti, "task_state_store": FileStore(job.store)}


def _count_requests(kill_at: tuple[int, str] | None) -> Any:
    """Count the requests of this process and die where told; patched below the client, which knows nothing of it."""
    import httpx

    send = httpx.HTTPTransport.handle_request
    count = 0

    def counted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        if kill_at is not None and kill_at[0] == count:
            request.extensions = {**request.extensions, "trace": die_at(POINTS[kill_at[1]])}
        return send(self, request)

    httpx.HTTPTransport.handle_request = counted  # type: ignore[method-assign]
    return lambda: count


def die_at(event: str) -> Any:
    """Return a listener that kills this process at ``event``."""

    def trace(name: str, info: object) -> None:
        if name == event:
            os.kill(os.getpid(), signal.SIGKILL)

    return trace
