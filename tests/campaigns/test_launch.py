"""Launches against the sandbox: what comes to be on the server, and by which requests."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from airflow_truedy.campaigns.errors import (
    CampaignError,
    CountMismatchError,
)
from tests.campaigns.requests_of_a_launch import (
    A_WEEK,
    ADD,
    AGENT_READ,
    CREATE,
    LOOK,
    NOW,
    READ,
    SCHEDULE,
    MakeGround,
    dies_behind,
    numbers,
)
from tests.support.ground import Ground
from tests.support.plans import STARTS_AT, people, plan_of
from tests.support.stores import Memory


class TestHappyPaths:
    def test_a_scheduled_campaign_takes_seven_requests(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3), alone=True)
        assert ground.requests == [LOOK, AGENT_READ, CREATE, LOOK, SCHEDULE, READ, LOOK]
        assert not launched.attached
        assert launched.batch.status == "scheduled"
        assert launched.batch.scheduled_at == STARTS_AT
        assert launched.batch.request_id
        assert ground.numbers() == numbers(3)
        assert ground.only.hours.zone == "America/New_York"
        assert (ground.only.hours.start_time, ground.only.hours.end_time) == ("09:00", "17:30")

    def test_chunks_are_added_one_request_each(self, ground: Ground) -> None:
        ground.run(plan_of(7, chunk_size=3), alone=True)
        assert ground.requests == [LOOK, AGENT_READ, CREATE, ADD, ADD, LOOK, SCHEDULE, READ, LOOK]
        assert ground.numbers() == numbers(7)
        assert [each.contacts for each in ground.app.state.log.all if each.contacts] == [3, 3, 1]

    def test_an_immediate_campaign_calls(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3, **NOW))
        assert launched.batch.status == "active"
        assert ground.only.scheduled_at is None

    def test_a_draft_is_left_with_start_false(self, ground: Ground) -> None:
        launched = ground.run(plan_of(5, start=False, chunk_size=2), alone=True)
        assert ground.requests == [LOOK, AGENT_READ, CREATE, ADD, ADD, LOOK]
        assert launched.batch.status == ground.only.status == "draft"
        assert ground.numbers() == numbers(5)

    def test_contacts_of_the_server_alone_need_no_add(self, ground: Ground) -> None:
        ids = [
            ground.app.state.world.do("create_contact", {"phone_number": number, "folder_id": None})["id"]
            for number in numbers(2)
        ]
        ground.run(plan_of(None, contact_ids=ids), alone=True)
        assert ground.numbers() == numbers(2)
        assert ground.requests == [LOOK, AGENT_READ, CREATE, LOOK, SCHEDULE, READ, LOOK]

    def test_contact_ids_and_chunks_come_together(self, ground: Ground) -> None:
        extra = people(2, start=90)
        ids = [ground.app.state.world.do("create_contact", {**one, "folder_id": None})["id"] for one in extra]
        ground.run(plan_of(5, contact_ids=ids, chunk_size=2))
        assert sorted(ground.numbers()) == sorted(numbers(5) + [one["phone_number"] for one in extra])

    def test_a_folder_is_copied(self, ground: Ground) -> None:
        folder = ground.app.state.world.do("create_folder", {"name": "June", "description": None})["id"]
        for one in people(2):
            ground.app.state.world.do("create_contact", {**one, "folder_id": folder})
        ground.run(plan_of(None, contact_folder_id=folder))
        assert ground.numbers() == numbers(2)
        assert ground.only.status == "scheduled"

    def test_an_empty_folder_is_not_started(self, ground: Ground) -> None:
        folder = ground.app.state.world.do("create_folder", {"name": "June", "description": None})["id"]
        with pytest.raises(CountMismatchError, match="is the folder empty"):
            ground.run(plan_of(None, contact_folder_id=folder))
        assert ground.only.status == "draft"

    @pytest.mark.parametrize("answers", ["partial", "full", "empty"])
    @pytest.mark.parametrize("times", ["z", "naive"])
    def test_all_forms_of_action_answers_and_times_are_read(
        self, make_ground: MakeGround, answers: str, times: str
    ) -> None:
        ground = make_ground(action_answers=answers, times=times, live_state="running", id_style="camp")
        assert ground.run(plan_of(3)).batch.scheduled_at == STARTS_AT
        assert ground.run(plan_of(2, key="now", **NOW)).batch.status == "running"


class TestAttach:
    @pytest.mark.parametrize("with_store", [True, False])
    @pytest.mark.parametrize("dialect", ["draft", "scheduled"])
    def test_a_second_run_sends_nothing(
        self, make_ground: MakeGround, with_store: bool, dialect: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        ground = make_ground(create_answer=dialect)
        store = Memory() if with_store else None
        first = ground.run(plan_of(5, chunk_size=2), store)
        writes = len(ground.writes)
        with caplog.at_level(logging.INFO):
            second = ground.run(plan_of(5, chunk_size=2), store)
        assert second.attached
        assert second.batch.id == first.batch.id
        assert len(ground.writes) == writes
        assert "another campaign_key" in caplog.text

    def test_a_finished_campaign_is_attached_after_its_start_has_passed(self, ground: Ground) -> None:
        ground.run(plan_of(3))
        ground.advance(A_WEEK)
        assert ground.run(plan_of(3)).batch.status == "completed"

    def test_another_key_makes_another_campaign(self, ground: Ground) -> None:
        ground.run(plan_of(3))
        ground.run(plan_of(3, key="other"))
        assert len(ground.batches) == 2

    def test_with_a_store_one_read_suffices(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3), store)
        before = len(ground.requests)
        ground.run(plan_of(3), store)
        assert ground.requests[before:] == [READ]

    def test_a_person_may_have_moved_the_start_meanwhile(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3), store)
        ground.do("update_batch", ground.only, changes={"scheduled_at": (STARTS_AT + timedelta(days=1)).timestamp()})
        assert ground.run(plan_of(3), store).batch.status == "scheduled"

    def test_a_person_may_have_scheduled_the_draft_for_another_time(self, ground: Ground) -> None:
        ground.run(plan_of(3, start=False))
        at = (STARTS_AT + timedelta(days=1)).timestamp()
        ground.do("schedule_batch", ground.only, scheduled_at=at, timezone="America/Chicago")
        assert ground.run(plan_of(3, start=False)).attached
        assert ground.only.status == "scheduled"

    def test_a_pause_by_a_person_stays(self, ground: Ground) -> None:
        for store in (Memory(), None):
            plan = plan_of(3, key=f"{store is None}")
            ground.run(plan, store)
            ground.do("pause_batch", ground.batches[-1])
            assert ground.run(plan, store).batch.status == "paused"
            assert ground.batches[-1].status == "paused"

    def test_a_pause_by_a_person_stays_also_after_an_attempt_that_died_behind_the_schedule_step(
        self, ground: Ground
    ) -> None:
        store = Memory()

        ground.alter("POST", "/batch-calls/[^/]+/schedule", dies_behind)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(3), store)
        ground.heal()
        ground.do("pause_batch", ground.only)
        assert ground.run(plan_of(3), store).batch.status == "paused"
        assert ground.only.status == "paused"

    def test_a_draft_that_got_this_campaigns_name_passed_on_is_left_alone(self, ground: Ground) -> None:
        first = ground.run(plan_of(3))
        ground.run(plan_of(2, key="next", name=f"{first.batch.name} again", start=False))
        assert ground.run(plan_of(3)).attached
        assert [batch.status for batch in ground.batches] == ["scheduled", "draft"]

    def test_a_pause_of_ours_is_taken_back(self, ground: Ground) -> None:
        for store in (Memory(), None):
            plan = plan_of(3, key=f"{store is None}")
            ground.run(plan, store)
            batch = ground.batches[-1]
            ground.do("pause_batch", batch)
            ground.do("update_batch", batch, changes={"name": plan.key.with_pause_marker(batch.name)})
            assert ground.run(plan, store).batch.status == "scheduled"
            assert ground.batches[-1].status == "scheduled"
            assert ground.batches[-1].name == plan.tagged_name


def test_nobody_shows_in_logs_or_errors(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ground.fault("lost_answer", "POST", "batch-calls$")
    ground.fault("lost_answer", "POST", "contacts$")
    ground.fault("error_500_after", "POST", "schedule$")
    ground.run(plan_of(5, chunk_size=2))
    with pytest.raises(CampaignError) as failed:
        ground.run(plan_of(4, chunk_size=2))
    for text in (caplog.text, str(failed.value), repr(failed.value)):
        assert "Person" not in text
        assert "2125550" not in text
        assert "truedy_sandbox_key" not in text
