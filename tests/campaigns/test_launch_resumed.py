"""A campaign that we paused goes on when its task runs again, but no later than its author allowed it to start."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from airflow_truedy.campaigns.errors import PastStartError, PastStartSkip, WindowClosedError
from airflow_truedy.campaigns.pausing import pause_for_kill
from tests.support.ground import Ground
from tests.support.plans import UTC, plan_of
from tests.support.stores import Memory

IMMEDIATE: dict[str, Any] = {"scheduled_at": None, "schedule_type": "immediate"}
RESUME = "POST /batch-calls/{id}/resume"
# New York is four hours behind.
MONDAY_NOON = datetime(2026, 6, 1, 16, tzinfo=UTC).timestamp()
TUESDAY_THREE_IN_THE_MORNING = datetime(2026, 6, 2, 7, tzinfo=UTC).timestamp()
TUESDAY_QUARTER_PAST_TEN = datetime(2026, 6, 2, 14, 15, tzinfo=UTC).timestamp()
TUESDAY_SIX_IN_THE_EVENING = datetime(2026, 6, 2, 22, tzinfo=UTC).timestamp()
WEDNESDAY_NOON = datetime(2026, 6, 3, 16, tzinfo=UTC).timestamp()

pytestmark = pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without a store"])


def launched_and_killed(ground: Ground, store: Memory | None, **changes: Any) -> None:
    plan = plan_of(50, **changes)
    pause_for_kill(ground.client, plan.key, ground.run(plan, store).batch.id)
    assert ground.only.status == "paused"


@pytest.mark.parametrize(("on_past", "error"), [("fail", PastStartError), ("skip", PastStartSkip)])
def test_a_task_cleared_after_the_day_of_the_start_does_not_start_it_by_surprise(
    ground: Ground, with_store: bool, on_past: str, error: type[Exception]
) -> None:
    store = Memory() if with_store else None
    launched_and_killed(ground, store, on_past=on_past)
    ground.clock.change(to=WEDNESDAY_NOON)
    for _ in range(2):
        with pytest.raises(error):
            ground.run(plan_of(50, on_past=on_past), store)
    assert ground.only.status == "paused"
    assert RESUME not in ground.requests
    assert ground.run(plan_of(50, on_past="start_now"), store).batch.status == "active"


def test_a_retry_on_the_day_of_the_start_is_no_late_start(ground: Ground, with_store: bool) -> None:
    store = Memory() if with_store else None
    launched_and_killed(ground, store)
    ground.clock.change(to=TUESDAY_QUARTER_PAST_TEN)
    assert ground.run(plan_of(50), store).batch.status == "active"


@pytest.mark.parametrize(
    "late", [TUESDAY_SIX_IN_THE_EVENING, WEDNESDAY_NOON + 18 * 3600], ids=["on its day", "in a later night"]
)
def test_outside_the_window_it_stays_paused_until_it_opens(ground: Ground, with_store: bool, late: float) -> None:
    store = Memory() if with_store else None
    launched_and_killed(ground, store, on_past="start_now")
    ground.clock.change(to=late)
    with pytest.raises(WindowClosedError, match=r"stays paused.*begin") as closed:
        ground.run(plan_of(50, on_past="start_now"), store)
    assert closed.value.retryable
    assert ground.only.status == "paused"
    ground.advance(closed.value.retry_after)
    assert ground.run(plan_of(50, on_past="start_now"), store).batch.status == "active"


@pytest.mark.parametrize(("on_past", "error"), [("fail", PastStartError), ("skip", PastStartSkip)])
def test_a_night_that_only_ends_after_the_day_of_the_start_is_not_waited_for(
    ground: Ground, with_store: bool, on_past: str, error: type[Exception]
) -> None:
    store = Memory() if with_store else None
    launched_and_killed(ground, store, on_past=on_past)
    ground.clock.change(to=TUESDAY_SIX_IN_THE_EVENING)
    with pytest.raises(error):
        ground.run(plan_of(50, on_past=on_past), store)


def test_one_that_was_marked_but_could_not_be_paused_is_no_matter_of_hours(ground: Ground, with_store: bool) -> None:
    store, plan = Memory() if with_store else None, plan_of(400, **IMMEDIATE)
    ground.clock.change(to=MONDAY_NOON + 5.4 * 3600)  # six minutes before the window closes
    batch = ground.run(plan, store).batch
    ground.only.name = plan.key.with_pause_marker(batch.name or "")
    ground.clock.change(to=TUESDAY_THREE_IN_THE_MORNING)
    assert ground.run(plan, store).batch.status == "active"


def test_an_immediate_campaign_that_had_begun_goes_on_in_its_window_only(ground: Ground, with_store: bool) -> None:
    store, plan = Memory() if with_store else None, plan_of(50, **IMMEDIATE)
    ground.clock.change(to=MONDAY_NOON)
    batch = ground.run(plan, store).batch
    ground.advance(60)
    pause_for_kill(ground.client, plan.key, batch.id)
    ground.clock.change(to=TUESDAY_THREE_IN_THE_MORNING)
    with pytest.raises(WindowClosedError):
        ground.run(plan, store)
    ground.clock.change(to=WEDNESDAY_NOON)
    assert ground.run(plan, store).batch.status == "active"


def test_a_scheduled_campaign_that_had_begun_goes_on_on_a_later_day(ground: Ground, with_store: bool) -> None:
    store, plan = Memory() if with_store else None, plan_of(50)
    batch = ground.run(plan, store).batch
    ground.clock.change(to=TUESDAY_QUARTER_PAST_TEN)
    assert ground.only.called > 0
    pause_for_kill(ground.client, plan.key, batch.id)
    ground.clock.change(to=WEDNESDAY_NOON)
    assert ground.run(plan, store).batch.status == "active"
