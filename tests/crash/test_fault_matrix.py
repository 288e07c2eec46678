"""Every fault and kill at every request of a launch, on every kind of server; then a server that dies in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.process import SandboxProcess
from truedy_sandbox.settings import Settings

from airflow_truedy.api.client import TruedyClient
from airflow_truedy.campaigns.launch import Launch, Launched
from airflow_truedy.campaigns.progress import NoStore
from tests.crash.ground import expect_one_campaign, people
from tests.crash.stage import FAULTS, KILLS, Attempt, Fate, FencedStore, Server
from tests.crash.test_any_interleaving import LAGGING, NOW, plan_for

CONTACTS, CHUNK = 7, 3
NUMBERS = [person["phone_number"] for person in people(CONTACTS)]
DIALECTS: dict[str, dict[str, Any]] = {
    "drafts": {},
    "drafts, no help": {"ignore_idempotency_keys": True, "allow_duplicates": True},
    "started at the create": {"create_answer": "scheduled", "live_state": "running"},
    "started at the create, no help": {
        "create_answer": "scheduled",
        "ignore_idempotency_keys": True,
        "allow_duplicates": True,
    },
    "drafts, lagging": LAGGING,
    "drafts, no help, lagging": {"ignore_idempotency_keys": True, "allow_duplicates": True, **LAGGING},
    "started at the create, lagging": {"create_answer": "scheduled", "live_state": "running", **LAGGING},
    "started at the create, no help, lagging": {
        "create_answer": "scheduled",
        "ignore_idempotency_keys": True,
        "allow_duplicates": True,
        **LAGGING,
    },
    "empty answers": {
        "action_answers": "empty",
        "error_shape": "framework",
        "times": "naive",
        "meta_time": "timestamp",
    },
}


class Drill:
    """One campaign on one fresh server."""

    def __init__(self, dialect: dict[str, Any], *, with_store: bool) -> None:
        self._clock = VirtualClock(NOW, speed=0)
        app = create_app(Settings(rate_limit=0, speed=0, **dialect), clock=self._clock, state_file=None)
        self.server = Server(app)
        self._world = app.state.world
        self._plan = plan_for(CONTACTS, CHUNK)
        self._store = FencedStore([None]) if with_store else None

    def begin(self) -> Attempt:
        return Attempt(self.server, self._plan, self._store, self._clock, "truedy_sandbox_key")

    def check(self, *, may_be_paused: bool = False) -> str:
        batches = [
            {"id": b.id, "name": b.name, "status": b.status, "numbers": list(b.roster.numbers())}
            for b in self._world.all_batches()
        ]
        self.server.close()
        return expect_one_campaign({"batch_calls": batches}, NUMBERS, may_be_paused=may_be_paused)


@pytest.mark.parametrize("with_store", [True, False], ids=["with a state store", "without a state store"])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("fate", FAULTS + KILLS, ids=[fate.__name__ for fate in FAULTS + KILLS])
def test_a_fault_at_any_request_leaves_one_campaign(
    dialect: dict[str, Any], fate: Fate, with_store: bool, record_property: Callable[[str, object], None]
) -> None:
    clean = Drill(dialect, with_store=with_store)
    attempt = clean.begin()
    assert isinstance(attempt.finish(), Launched)
    clean.check()

    # A worker that dies between its own pause and the marker, or between taking that off and the resume, leaves a pause
    # that looks like a person's. Nothing is read in these two gaps, so a lagging server makes them no wider.
    paused = 0
    for unlucky in range(1, attempt.requests + 1):
        drill = Drill(dialect, with_store=with_store)
        result = _with_a_fault(drill.begin(), unlucky, fate)
        if not isinstance(result, Launched):
            assert result is None or getattr(result, "retryable", False), (
                f"request {unlucky}: no retry would come after {result!r}"
            )
            retried = drill.begin().finish()
            assert isinstance(retried, Launched), retried
        paused += drill.check(may_be_paused=result is None) == "paused"
    assert paused <= (2 if dialect.get("create_answer") == "scheduled" else 0)
    record_property("fault points tried", attempt.requests)
    record_property("fault points that left a pause for a person", paused)


def _with_a_fault(attempt: Attempt, unlucky: int, fate: Fate) -> Launched | Exception | None:
    while not attempt.is_over:
        if attempt.requests + 1 == unlucky:
            attempt.step(fate)
        else:
            attempt.step()
    return attempt.result


class _Restarting(httpx.HTTPTransport):
    """Kills and restarts the server at one request: just before it, or after its answer."""

    def __init__(self, sandbox: SandboxProcess, at: int, *, after: bool) -> None:
        super().__init__()
        self._sandbox, self._at, self._after, self.count = sandbox, at, after, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        is_now = self.count == self._at
        if is_now and not self._after:
            self._sandbox.restart()
        answer = super().handle_request(request)
        if is_now and self._after:
            answer.read()
            self._sandbox.restart()
        return answer


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_server_restarted_at_any_request_leaves_one_campaign(tmp_path: Path, after: bool) -> None:
    def launch(sandbox: SandboxProcess, at: int) -> int:
        transport = _Restarting(sandbox, at, after=after)
        with TruedyClient(
            sandbox.api_key, sandbox.base_url, transport=transport, requests_per_minute=0, sleep=lambda _: None
        ) as client:
            result = Launch(client, plan_for(CONTACTS, CHUNK), NoStore(), now=lambda: NOW, sleep=lambda _: None).run()
        assert isinstance(result, Launched)
        return transport.count

    with SandboxProcess(rate_limit=0, speed=0, start=NOW, state_file=tmp_path / "state") as sandbox:
        requests = launch(sandbox, at=0)
        for at in range(1, requests + 1):
            sandbox.admin("POST", "reset", {})
            launch(sandbox, at)
            expect_one_campaign(sandbox.state(), NUMBERS)
