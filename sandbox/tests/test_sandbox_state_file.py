"""The state file: what was answered survives the death of the server at any moment."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.problems import Refusal
from truedy_sandbox.process import SandboxProcess
from truedy_sandbox.settings import Settings
from truedy_sandbox.testing import AGENT, MONDAY, people
from truedy_sandbox.views import batch_view
from truedy_sandbox.world import World

SETTINGS = Settings(rate_limit=0)
CREATE = {
    "name": "Renewals",
    "agent_id": AGENT,
    "phone_rotation_strategy": "random",
    "schedule_type": "immediate",
    "timezone": "America/New_York",
    "contacts": people(40),
}


def open_world(path: Path | None) -> World:
    return World(SETTINGS, VirtualClock(MONDAY, speed=0), path)


def seen(world: World) -> object:
    batches = world.all_batches()
    return (
        world.clock.now(),
        [batch_view(each, SETTINGS) for each in batches],
        [list(each.roster.numbers()) for each in batches],
        [list(each.dialer.starts) for each in batches],
        list(world.book.contacts),
        {
            key: value.as_json() if hasattr(value, "as_json") else value
            for key, value in world.kept_answers._answers.items()
        },
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("create_batch")),
        st.tuples(st.sampled_from(["schedule_batch", "pause_batch", "resume_batch"]), st.integers(0, 3)),
        st.tuples(st.just("add_contacts"), st.integers(0, 3), st.integers(0, 90)),
        st.tuples(st.just("delete_batches"), st.integers(0, 3)),
        st.tuples(st.just("clock"), st.floats(0, 5000)),
        st.tuples(st.just("create_contact")),
    ),
    max_size=25,
)


def carry_out(world: World, step: tuple) -> None:
    ids = list(world.batches)
    if step[0] == "clock":
        world.move_clock(to=world.clock.now() + step[1])
    elif step[0] == "create_batch":
        world.do("create_batch", CREATE)
    elif step[0] == "create_contact":
        world.do("create_contact", {"phone_number": "+12125550100"})
    elif ids:
        batch = ids[step[1] % len(ids)]
        more = {"contacts": people(3, start=step[2])} if step[0] == "add_contacts" else {}
        arguments = {"ids": [batch]} if step[0] == "delete_batches" else {"id": batch, **more}
        # A step that the state does not allow is refused, and must leave no trace either.
        with contextlib.suppress(Refusal):
            world.do(step[0], arguments)


@given(steps, st.integers(0, 25))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_sandbox_reopened_at_any_point_is_the_one_that_never_stopped(tmp_path, todo, reopen_at):
    path = tmp_path / "state"
    path.unlink(missing_ok=True)
    kept, memory = open_world(path), open_world(None)
    for place, step in enumerate(todo):
        if place == reopen_at:
            kept = open_world(path)
        carry_out(kept, step)
        carry_out(memory, step)
    assert seen(kept) == seen(memory) == seen(open_world(path))


@given(steps, st.floats(0, 9000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_lags_lags_the_same_after_a_restart(tmp_path, todo, passed):
    path = tmp_path / "state"
    path.unlink(missing_ok=True)

    def lagging() -> World:
        return World(Settings(rate_limit=0, read_lag=3000), VirtualClock(MONDAY, speed=0), path)

    world = lagging()
    for step in todo:
        carry_out(world, step)
    world.move_clock(to=world.clock.now() + passed)
    reopened = lagging()
    views = [[batch_view(each, SETTINGS) for each in state.behind(3000).all_batches()] for state in (world, reopened)]
    assert views[0] == views[1]
    world.move_clock(to=world.clock.now() + 3000)
    assert [each.id for each in world.behind(3000).all_batches()] == list(reversed(world.batches))


def test_a_line_cut_short_by_the_end_of_the_process_is_dropped(tmp_path):
    path = tmp_path / "state"
    world = open_world(path)
    world.do("create_batch", CREATE)
    before = seen(world)
    whole = path.read_bytes()
    world.do("create_batch", CREATE)
    added = path.read_bytes()[len(whole) :]
    for cut in (1, len(added) // 2, len(added) - 1):
        path.write_bytes(whole + added[:cut])
        assert seen(open_world(path)) == before
        assert path.read_bytes() == whole
    again = open_world(path)
    again.do("create_batch", CREATE)
    assert len(open_world(path).batches) == 2


def test_a_state_file_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "state"
    open_world(path)
    with pytest.raises(ValueError, match="other settings"):
        World(Settings(seed=2), VirtualClock(MONDAY, speed=0), path)


def test_a_reset_forgets_the_file_too(tmp_path):
    path = tmp_path / "state"
    world = open_world(path)
    world.do("create_batch", CREATE)
    world.reset()
    assert open_world(path).batches == {}


def test_the_state_file_is_for_its_owner_only(tmp_path):
    open_world(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_what_was_answered_survives_a_sigkill(tmp_path):
    with SandboxProcess(rate_limit=0, speed=0, start=MONDAY, state_file=tmp_path / "state") as sandbox:
        client = httpx.Client(
            base_url=sandbox.base_url + "/", headers={"Authorization": f"Bearer {sandbox.api_key}"}, trust_env=False
        )
        with client:
            key = {"X-Idempotency-Key": "k"}
            body = {"name": "Renewals", "agent_id": AGENT, "contacts": people(40)}
            first = client.post("batch-calls", json=body, headers=key)
            batch = first.json()["data"]["id"]
            client.post(f"batch-calls/{batch}/schedule", json={})
            sandbox.advance(300)
            before, address = client.get(f"batch-calls/{batch}").json()["data"], sandbox.url
            assert 0 < before["called"] < 40
            sandbox.restart()
            assert sandbox.url == address
            assert client.get(f"batch-calls/{batch}").json()["data"] == before
            assert client.post("batch-calls", json=body, headers=key).content == first.content
            sandbox.advance(86400)
            assert client.get(f"batch-calls/{batch}").json()["data"]["status"] == "completed"


def test_a_lost_answer_and_a_dead_server_together_still_leave_the_work_done(tmp_path):
    with SandboxProcess(rate_limit=0, state_file=tmp_path / "state") as sandbox:
        sandbox.fault("lost_answer", "POST")
        with pytest.raises(httpx.TransportError):
            httpx.post(
                f"{sandbox.base_url}/batch-calls",
                json={"name": "Renewals", "agent_id": AGENT},
                headers={"Authorization": f"Bearer {sandbox.api_key}"},
                trust_env=False,
            )
        sandbox.restart()
        assert len(sandbox.state()["batch_calls"]) == 1


def test_nothing_is_written_without_a_state_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = open_world(None)
    world.do("create_batch", CREATE)
    assert list(tmp_path.iterdir()) == []
    assert json.dumps(world.settings.replayed())
