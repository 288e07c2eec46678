"""A batch call that may have called and cannot be found: no wish of the author and no second answer makes another."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_truedy.campaigns.errors import CampaignEndedError
from tests.campaigns.requests_of_a_launch import CREATE, NOW
from tests.support.ground import Ground, Send
from tests.support.plans import plan_of
from tests.support.stores import Memory


@pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without a store"])
def test_a_404_of_the_second_schedule_step_is_no_word_about_the_first(ground: Ground, with_store: bool) -> None:
    answered: list[int] = []

    def lost_then_deleted(_: httpx.Request, send: Send) -> httpx.Response:
        if answered:
            ground.force(ground.only, "deleted")
            return send()
        answered.append(send().status_code)
        raise httpx.ReadError("lost")

    def old_reading(_: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if answer.status_code >= 300:
            return answer
        body = answer.json()
        body["data"]["status"] = "draft"
        return httpx.Response(200, json=body)

    ground.alter("POST", "/batch-calls/[^/]+/schedule", lost_then_deleted)
    ground.alter("GET", "/batch-calls/[^/]+", old_reading)
    with pytest.raises(CampaignEndedError, match="may have called"):
        ground.run(plan_of(3, **NOW), Memory() if with_store else None)
    assert answered == [200]
    assert ground.requests.count(CREATE) == 1


@pytest.mark.parametrize("start", [{}, NOW], ids=["scheduled", "immediate"])
def test_absence_is_no_end_that_on_retry_new_may_follow(ground: Ground, start: dict[str, Any]) -> None:
    store = Memory()
    plan = plan_of(3, on_retry="new", **start)
    ground.run(plan, store)

    def hidden(_: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        return httpx.Response(404, json={"error": {"code": "not_found", "message": "no"}}) if answer else answer

    def empty(_: httpx.Request, send: Send) -> httpx.Response:
        return httpx.Response(200, json={"data": [], "pagination": {"total": 0, "has_more": False}})

    ground.alter("GET", "/batch-calls/[^/]+", hidden)
    ground.alter("GET", "/batch-calls", empty)
    with pytest.raises(CampaignEndedError, match="may have called"):
        ground.run(plan, store)
    assert ground.requests.count(CREATE) == 1
