from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from airflow_truedy.monitoring.monitor import MonitorSettings
from airflow_truedy.monitoring.outcome import SuccessRules
from airflow_truedy.triggers.batch_calls import BatchCallTrigger
from tests.triggers.conftest import World
from tests.triggers.virtual_time import run

# Before Airflow 3.2 it was elsewhere.
SERDE = "airflow.sdk.serde" if find_spec("airflow.sdk.serde") else "airflow.serialization.serde"
serde = import_module(SERDE)

MONDAY = datetime(2026, 6, 1, 13, 30, tzinfo=timezone.utc)
MakeWorld = Callable[..., World]

# What a worker of the first published version will put into the database. Must be understood for ever.
KWARGS_V1 = {
    "version": 1,
    "truedy_conn_id": "truedy_default",
    "settings": {
        "batch_call_id": "batch_1",
        "interval": 60.0,
        "deadline": 1780000000.0,
        "max_paused": None,
        "stall_after": 3600.0,
        "window": {"zone": "America/New_York", "opens": "09:00", "closes": "17:30", "days": [1, 2, 3, 4, 5]},
        "rules": {"min_called": 0.9, "max_failed": None, "on_partial": "fail"},
        "key": {"text": '["dag", "task", "run", -1]', "word": "airflow"},
        "settle": 15.0,
    },
    "state": {
        "since": 1779990000.0,
        "at": 1779990000.0,
        "status": "scheduled",
        "counts": {"total_contacts": 40, "called": 0, "completed": 0, "failed": 0, "pending": 40},
        "called_at_first": 0,
        "open_seconds": 0.0,
        "still": 0.0,
        "paused_at": None,
        "failing_at": None,
        "missing": 0,
        "missing_at": None,
        "ended_at": None,
        "unknown": None,
        "due": 1779990060.0,
    },
    "on_kill_action": "pause",
}


def trigger(batch_id: str, **watch: Any) -> BatchCallTrigger:
    return BatchCallTrigger(truedy_conn_id="truedy_default", settings=MonitorSettings(batch_id, **watch).to_json())


async def event_of(waiting: BatchCallTrigger) -> dict[str, Any]:
    events = [event.payload async for event in waiting.run()]
    assert len(events) == 1
    payload: dict[str, Any] = events[0]
    return payload


def test_a_campaign_is_followed_to_its_end(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        batch_id = await world.batch(12)
        event = await event_of(trigger(batch_id))
        assert json.loads(json.dumps(event)) == event
        assert (event["version"], event["batch_call_id"], event["batch_call_status"]) == (1, batch_id, "completed")
        assert (event["status"], event["total_contacts"], event["called"]) == ("success", 12, 12)
        assert event["duration_seconds"] > 0
        assert all(request.path.endswith(batch_id) for request in world.requests()), "one alone is read by its id"

    run(main(), MONDAY)


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [("failed", "failure", "failed"), ("cancelled", "failure", "cancelled"), ("deleted", "failure", "deleted")],
)
def test_what_a_person_does_in_the_dashboard_is_seen(
    make_world: MakeWorld, state: str, status: str, reason: str
) -> None:
    async def main() -> None:
        world = make_world(live_state="running")
        batch_id = await world.batch(50)
        waiting = asyncio.ensure_future(event_of(trigger(batch_id)))
        await asyncio.sleep(90)
        assert not waiting.done()
        await world.set_state(batch_id, state)
        event = await asyncio.wait_for(waiting, 120)
        assert (event["status"], event["reason"]) == (status, reason)

    run(main(), MONDAY)


