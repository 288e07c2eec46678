from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_truedy.triggers import batch_call_ended
from airflow_truedy.triggers.batch_call_ended import BatchCallEndedTrigger
from tests.triggers.conftest import World
from tests.triggers.virtual_time import run
from tests.triggers.watching import ids, watching

MONDAY = datetime(2026, 6, 1, 13, 30, tzinfo=timezone.utc)
MakeWorld = Callable[..., World]
MINUTE = 60.0

pytestmark = pytest.mark.usefixtures("variables")


def test_a_campaign_that_ends_is_told_once_with_ids_and_counts_only(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        earlier = await world.batch(2)
        await world.set_state(earlier, "cancelled")
        async with watching(BatchCallEndedTrigger()) as told:
            batch_id = await world.batch(12, name="Renewals of Ann [airflow 0123456789ab-01234567]")
            await asyncio.sleep(3600)
        (event,) = told
        assert event == {
            "version": 1,
            "batch_call_id": batch_id,
            "status": "completed",
            "agent_id": "agt_f9447372",
            "tag": "airflow 0123456789ab",
            "total_contacts": 12,
            "called": 12,
            "completed": event["completed"],
            "failed": 12 - event["completed"],
            "pending": 0,
        }

    run(main(), MONDAY)


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed"])
def test_every_end_is_one(make_world: MakeWorld, status: str) -> None:
    async def main() -> None:
        world = make_world(live_state="running")
        batch_id = await world.batch(500)
        async with watching(BatchCallEndedTrigger()) as told:
            await asyncio.sleep(2 * MINUTE)
            assert told == []
            await world.set_state(batch_id, status)
            await asyncio.sleep(5 * MINUTE)
        assert [(event["batch_call_id"], event["status"]) for event in told] == [(batch_id, status)]

    run(main(), MONDAY)


def test_what_ends_while_no_triggerer_runs_is_told_afterwards_and_nothing_twice(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        running, draft = await world.batch(500), await world.batch(3, start=False)
        async with watching(BatchCallEndedTrigger()) as told:
            first = await world.batch(2)
            await asyncio.sleep(30 * MINUTE)
        assert ids(told) == [first]
        # Made, started and ended meanwhile; and a draft that was started meanwhile.
        meanwhile = await world.batch(2)
        await world.ask("POST", f"/batch-calls/{draft}/schedule", {})
        await world.set_state(running, "cancelled")
        await asyncio.sleep(5 * 24 * 3600)
        for _ in range(3):
            async with watching(BatchCallEndedTrigger()) as told_after:
                await asyncio.sleep(30 * MINUTE)
            told += told_after
        assert sorted(ids(told)) == sorted([first, running, draft, meanwhile])

    run(main(), MONDAY)


@pytest.mark.parametrize("gap", [0, 40, 90, 600])
def test_a_triggerer_that_dies_at_any_moment_loses_nothing(make_world: MakeWorld, gap: int) -> None:
    async def main() -> None:
        world = make_world()
        made, told = [], []
        for pause in (60, 1, 13, 29, 61, 64, 67, 71, 95, 130, 200):
            made.append(await world.batch(2))
            async with watching(BatchCallEndedTrigger()) as told_here:
                await asyncio.sleep(pause)
            told += ids(told_here)
            await asyncio.sleep(gap)
        async with watching(BatchCallEndedTrigger()) as told_here:
            await asyncio.sleep(3600)
        told += ids(told_here)
        assert set(told) == set(made)
        # Only those told in the five seconds before an end may come again: of the looks at 60 s, in two runs.
        assert len(told) <= len(made) + 3

    run(main(), MONDAY)


def test_only_an_event_that_may_not_be_stored_yet_is_told_again(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        async with watching(BatchCallEndedTrigger()):
            batch_id = await world.batch(500)
            await asyncio.sleep(2 * MINUTE)
            await world.set_state(batch_id, "cancelled")
        told = []
        for seconds in (batch_call_ended._STORED_AFTER - 1, 60, 3600):
            trigger = BatchCallEndedTrigger()
            seen: list[str] = []

            async def watch(trigger: BatchCallEndedTrigger = trigger, seen: list[str] = seen) -> None:
                async for event in trigger.run():
                    seen.append(event.payload["batch_call_id"])

            task = asyncio.ensure_future(watch())
            await asyncio.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            told.append(seen)
        assert told == [[batch_id], [batch_id], []]

    run(main(), MONDAY)


def test_of_campaigns_that_end_together_one_is_told_at_the_next_look(make_world: MakeWorld) -> None:
    """Airflow creates a run for the first event and leaves those that come before it did so to the next event."""

    async def main() -> None:
        world = make_world()
        batches = [await world.batch(500) for _ in range(4)]
        async with watching(BatchCallEndedTrigger()) as told:
            for batch_id in batches[:3]:
                await world.set_state(batch_id, "cancelled")
            await asyncio.sleep(MINUTE)
            assert len(told) == 2
            await world.set_state(batches[3], "cancelled")
            fresh = await world.batch(500)
            await world.set_state(fresh, "failed")
            await asyncio.sleep(MINUTE + 10)
            assert len(told) == 4
            await asyncio.sleep(MINUTE + 10)
        assert sorted(ids(told)) == sorted([*batches, fresh])
        assert set(ids(told)[:4]) > set(batches[:3]), "nobody is held back twice"

    run(main(), MONDAY)


def test_names_agents_and_tags_are_filtered(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        wanted = {
            "name": BatchCallEndedTrigger(name="Renewals*"),
            "whole name": BatchCallEndedTrigger(name="Renewals"),
            "tag word": BatchCallEndedTrigger(tag="airflow"),
            "tag": BatchCallEndedTrigger(tag="airflow 0123456789ab"),
            "agent": BatchCallEndedTrigger(agent_id="agt_other"),
            "both": BatchCallEndedTrigger(agent_id="agt_f9447372", name="*week*"),
        }
        told: dict[str, list[str]] = {}

        async def watch(name: str) -> None:
            async with watching(wanted[name]) as events:
                await asyncio.sleep(2 * 3600)
            told[name] = ids(events)

        watches = [asyncio.ensure_future(watch(name)) for name in wanted]
        await asyncio.sleep(10)
        plain = await world.batch(2, name="Renewals")
        ours = await world.batch(2, name="Renewals, week 3 [airflow 0123456789ab-01234567] paused by Airflow")
        theirs = await world.batch(2, name="Surveys [nightly 0123456789ab-01234567]")
        await asyncio.gather(*watches)
        assert set(told["name"]) == {plain, ours}
        assert told == {
            "name": told["name"],
            "whole name": [plain],
            "tag word": [ours],
            "tag": [ours],
            "agent": [],
            "both": [ours],
        }
        assert theirs

    run(main(), MONDAY)


def test_what_cannot_be_read_is_told_later(make_world: MakeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        world = make_world()
        async with watching(BatchCallEndedTrigger()) as told:
            batch_id = await world.batch(2)
            await world.fault("error_500", times=40)
            await asyncio.sleep(2 * 3600)
        assert ids(told) == [batch_id]
        assert "cannot be watched at present" in capsys.readouterr().out

    run(main(), MONDAY)


def test_a_deleted_campaign_ended_and_a_deleted_draft_did_not(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world()
        started, draft = await world.batch(500), await world.batch(3, start=False)
        async with watching(BatchCallEndedTrigger()) as told:
            await world.set_state(started, "deleted")
            await world.set_state(draft, "deleted")
            await asyncio.sleep(5 * MINUTE)
            assert told == [], "one 404 is no proof"
            await asyncio.sleep(15 * MINUTE)
        assert [(event["batch_call_id"], event["status"], event["called"]) for event in told] == [
            (started, "deleted", None)
        ]

    run(main(), MONDAY)


def test_watching_takes_a_small_share_of_the_rate_limit(make_world: MakeWorld) -> None:
    async def main() -> None:
        world = make_world(rate_limit=0)
        for _ in range(31):
            await world.batch(2, start=False)
        for _ in range(20):
            await world.batch(500)
        async with watching(BatchCallEndedTrigger()):
            begun = len(world.requests())
            await asyncio.sleep(20 * MINUTE)
            assert len(world.requests()) - begun <= 21, "one page shows them all"
            assert begun <= 8

    run(main(), MONDAY)


def test_the_triggers_own_pace_is_a_tenth_of_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", '{"conn_type": "truedy", "password": "truedy_x"}')
    from airflow_truedy.hooks.truedy import TruedyAsyncHook

    hook = TruedyAsyncHook(requests_per_minute=batch_call_ended.REQUESTS_PER_MINUTE)
    assert asyncio.run(hook.get_settings()).requests_per_minute == 10


def test_a_variable_that_somebody_broke_stops_the_telling_and_is_left_alone(
    make_world: MakeWorld, variables: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        world = make_world()
        trigger = BatchCallEndedTrigger()
        variables[trigger.variable] = '{"version": 99}'
        async with watching(trigger) as told:
            await world.batch(2)
            await asyncio.sleep(30 * MINUTE)
        assert told == []
        assert variables == {trigger.variable: '{"version": 99}'}
        assert f"Variable {trigger.variable} cannot be read" in capsys.readouterr().out

    run(main(), MONDAY)


def test_the_variable_is_written_when_something_changed_and_not_at_every_look(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        world = make_world()
        written = []
        keep = BatchCallEndedTrigger._keep

        async def count(self: BatchCallEndedTrigger, watermark: Any) -> bool:
            written.append(watermark)
            return await keep(self, watermark)

        monkeypatch.setattr(BatchCallEndedTrigger, "_keep", count)
        await world.batch(3, start=False)
        async with watching(BatchCallEndedTrigger()):
            await asyncio.sleep(60 * MINUTE)
        assert 2 <= len(written) <= 6

    run(main(), MONDAY)


def test_watchers_share_their_looks_by_connection_and_interval() -> None:
    key = BatchCallEndedTrigger(name="a").shared_stream_key()
    assert BatchCallEndedTrigger(name="b", agent_id="c", interval=60).shared_stream_key() == key
    assert BatchCallEndedTrigger(truedy_conn_id="other").shared_stream_key() != key
    assert BatchCallEndedTrigger(interval=30).shared_stream_key() != key


def test_two_watchers_of_one_look_cost_no_more_than_one(make_world: MakeWorld) -> None:
    """As the triggerer of Airflow 3.3 drives them: one stream, its looks handed to each."""

    async def main() -> None:
        world = make_world()
        queues: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in range(4)]
        told: list[list[str]] = [[] for _ in queues]

        async def broadcast() -> None:
            async for look in BatchCallEndedTrigger.open_shared_stream(
                {"truedy_conn_id": "truedy_default", "interval": 60}
            ):
                for queue in queues:
                    queue.put_nowait(look)

        async def watch(number: int) -> None:
            async def looks() -> AsyncIterator[Any]:
                while True:
                    yield await queues[number].get()

            trigger = BatchCallEndedTrigger(name="Renewals*" + "*" * number)
            async for event in trigger.filter_shared_stream(looks()):
                told[number].append(event.payload["batch_call_id"])

        tasks = [asyncio.ensure_future(each) for each in (broadcast(), *map(watch, range(len(queues))))]
        await asyncio.sleep(10)
        begun = len(world.requests())
        batch_id = await world.batch(2)
        await asyncio.sleep(20 * MINUTE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert told == [[batch_id]] * len(queues)
        assert len(world.requests()) - begun <= 21

    run(main(), MONDAY)


def test_it_is_made_again_from_what_airflow_stores_and_keeps_its_variable() -> None:
    trigger = BatchCallEndedTrigger(name="Renewals*", interval=30)
    classpath, kwargs = trigger.serialize()
    assert classpath == f"{BatchCallEndedTrigger.__module__}.{BatchCallEndedTrigger.__name__}"
    again = BatchCallEndedTrigger(**json.loads(json.dumps(kwargs)))
    assert again.variable == trigger.variable != BatchCallEndedTrigger(name="Renewals").variable


@pytest.mark.parametrize("interval", [0, -1, 9.9, float("nan")])
def test_looking_all_the_time_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match="interval must be 10 seconds or more"):
        BatchCallEndedTrigger(interval=interval)


def test_parsing_a_dag_with_it_loads_no_client() -> None:
    program = (
        "import sys, airflow.sdk, airflow.triggers.base; before = set(sys.modules); "
        "from airflow_truedy.triggers.batch_call_ended import BatchCallEndedTrigger; BatchCallEndedTrigger(); "
        "from airflow_truedy.notifications.calls import TruedyCallNotifier; TruedyCallNotifier(agent_id='a'); "
        "import airflow_truedy.monitoring.summary; print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "airflow_truedy.triggers.batch_call_ended" in loaded
    rooms = {name.split(".")[1] for name in loaded if name.startswith("airflow_truedy.")}
    assert rooms == {"triggers", "notifications", "monitoring", "campaigns"}
    assert {"httpx", "phonenumbers", "pendulum"} & {name.partition(".")[0] for name in loaded} == set()
