"""Where a crash is tried: a sandbox, attempts in child processes, and what must be true afterwards."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from truedy_sandbox.process import SandboxProcess

from tests.crash import child

# Children are forked from a clean process that has imported everything once: milliseconds each instead of seconds.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    [
        "airflow.sdk.execution_time.supervisor",
        "airflow_truedy.hooks.truedy",
        "airflow_truedy.operators.batch_calls",
        "airflow_truedy.campaigns.launch",
        "airflow_truedy.contacts.launched",
        "airflow_truedy.contacts.lists",
        "tests.crash.child",
    ]
)

ZONE = "America/New_York"


def people(count: int) -> list[dict[str, str]]:
    """Return so many contacts with fictional numbers."""
    return [{"phone_number": f"+1212555{number:04d}", "first_name": f"Person {number}"} for number in range(count)]


@dataclass(frozen=True)
class Scene:
    """A campaign to launch: how many people in which chunks, and started when."""

    contacts: int
    chunk_size: int
    immediate: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        start: dict[str, Any] = {"schedule_type": "immediate", "start_time": "00:00", "end_time": "23:59"}
        if not self.immediate:
            moment = datetime.now(timezone.utc) + timedelta(days=30)
            start = {
                "scheduled_at": moment.strftime("%Y-%m-%dT12:00:00"),
                "start_time": "09:00",
                "end_time": "17:30",
                "working_days": [1, 2, 3, 4, 5, 6, 7],
            }
        return {
            "name": "Renewals",
            "agent_id": "agt_f9447372",
            "contacts": people(self.contacts),
            "chunk_size": self.chunk_size,
            "timezone": ZONE,
            **start,
        }


class Ground:
    """
    One sandbox and the attempts made against it.

    :param folder: for reports and stores.
    """

    def __init__(self, sandbox: SandboxProcess, scene: Scene, folder: Path, *, with_store: bool) -> None:
        self.sandbox = sandbox
        self._scene = scene
        folder.mkdir(parents=True, exist_ok=True)
        connection = {
            **json.loads(sandbox.connection()),
            "extra": {"requests_per_minute": 0, "settle": sandbox.settings.settle},
        }
        self._job = child.Job(
            connection=json.dumps(connection),
            parameters=scene.parameters,
            report=folder / "report.json",
            store=folder / "store.json" if with_store else None,
        )

    def reset(self) -> None:
        """Forget everything, on the server and in the store."""
        self.sandbox.admin("POST", "reset", {})
        self._job = replace(self._job, try_number=0)
        if self._job.store:
            self._job.store.unlink(missing_ok=True)

    def attempt(self, kill_at: tuple[int, str] | None = None) -> dict[str, Any] | None:
        """Run one attempt; return its report, or ``None`` if it was killed."""
        self._job = replace(self._job, try_number=self._job.try_number + 1)
        self._job.report.unlink(missing_ok=True)
        process = _processes.Process(target=child.run, args=(replace(self._job, kill_at=kill_at),))
        process.start()
        process.join(60)
        if not self._job.report.exists():
            assert kill_at is not None, f"the attempt died of itself with {process.exitcode}"
            return None
        report: dict[str, Any] = json.loads(self._job.report.read_text())
        return report

    def check(self, *, may_be_paused: bool = False) -> str:
        """One campaign, started, and each person in it exactly once; return its status."""
        numbers = [person["phone_number"] for person in people(self._scene.contacts)]
        return expect_one_campaign(self.sandbox.state(), numbers, may_be_paused=may_be_paused)


def expect_one_campaign(
    state: dict[str, Any], numbers: Sequence[str], *, may_be_paused: bool = False, may_leave_drafts: bool = False
) -> str:
    """
    Check the invariant of every crash test on the sandbox's state; return the campaign's status.

    :param may_be_paused: for a server that starts campaigns at the create: who dies between our pause and its marker,
        or between taking that off and the resume, leaves a pause that looks like a person's. Nobody is called.
    :param may_leave_drafts: for two workers at once with a state store: a zombie whose create was under way leaves a
        draft that its successor, who has its own id in the store, does not look for. Nobody is called.
    """
    batches = [batch for batch in state["batch_calls"] if not (may_leave_drafts and batch["status"] == "draft")]
    told = [(batch["id"], batch["name"], batch["status"], len(batch["numbers"])) for batch in batches]
    assert len(batches) == 1, f"one batch call was wanted, these are there: {told}"
    started = {"scheduled", "active", "running", "completed"} | ({"paused"} if may_be_paused else set())
    assert batches[0]["status"] in started, told
    counts = Counter(batches[0]["numbers"])
    assert set(counts) == set(numbers), f"missing or foreign numbers: {told}"
    assert max(counts.values()) == 1, f"somebody is in it twice: {told}"
    return str(batches[0]["status"])
