"""Launches of a campaign that exists more than once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_truedy.campaigns.errors import CampaignEndedError
from tests.campaigns.requests_of_a_launch import MakeGround, empty_list, numbers
from tests.support.ground import Ground, Send
from tests.support.plans import plan_of


class TestTwins:
    def test_the_eldest_of_several_drafts_is_scheduled_and_the_others_go(self, make_ground: MakeGround) -> None:
        ground = make_ground(ignore_idempotency_keys=True)
        plan = plan_of(3)
        drafts = []
        for _ in range(3):
            drafts.append(self._draft_of(ground, plan))
            ground.advance(1)
        ground.run(plan)
        assert ground.only.id == drafts[0]
        assert ground.only.status == "scheduled"

    def test_a_draft_beside_a_started_campaign_goes_when_it_is_met(self, ground: Ground) -> None:
        plan = plan_of(3)
        ground.run(plan)
        started = ground.only.id

        def late(_: httpx.Request, send: Send) -> httpx.Response:
            ground.heal()
            self._draft_of(ground, plan)
            return empty_list()

        # A zombie that looked before the campaign was there, and creates after.
        ground.alter("GET", "/batch-calls", late)
        launched = ground.run(plan)
        assert launched.attached
        assert launched.batch.id == started
        assert [batch.status for batch in ground.batches] == ["scheduled"]

    def test_a_stray_draft_whose_deletion_failed_goes_with_the_next_look(self, ground: Ground) -> None:
        plan = plan_of(3)
        started = ground.run(plan).batch.id
        self._draft_of_another(ground, plan)
        assert ground.run(plan).batch.id == started
        assert ground.only.id == started

    def test_a_replayed_answer_about_a_deleted_draft_leads_to_a_new_one(self, ground: Ground) -> None:
        for chunk_size in (500, 2):
            plan = plan_of(5, key=f"{chunk_size}", chunk_size=chunk_size)
            self._draft_of(ground, plan)
            ground.force(ground.batches[-1], "deleted")
            ground.run(plan)
            assert ground.numbers(ground.batches[-1]) == numbers(5)
            assert ground.batches[-1].status == "scheduled"

    def test_a_replayed_answer_about_a_deleted_started_campaign_makes_no_other_one(
        self, make_ground: MakeGround
    ) -> None:
        ground = make_ground(create_answer="scheduled")
        plan = plan_of(5)
        self._draft_of(ground, plan)
        ground.force(ground.only, "deleted")
        with pytest.raises(CampaignEndedError, match="may have called and is gone"):
            ground.run(plan)
        assert ground.batches == []

    def test_a_draft_that_a_zombie_deletes_under_our_hands_is_made_again(self, ground: Ground) -> None:
        for step in (".*/contacts", ".*/schedule"):

            def gone(_: httpx.Request, send: Send) -> httpx.Response:
                ground.heal()
                ground.force(ground.batches[-1], "deleted")
                return send()

            ground.alter("POST", step, gone)
            ground.run(plan_of(5, key=step, chunk_size=2))
            assert ground.numbers(ground.batches[-1]) == numbers(5)

    @staticmethod
    def _draft_of_another(ground: Ground, plan: Any) -> None:
        ground.app.state.world.do(
            "create_batch",
            {
                "name": plan.tagged_name,
                "agent_id": "agt_f9447372",
                "phone_rotation_strategy": "random",
                "schedule_type": "immediate",
                "timezone": "UTC",
            },
        )

    @staticmethod
    def _draft_of(ground: Ground, plan: Any) -> str:
        from airflow_truedy.api import endpoints

        request = plan.create_request()
        key = plan.key.idempotency_key(endpoints.create_batch_call(request).body or b"", 0)
        return str(ground.client.send(endpoints.create_batch_call(request, idempotency_key=key)).id)
