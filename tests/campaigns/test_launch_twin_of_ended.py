"""A twin left over by a lost create or a zombie must not be started once its campaign has called and ended badly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from airflow_truedy.api import endpoints
from airflow_truedy.campaigns.errors import CampaignEndedError
from airflow_truedy.campaigns.plan import CampaignPlan
from tests.support.ground import Ground, Send
from tests.support.plans import UTC, plan_of
from tests.support.stores import Memory

MakeGround = Callable[..., Ground]
IMMEDIATE: dict[str, Any] = {"scheduled_at": None, "schedule_type": "immediate"}
IN_THE_WINDOW = datetime(2026, 6, 1, 15, tzinfo=UTC).timestamp()


def leave_twin(ground: Ground, plan: CampaignPlan) -> str:
    """Make a second draft of a campaign, as a create does that is carried out late by a server that ignores keys."""
    assert plan.contacts is not None
    return ground.client.send(endpoints.create_batch_call(plan.create_request())).id


def by_id(ground: Ground, batch_call_id: str) -> Any:
    return next(batch for batch in ground.batches if batch.id == batch_call_id)


@pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without a store"])
@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_left_over_draft_is_not_started_when_the_task_is_cleared(ground: Ground, end: str, with_store: bool) -> None:
    store, plan = Memory() if with_store else None, plan_of(20, **IMMEDIATE)
    ground.clock.change(to=IN_THE_WINDOW)
    first = ground.run(plan, store).batch.id
    twin = leave_twin(ground, plan)
    ground.advance(300)
    assert by_id(ground, first).called > 0
    ground.force(by_id(ground, first), end)
    with pytest.raises(CampaignEndedError, match=f"{first}.*nobody is called twice"):
        ground.run(plan, store)
    assert by_id(ground, twin).status == "draft"
    assert ground.run(plan_of(20, **IMMEDIATE, on_retry="new"), store).batch.id == twin


def test_nor_when_the_campaign_was_deleted_and_the_store_remembers_it(ground: Ground) -> None:
    store, plan = Memory(), plan_of(20, **IMMEDIATE)
    ground.clock.change(to=IN_THE_WINDOW)
    first = ground.run(plan, store).batch
    twin = leave_twin(ground, plan)
    ground.force(by_id(ground, first.id), "deleted")
    with pytest.raises(CampaignEndedError, match="may have called and is deleted"):
        ground.run(plan, store)
    assert by_id(ground, twin).status == "draft"


def test_one_that_calls_already_is_attached_to(ground: Ground) -> None:
    plan = plan_of(20, **IMMEDIATE)
    ground.clock.change(to=IN_THE_WINDOW)
    first = ground.run(plan).batch.id
    twin = leave_twin(ground, plan)
    ground.do("schedule_batch", by_id(ground, twin))
    ground.force(by_id(ground, first), "cancelled")
    launched = ground.run(plan)
    assert (launched.batch.id, launched.attached) == (twin, True)


@pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without a store"])
@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_twin_that_we_hold_is_not_resumed_after_its_elder_ended(
    make_ground: MakeGround, end: str, with_store: bool
) -> None:
    ground = make_ground(create_answer="scheduled", ignore_idempotency_keys=True)
    ground.clock.change(to=IN_THE_WINDOW)
    store, plan = Memory() if with_store else None, plan_of(20, **IMMEDIATE)

    def shows_nothing_before_the_second_create(_: httpx.Request, send: Send) -> httpx.Response:
        return send() if len(ground.keys()) > 1 else httpx.Response(200, json={"data": [], "pagination": {"total": 0}})

    ground.fault("lost_answer", "POST", "/batch-calls$")
    ground.alter("GET", "/batch-calls", shows_nothing_before_the_second_create)
    ground.run(plan, store)
    ground.advance(300)
    (twin,) = (batch for batch in ground.batches if batch.status == "paused")
    (elder,) = (batch for batch in ground.batches if batch.status != "paused")
    before = twin.called
    ground.force(elder, end)
    with pytest.raises(CampaignEndedError, match=elder.id):
        ground.run(plan, store)
    ground.advance(300)
    assert (by_id(ground, twin.id).status, twin.called) == ("paused", before)


def test_a_campaign_of_a_zombie_that_ended_while_we_fill_ours_keeps_ours_a_draft(ground: Ground) -> None:
    plan = plan_of(20, chunk_size=10, **IMMEDIATE)
    ground.clock.change(to=IN_THE_WINDOW)
    theirs: list[Any] = []

    def a_zombie_launches(_: httpx.Request, send: Send) -> httpx.Response:
        if not theirs:
            theirs.append(leave_twin(ground, plan))
            ground.do("schedule_batch", by_id(ground, theirs[0]))
            ground.advance(300)
            ground.force(by_id(ground, theirs[0]), "cancelled")
        return send()

    ground.alter("POST", "/batch-calls/[^/]+/contacts", a_zombie_launches)
    with pytest.raises(CampaignEndedError, match=r"is 'cancelled'"):
        ground.run(plan)
    assert [batch.status for batch in ground.batches if batch.id != theirs[0]] == ["draft"]
