from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_truedy.campaigns.identity import find
from tests.support.ground import Ground
from tests.support.plans import AGENT, plan_of
from tests.support.stores import Memory

AN_OLD_ORGANISATION = {"count": 100_000, "every": 600, "agent_id": AGENT}
ANOTHER = {
    "agent_id": AGENT,
    "phone_rotation_strategy": "random",
    "schedule_type": "immediate",
    "timezone": "UTC",
}


def row(batch_id: str, status: str, name: str, created_at: str | None = None) -> dict[str, Any]:
    return {"id": batch_id, "status": status, "name": name, "created_at": created_at}


def answer(ground: Ground, rows: list[dict[str, Any]]) -> None:
    ground.alter(
        "GET", "/batch-calls", lambda *_: httpx.Response(200, json={"data": rows, "pagination": {"total": len(rows)}})
    )


def test_it_groups_by_what_may_have_been_called_and_sorts_by_age(ground: Ground) -> None:
    plan = plan_of(1)
    name = plan.tagged_name
    rows = [
        row("b5", "failed", name, "2026-06-01T05:00:00Z"),
        row("b4", "draft", name, "2026-06-01T04:00:00Z"),
        row("b3", "scheduling", name, "2026-06-01T03:00:00Z"),
        row("b2", "draft", name, "2026-06-01T02:00:00Z"),
        row("b1", "running", name, "2026-06-01T01:00:00Z"),
        row("b0", "canceled", name, "2026-06-01T00:00:00Z"),
        row("b9", "active", "Somebody else's", "2026-01-01T00:00:00Z"),
    ]
    for order in (rows, rows[::-1]):
        answer(ground, order)
        found = find(ground.client, plan.key)
        assert [batch.id for batch in found.started] == ["b1", "b3"]
        assert [batch.id for batch in found.drafts] == ["b2", "b4"]
        assert [batch.id for batch in found.ended] == ["b0", "b5"]
        assert found.chosen is not None
        assert found.chosen.id == "b1"
        ground.heal()


def test_without_a_creation_time_all_workers_still_choose_alike(ground: Ground) -> None:
    plan = plan_of(1)
    rows = [row(batch_id, "draft", plan.tagged_name) for batch_id in ("b2", "b1", "b3")]
    for order in (rows, rows[::-1]):
        answer(ground, order)
        chosen = find(ground.client, plan.key).chosen
        assert chosen is not None
        assert chosen.id == "b1"
        ground.heal()


def test_a_campaign_is_found_behind_many_others_and_under_another_agent(ground: Ground) -> None:
    plan = plan_of(2, start=False, agent_id="agt_5e1ec7ed")
    ground.run(plan)
    for number in range(250):
        ground.app.state.world.do("create_batch", {**ANOTHER, "name": f"Other {number}"})
    before = len(ground.requests)
    chosen = find(ground.client, plan_of(2, start=False, agent_id="agt_f9447372").key).chosen
    assert chosen is not None
    assert chosen.agent_id == "agt_5e1ec7ed"
    assert len(ground.requests) - before == 3


def test_nothing_is_chosen_where_only_bad_ends_are_left(ground: Ground) -> None:
    plan = plan_of(1)
    answer(ground, [row("b1", "failed", plan.tagged_name)])
    found = find(ground.client, plan.key)
    assert found.chosen is None
    assert [batch.id for batch in found.ended] == ["b1"]


@pytest.mark.parametrize("options", [{"alone": True}, {}], ids=["a first try", "a later try"])
def test_a_small_launch_takes_no_more_requests_beside_a_hundred_thousand_old_batch_calls(
    ground: Ground, options: dict[str, Any]
) -> None:
    ground.run(plan_of(3, key="other"), Memory(), since=ground.now(), **options)
    alone = len(ground.requests)
    ground.app.state.world.reset()
    ground.app.state.world.do("make_history", AN_OLD_ORGANISATION)
    ground.app.state.log.clear()
    ground.run(plan_of(3), Memory(), since=ground.now(), **options)
    # 144 of them were made within the last day, so the first look takes two pages.
    assert len(ground.requests) == alone + 1
    assert len(ground.requests) <= (8 if options else 12)


def test_a_look_again_goes_only_as_far_back_as_the_look_before(ground: Ground) -> None:
    ground.app.state.world.do("make_history", {**AN_OLD_ORGANISATION, "count": 950})
    ground.run(plan_of(3), Memory())
    assert ground.requests.index("GET /agents/agt_f9447372") == 10 + 4
    assert ground.requests.count("GET /batch-calls") == 10 + 4 + 1 + 1


def test_a_draft_made_while_a_long_list_was_read_is_found(ground: Ground) -> None:
    ground.app.state.world.do("make_history", {**AN_OLD_ORGANISATION, "count": 950})
    plan = plan_of(3)

    def slow(_: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        ground.advance(30)
        if ground.requests.count("GET /batch-calls") == 2:
            ground.app.state.world.do("create_batch", {**ANOTHER, "name": plan.tagged_name})
        return send()

    ground.alter("GET", "/batch-calls", slow)
    ground.run(plan, Memory())
    assert "POST /batch-calls" not in ground.requests
