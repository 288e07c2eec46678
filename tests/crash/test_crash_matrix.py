"""
The crash matrix: kill the worker at every point of every request of a launch, retry, and look what is there.

The points are generated from a run without a crash: its number of requests, times the points of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from truedy_sandbox.process import SandboxProcess

from tests.crash.child import POINTS
from tests.crash.ground import Ground, Scene

SCENES = {
    "in one request": Scene(contacts=3, chunk_size=500),
    "in chunks": Scene(contacts=25, chunk_size=10),
    "at once, in chunks": Scene(contacts=12, chunk_size=5, immediate=True),
}
DIALECTS = {
    "draft": {"create_answer": "draft", "live_state": "active"},
    "scheduled": {"create_answer": "scheduled", "live_state": "running"},
    # Servers that help with nothing: keys are ignored, and a number sent twice is in the campaign twice.
    "draft, no help": {"create_answer": "draft", "ignore_idempotency_keys": True, "allow_duplicates": True},
    "scheduled, no help": {"create_answer": "scheduled", "ignore_idempotency_keys": True, "allow_duplicates": True},
    **{
        f"{answer}, no help, lagging": {
            "create_answer": answer,
            "ignore_idempotency_keys": True,
            "allow_duplicates": True,
            **dict.fromkeys(("read_lag", "list_lag", "counter_lag"), 0.03),
        }
        for answer in ("draft", "scheduled")
    },
}


@pytest.fixture(scope="module", params=DIALECTS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxProcess]:
    with SandboxProcess(rate_limit=0, **DIALECTS[request.param]) as process:
        yield process


@pytest.mark.parametrize("with_store", [True, False], ids=["with a state store", "without a state store"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_worker_killed_at_any_point_leaves_one_campaign(
    sandbox: SandboxProcess,
    scene: Scene,
    with_store: bool,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    if sandbox.settings.read_lag and scene is not SCENES["in chunks"]:
        pytest.skip("lag costs real seconds here; the fault matrix tries it in virtual time")
    ground = Ground(sandbox, scene, tmp_path, with_store=with_store)
    ground.reset()
    clean = ground.attempt() or {}
    assert "result" in clean, clean
    ground.check()

    kinds = list(POINTS)[1::2] if sandbox.settings.read_lag else POINTS
    points = [(request, point) for request in range(1, clean["requests"] + 1) for point in kinds]
    # The one gap that nothing can close, see expect_one_campaign: from our pause to its marker, and from the marker's
    # removal to the resume.
    gap = sandbox.settings.create_answer == "scheduled"
    paused = 0
    for point in points:
        ground.reset()
        survived = ground.attempt(kill_at=point)
        if survived is not None:
            # How often a lagging server is asked depends on how long each request takes.
            assert sandbox.settings.read_lag, f"not killed at {point}"
            assert survived["requests"] < point[0], survived
        retried = ground.attempt() or {}
        assert "result" in retried, (point, retried)
        paused += ground.check(may_be_paused=gap) == "paused"
    assert paused <= 4 * len(kinds), paused
    record_property("crash points tried", len(points))
    record_property("crash points that left a pause for a person", paused)