def test_the_deadline_is_an_instant_and_survives_a_restart_of_the_triggerer(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        batch_id = await world.batch(3, start=False)
        first = trigger(batch_id, deadline=MONDAY.timestamp() + 1000)
        classpath, kwargs = first.serialize()
        running = asyncio.ensure_future(event_of(first))
        await asyncio.sleep(700)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert classpath == "airflow_truedy.triggers.batch_calls.BatchCallTrigger"
        event = await event_of(BatchCallTrigger(**json.loads(json.dumps(kwargs))))
        assert event["reason"] == "timeout"
        assert time.time() == pytest.approx(MONDAY.timestamp() + 1000, abs=2)

    run(main(), MONDAY)


def test_an_outage_is_waited_out(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        batch_id = await world.batch(200)
        waiting = asyncio.ensure_future(event_of(trigger(batch_id)))
        await asyncio.sleep(61)
        await world.fault("error_500", times=None)
        await asyncio.sleep(1800)
        await world.admin.delete("/_sandbox/faults")
        assert (await waiting)["status"] == "success"

    run(main(), MONDAY)


def test_a_key_that_is_changed_in_the_connection_is_noticed(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        world.key = "revoked_key_1"
        batch_id = await world.batch(3)
        waiting = asyncio.ensure_future(event_of(trigger(batch_id)))
        await asyncio.sleep(100)
        world.key = world.settings.api_key
        assert (await waiting)["status"] == "success"

    run(main(), MONDAY)


def test_a_key_that_stays_revoked_ends_the_wait_for_good(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        world.key = "revoked_key_1"
        event = await event_of(trigger(await world.batch(3)))
        assert (event["status"], event["reason"]) == ("failure", "refused")
        assert "revoked_key" not in json.dumps(event)

    run(main(), MONDAY)


def test_progress_is_told_in_the_tasks_own_log(make_world: MakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        world = make_world()
        await event_of(trigger(await world.batch(40)))

    run(main(), MONDAY)
    lines = [line.split("] ", 1)[1] for line in capsys.readouterr().out.splitlines() if "Batch call" in line]
    assert any("calls an hour" in line for line in lines)
    assert len(lines) == len(set(lines)), "a line only when something changed"


@pytest.mark.parametrize("lag", [3, 12])
def test_counters_that_lag_behind_the_end_do_not_fail_the_task(make_world: MakeWorld, lag: float) -> None:
    async def main() -> None:
        world = make_world(counter_lag=lag)
        batch_id = await world.batch(40)
        event = await event_of(trigger(batch_id, rules=SuccessRules(min_called=1.0)))
        assert (event["status"], event["called"]) == ("success", 40)

    run(main(), MONDAY)


@pytest.mark.parametrize("settings", [{"read_lag": 5, "list_lag": 5}, {"list_order": "unstable"}, {"totals": "wrong"}])
def test_a_server_that_lags_or_lists_loosely_is_followed_to_the_end(
    make_world: MakeWorld, settings: dict[str, Any]
) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0, **settings)
        ids = [await world.batch(5) for _ in range(30)]
        events = await asyncio.gather(*(event_of(trigger(batch_id)) for batch_id in ids))
        assert {(event["status"], event["called"]) for event in events} == {("success", 5)}

    run(main(), MONDAY)


# --- The wire format


def test_the_arguments_of_version_1_are_understood() -> None:
    # What came later is added with its default.
    settings: dict[str, Any] = dict(KWARGS_V1["settings"])  # type: ignore[call-overload]
    settings |= {"resume_from": 0.0}
    understood = {**KWARGS_V1, "settings": settings}
    assert BatchCallTrigger(**KWARGS_V1).serialize()[1] == understood


def test_arguments_of_a_newer_version_are_ignored_and_missing_ones_have_defaults() -> None:
    waiting = BatchCallTrigger(truedy_conn_id="c", settings={"batch_call_id": "b", "speed": 3}, colour="red", version=9)
    assert waiting.serialize()[1]["settings"]["interval"] == 60.0
    assert waiting.on_kill_action == "leave"


def test_nothing_fails_to_serialise_after_the_launch() -> None:
    kwargs = trigger("batch_1", deadline=5.0).serialize()[1]
    assert serde.deserialize(json.loads(json.dumps(serde.serialize(kwargs)))) == kwargs


# --- The start


def test_a_campaign_ahead_costs_few_requests(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        start = (MONDAY + timedelta(days=2)).isoformat()
        batch_id = await world.batch(3, start=False)
        await world.ask("POST", f"/batch-calls/{batch_id}/schedule", {"scheduled_at": start})
        event = await event_of(trigger(batch_id))
        assert event["status"] == "success"
        assert len(world.requests()) < 2 * 24 * 6 + 20

    run(main(), MONDAY)
