"""A campaign that may have called somebody and is gone from the server: nobody is called again by default."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings

from airflow_truedy.campaigns.errors import CampaignEndedError
from airflow_truedy.campaigns.launch import Launched
from tests.crash.stage import Attempt, FencedStore, Server, goes_through, kills_after
from tests.crash.test_any_interleaving import plan_for

NOW = datetime(2026, 6, 1, 13, tzinfo=timezone.utc)


class Ground:
    def __init__(self) -> None:
        self.clock = VirtualClock(NOW, speed=0)
        self.app = create_app(Settings(rate_limit=0, speed=0), clock=self.clock, state_file=None)
        self.server = Server(self.app)
        self.store = FencedStore([None])
        self.plan = plan_for(3, 5)

    def begin(self, **policy: Any) -> Attempt:
        plan = replace(self.plan, policy=replace(self.plan.policy, **policy))
        return Attempt(self.server, plan, self.store, self.clock, "truedy_sandbox_key")

    def a_person_deletes_everything(self) -> None:
        world = self.app.state.world
        for batch in world.all_batches():
            world.batches.pop(batch.id)


def kills_at_the_schedule_step(server: Server, request: httpx.Request) -> httpx.Response:
    return (kills_after if str(request.url).endswith("/schedule") else goes_through)(server, request)


def killed_after_the_schedule_step(ground: Ground) -> None:
    attempt = ground.begin()
    while not any(batch.status != "draft" for batch in ground.app.state.world.all_batches()):
        attempt.step(
            lambda server, request: (kills_after if "schedule" in str(request.url) else goes_through)(server, request)
        )
    assert attempt.is_over
    assert attempt.result is None


def test_a_campaign_deleted_after_a_crash_behind_the_schedule_step_is_not_made_again() -> None:
    ground = Ground()
    killed_after_the_schedule_step(ground)
    ground.a_person_deletes_everything()
    result = ground.begin().finish()
    assert isinstance(result, CampaignEndedError)
    assert "may have called and is deleted" in str(result)
    assert ground.app.state.world.all_batches() == []


def test_not_even_when_the_author_wants_a_new_one_after_an_end() -> None:
    ground = Ground()
    killed_after_the_schedule_step(ground)
    ground.a_person_deletes_everything()
    assert isinstance(ground.begin(on_retry="new").finish(), CampaignEndedError)
    assert ground.app.state.world.all_batches() == []


@pytest.mark.parametrize("created", ["at the create", "at the look behind it"])
def test_a_draft_deleted_before_the_schedule_step_is_made_again(created: str) -> None:
    ground = Ground()
    attempt = ground.begin()
    while not ground.app.state.world.all_batches():
        attempt.step()
    if created != "at the create":
        attempt.step(kills_after)
    ground.a_person_deletes_everything()
    assert isinstance(ground.begin().finish(), Launched)
