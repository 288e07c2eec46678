"""Launches against the sandbox: what comes to be on the server, and by which requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import AuthenticationError, ServerError
from airflow_truedy.campaigns.errors import (
    CampaignEndedError,
    CampaignError,
    CountMismatchError,
    LaunchInterruptedError,
    NotHeldError,
    PastStartError,
    PayloadChangedError,
    ReadBackError,
    TimingError,
    UnsettledError,
)
from tests.campaigns.ground import Ground, Memory, Send, refused
from tests.campaigns.plans import MONDAY, STARTS_AT, people, plan_of

LOOK = "GET /batch-calls"
READ = "GET /batch-calls/{id}"
CREATE = "POST /batch-calls"
ADD = "POST /batch-calls/{id}/contacts"
CONTACTS = "GET /batch-calls/{id}/contacts"
SCHEDULE = "POST /batch-calls/{id}/schedule"
PAUSE = "POST /batch-calls/{id}/pause"
RESUME = "POST /batch-calls/{id}/resume"
RENAME = "PATCH /batch-calls/{id}"
DELETE = "POST /batch-calls/bulk-delete"
MakeGround = Callable[..., Ground]
NOW: dict[str, Any] = {"scheduled_at": None, "schedule_type": "immediate"}
A_WEEK = timedelta(days=7).total_seconds()


def numbers(count: int) -> list[str]:
    return [person["phone_number"] for person in people(count)]


class TestHappyPaths:
    def test_a_scheduled_campaign_takes_five_requests(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3))
        assert ground.requests == [LOOK, CREATE, LOOK, SCHEDULE, READ]
        assert not launched.attached
        assert launched.batch.status == "scheduled"
        assert launched.batch.scheduled_at == STARTS_AT
        assert launched.batch.request_id
        assert ground.numbers() == numbers(3)
        assert ground.only.hours.zone == "America/New_York"
        assert (ground.only.hours.start_time, ground.only.hours.end_time) == ("09:00", "17:30")

    def test_chunks_are_added_one_request_each(self, ground: Ground) -> None:
        ground.run(plan_of(7, chunk_size=3))
        assert ground.requests == [LOOK, CREATE, ADD, ADD, LOOK, SCHEDULE, READ]
        assert ground.numbers() == numbers(7)
        assert [each.contacts for each in ground.app.state.log.all if each.contacts] == [3, 3, 1]

    def test_an_immediate_campaign_calls(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3, **NOW))
        assert launched.batch.status == "active"
        assert ground.only.scheduled_at is None

    def test_a_draft_is_left_with_start_false(self, ground: Ground) -> None:
        launched = ground.run(plan_of(5, start=False, chunk_size=2))
        assert ground.requests == [LOOK, CREATE, ADD, ADD, LOOK]
        assert launched.batch.status == ground.only.status == "draft"
        assert ground.numbers() == numbers(5)

    def test_contacts_of_the_server_alone_need_no_add(self, ground: Ground) -> None:
        ids = [
            ground.app.state.world.do("create_contact", {"phone_number": number, "folder_id": None})["id"]
            for number in numbers(2)
        ]
        ground.run(plan_of(None, contact_ids=ids))
        assert ground.numbers() == numbers(2)
        assert ground.requests == [LOOK, CREATE, LOOK, SCHEDULE, READ]

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


class TestDialectThatStartsAtTheCreate:
    @pytest.fixture
    def ground(self, make_ground: MakeGround) -> Ground:
        return make_ground(create_answer="scheduled")

    def test_nothing_is_scheduled_a_second_time(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3))
        assert ground.writes == [CREATE]
        assert launched.batch.status == "scheduled"
        assert ground.numbers() == numbers(3)

    @pytest.mark.parametrize("when", [{}, NOW], ids=["scheduled", "immediate"])
    def test_it_is_held_while_chunks_are_missing(self, ground: Ground, when: dict[str, Any]) -> None:
        launched = ground.run(plan_of(7, chunk_size=3, **when))
        writes = [write for write in ground.writes if write != RENAME]
        assert writes == [CREATE, PAUSE, ADD, ADD, RESUME]
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert launched.batch.status in ("scheduled", "active")
        assert ground.only.status in ("scheduled", "active")

    def test_a_scheduled_one_keeps_no_mark_of_the_hold(self, ground: Ground) -> None:
        ground.run(plan_of(7, chunk_size=3))
        assert "paused by Airflow" not in ground.only.name

    def test_a_pause_that_is_refused_is_a_precise_error(self, ground: Ground) -> None:
        ground.alter("POST", ".*/pause", refused(message="a running batch call cannot be paused"))
        with pytest.raises(NotHeldError, match=r"is 'scheduled' and cannot be paused.*cannot be paused"):
            ground.run(plan_of(7, chunk_size=3))
        assert ground.numbers() == numbers(3)

    def test_start_false_ends_paused(self, ground: Ground) -> None:
        launched = ground.run(plan_of(3, start=False))
        assert launched.batch.status == ground.only.status == "paused"

    def test_a_person_who_starts_a_campaign_left_unstarted_keeps_it_when_the_task_is_cleared(
        self, ground: Ground
    ) -> None:
        store = Memory()
        ground.run(plan_of(3, start=False), store)
        ground.do("resume_batch", ground.only)
        assert ground.run(plan_of(3, start=False), store).attached
        assert ground.only.status == "scheduled"

    @pytest.mark.parametrize("with_store", [True, False])
    def test_a_lost_create_with_start_false_is_held_too(self, ground: Ground, with_store: bool) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3, start=False), Memory() if with_store else None)
        assert ground.only.status == "paused"

    def test_an_attempt_that_died_before_the_hold_is_made_up_for(self, ground: Ground) -> None:
        store = Memory()
        ground.alter("GET", "/batch-calls/[^/]+", refused(401, "unauthorized"))
        with pytest.raises(AuthenticationError):
            ground.run(plan_of(3, start=False), store)
        ground.heal()
        ground.run(plan_of(3, start=False), store)
        assert ground.only.status == "paused"

    def test_a_lost_create_is_found_and_completed(self, ground: Ground) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(7, chunk_size=3))
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert ground.only.status == "scheduled"

    def test_a_key_that_is_ignored_leaves_one_running(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled", ignore_idempotency_keys=True)
        # The list does not show the first one in time.
        hidden = iter([True, True])

        def late(_: httpx.Request, send: Send) -> httpx.Response:
            ground.advance(1)
            return _empty_list() if next(hidden, False) else send()

        ground.alter("GET", "/batch-calls", late)
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert sorted(batch.status for batch in ground.batches) == ["paused", "scheduled"]
        assert ground.batches[0].status == "scheduled"


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

        def dies(_: httpx.Request, send: Send) -> httpx.Response:
            send()
            raise KeyboardInterrupt

        ground.alter("POST", "/batch-calls/[^/]+/schedule", dies)
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
            ground.do("update_batch", batch, changes={"name": plan.key.with_mark(batch.name, paused_by_us=True)})
            assert ground.run(plan, store).batch.status == "scheduled"
            assert ground.batches[-1].status == "scheduled"
            assert ground.batches[-1].name == plan.tagged_name


class TestOnChange:
    @pytest.mark.parametrize("with_store", [True, False])
    def test_a_changed_list_of_a_draft_fails_with_what_to_do(self, ground: Ground, with_store: bool) -> None:
        store = Memory() if with_store else None
        ground.run(plan_of(3, start=False), store)
        with pytest.raises(PayloadChangedError, match=r"another payload.*draft.*on_change='rebuild'"):
            ground.run(plan_of(4, start=False), store)
        assert ground.numbers() == numbers(3)

    def test_another_agent_or_zone_is_told_with_both_sides(self, ground: Ground) -> None:
        ground.run(plan_of(3, start=False))
        with pytest.raises(PayloadChangedError, match=r"has: agent_id \(agt_f9447372 there, agt_other here\) differ"):
            ground.run(plan_of(3, start=False, agent_id="agt_other"))

    @pytest.mark.parametrize("with_store", [True, False])
    def test_rebuild_throws_the_draft_away_and_makes_it_again(self, ground: Ground, with_store: bool) -> None:
        store = Memory() if with_store else None
        ground.run(plan_of(3, start=False), store)
        ground.run(plan_of(people(4, start=1), on_change="rebuild"), store)
        assert ground.numbers() == [one["phone_number"] for one in people(4, start=1)]
        assert ground.only.status == "scheduled"
        assert len(set(ground.keys())) == 2

    @pytest.mark.parametrize("with_store", [True, False])
    def test_rebuild_never_touches_a_started_campaign(self, ground: Ground, with_store: bool) -> None:
        store = Memory() if with_store else None
        ground.run(plan_of(3), store)
        with pytest.raises(PayloadChangedError, match="was not touched"):
            ground.run(plan_of(4, on_change="rebuild"), store)
        assert ground.numbers() == numbers(3)
        assert ground.only.status == "scheduled"

    def test_a_rebuild_back_to_the_first_payload_is_not_answered_from_memory(self, ground: Ground) -> None:
        for count in (3, 4, 3, 4):
            ground.run(plan_of(count, start=False, on_change="rebuild"))
            assert ground.numbers() == numbers(count)

    def test_an_attempt_that_died_behind_the_discard_does_not_say_that_the_draft_may_have_called(
        self, ground: Ground
    ) -> None:
        store = Memory()

        def dies(_: httpx.Request, send: Send) -> httpx.Response:
            send()
            raise KeyboardInterrupt

        ground.fault("error_500", "POST", "schedule$", times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(3), store)
        ground.heal()
        ground.alter("POST", "/batch-calls/bulk-delete", dies)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(4, on_change="rebuild"), store)
        ground.heal()
        ground.run(plan_of(4, on_change="rebuild"), store)
        assert ground.numbers() == numbers(4)
        assert ground.only.status == "scheduled"


class TestOnRetry:
    @pytest.mark.parametrize("end", ["failed", "cancelled"])
    @pytest.mark.parametrize("with_store", [True, False])
    def test_a_bad_end_is_not_repeated_by_default(self, ground: Ground, end: str, with_store: bool) -> None:
        store = Memory() if with_store else None
        ground.run(plan_of(3), store)
        ground.force(ground.only, end)
        with pytest.raises(CampaignEndedError, match=f"'{end}'.*on_retry='new'"):
            ground.run(plan_of(3), store)
        assert len(ground.batches) == 1

    @pytest.mark.parametrize("end", ["failed", "cancelled", "deleted"])
    @pytest.mark.parametrize("with_store", [True, False])
    def test_new_makes_one_more_and_only_one(self, ground: Ground, end: str, with_store: bool) -> None:
        store = Memory() if with_store else None
        ground.run(plan_of(3), store)
        ground.force(ground.only, end)
        for _ in range(2):
            launched = ground.run(plan_of(3, on_retry="new"), store)
        assert launched.attached
        assert [batch.status for batch in ground.batches if batch.status != end] == ["scheduled"]
        assert ground.numbers(ground.batches[-1]) == numbers(3)

    def test_new_works_again_after_the_new_one_ended_too(self, ground: Ground) -> None:
        for _ in range(3):
            ground.run(plan_of(3, on_retry="new"))
            ground.force(ground.batches[-1], "failed")
        assert len(ground.batches) == 3
        assert len(set(ground.keys())) == 3

    def test_a_launched_campaign_that_a_person_deleted_is_not_made_again_by_default(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3), store)
        ground.force(ground.only, "deleted")
        with pytest.raises(CampaignEndedError, match="deleted"):
            ground.run(plan_of(3), store)
        assert ground.batches == []

    def test_a_deleted_draft_is_made_again(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3, start=False), store)
        ground.force(ground.only, "deleted")
        ground.run(plan_of(3, start=False), store)
        assert ground.only.status == "draft"
        assert ground.numbers() == numbers(3)

    def test_a_bad_end_counts_also_after_a_person_renamed_the_campaign(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3), store)
        ground.do("update_batch", ground.only, changes={"name": "Mine now"})
        ground.force(ground.only, "cancelled")
        with pytest.raises(CampaignEndedError):
            ground.run(plan_of(3), store)
        assert len(ground.batches) == 1


class TestReadBack:
    @pytest.mark.parametrize(
        ("stored", "told"),
        [
            (
                {"scheduled_at": "2026-06-02T10:00:00Z"},
                r"start sent Tue 2026-06-02 10:00 EDT .*2026-06-02T14:00:00Z, "
                r"stored Tue 2026-06-02 06:00 EDT .*2026-06-02T10:00:00Z",
            ),
            ({"timezone": "UTC"}, "timezone sent America/New_York, stored UTC"),
        ],
    )
    def test_another_start_or_zone_pauses_and_fails_with_both_values(
        self, ground: Ground, stored: dict[str, Any], told: str
    ) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", **stored)
        with pytest.raises(ReadBackError, match=told) as failed:
            ground.run(plan_of(3))
        assert "The campaign is paused" in str(failed.value)
        assert ground.only.status == "paused"
        assert "paused by Airflow" not in ground.only.name

    def test_a_campaign_paused_for_a_wrong_start_stays_paused_on_the_next_try(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone="UTC")
        with pytest.raises(ReadBackError):
            ground.run(plan_of(3))
        ground.heal()
        assert ground.run(plan_of(3)).batch.status == "paused"

    def test_one_that_cannot_be_paused_either_says_so_loudly(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone="UTC")
        ground.alter("POST", ".*/pause", refused())
        with pytest.raises(NotHeldError, match=r"timezone sent America/New_York, stored UTC.*NOT be paused"):
            ground.run(plan_of(3))

    def test_an_attempt_that_died_before_reading_back_is_made_up_for(self, ground: Ground) -> None:
        store = Memory()
        ground.alter("GET", "/batch-calls/[^/]+", refused(401, "unauthorized"))
        with pytest.raises(AuthenticationError):
            ground.run(plan_of(3), store)
        ground.heal()
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone="UTC")
        with pytest.raises(ReadBackError):
            ground.run(plan_of(3), store)
        assert ground.only.status == "paused"

    def test_a_schedule_step_that_calls_at_once_is_no_success(self, ground: Ground) -> None:
        def forgets_the_moment(_: httpx.Request, __: Send) -> httpx.Response:
            ground.do("schedule_batch", ground.only, timezone="America/New_York")
            return httpx.Response(200, json={"data": {}})

        ground.alter("POST", ".*/schedule", forgets_the_moment)
        with pytest.raises(ReadBackError, match="it is 'active' now"):
            ground.run(plan_of(3))
        assert ground.only.status == "paused"

    def test_a_crash_behind_the_schedule_step_of_a_draft_of_an_earlier_attempt_is_read_back(
        self, ground: Ground
    ) -> None:
        store = Memory()
        ground.run(plan_of(3, start=False), store)

        def goes_wrong_and_dies(_: httpx.Request, __: Send) -> httpx.Response:
            ground.do("schedule_batch", ground.only, timezone="America/New_York", scheduled_at=MONDAY.timestamp() + 60)
            raise KeyboardInterrupt

        ground.alter("POST", ".*/schedule", goes_wrong_and_dies)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(3), store)
        ground.heal()
        with pytest.raises(ReadBackError, match="start sent"):
            ground.run(plan_of(3), store)
        assert ground.only.status == "paused"

    def test_a_campaign_held_while_it_is_filled_is_compared_before_it_goes_on(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled")

        def mixes_up_the_zone(_: httpx.Request, send: Send) -> httpx.Response:
            answer = send()
            ground.do("update_batch", ground.only, changes={"scheduled_at": MONDAY.timestamp() + 3600})
            return answer

        ground.alter("POST", "/batch-calls", mixes_up_the_zone)
        with pytest.raises(ReadBackError, match="start sent"):
            ground.run(plan_of(5, chunk_size=2))
        assert "POST /batch-calls/{id}/resume" not in ground.requests
        assert ground.only.status == "paused"

    def test_a_server_that_tells_neither_start_nor_zone_is_not_blamed(
        self, ground: Ground, caplog: pytest.LogCaptureFixture
    ) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone=None, scheduled_at=None)
        assert ground.run(plan_of(3)).batch.status == "scheduled"
        assert "could not be compared" in caplog.text

    def test_contacts_that_came_in_behind_our_back_pause_the_started_campaign(self, ground: Ground) -> None:
        def twice(_: httpx.Request, send: Send) -> httpx.Response:
            ground.do("add_contacts", ground.only, contacts=people(1, start=50))
            return send()

        ground.alter("POST", ".*/schedule", twice)
        with pytest.raises(CountMismatchError, match="holds 4 contacts, 3 were sent") as failed:
            ground.run(plan_of(3))
        assert ground.only.status == "paused"
        assert "The campaign is paused" in str(failed.value)
        assert "was not started" not in str(failed.value)

    def test_a_schedule_that_is_answered_but_has_no_effect_is_no_success(self, ground: Ground) -> None:
        ground.alter("POST", ".*/schedule", lambda *_: httpx.Response(200, json={"data": {"status": "scheduled"}}))
        with pytest.raises(UnsettledError, match="still 'draft'"):
            ground.run(plan_of(3))
        ground.heal()
        assert ground.run(plan_of(3)).batch.status == "scheduled"


class TestCounts:
    def test_a_server_that_drops_contacts_keeps_a_draft(self, ground: Ground) -> None:
        ground.alter(
            "POST", ".*/contacts", lambda *_: httpx.Response(200, json={"data": {"added_count": 0, "failed_count": 2}})
        )
        with pytest.raises(
            CountMismatchError, match=r"holds 2 contacts, 4 were sent: the server refused 2.*max_rejected allows 0"
        ):
            ground.run(plan_of(4, chunk_size=2))
        assert ground.only.status == "draft"

    @pytest.mark.parametrize("max_rejected", [2, 0.5])
    def test_max_rejected_lets_a_stated_part_be_refused(self, ground: Ground, max_rejected: float) -> None:
        ground.alter(
            "POST", ".*/contacts", lambda *_: httpx.Response(200, json={"data": {"added_count": 0, "failed_count": 2}})
        )
        assert ground.run(plan_of(4, chunk_size=2, max_rejected=max_rejected)).batch.total_contacts == 2
        assert ground.only.status == "scheduled"

    @pytest.mark.parametrize("max_rejected", [1, 0.25])
    def test_one_more_than_allowed_is_too_many(self, ground: Ground, max_rejected: float) -> None:
        ground.alter(
            "POST", ".*/contacts", lambda *_: httpx.Response(200, json={"data": {"added_count": 0, "failed_count": 2}})
        )
        with pytest.raises(CountMismatchError, match="allows 1"):
            ground.run(plan_of(4, chunk_size=2, max_rejected=max_rejected))
        assert ground.only.status == "draft"

    def test_an_overfull_draft_is_kept_told_and_built_again_by_the_next_try(self, make_ground: MakeGround) -> None:
        ground = make_ground(allow_duplicates=True)
        ground.run(plan_of(3, start=False))
        ground.do("add_contacts", ground.only, contacts=people(1))
        launched = ground.run(plan_of(3, start=False))
        assert ground.numbers() == numbers(3)
        assert launched.batch.total_contacts == 3

    @pytest.mark.parametrize("with_store", [True, False])
    def test_older_answers_without_counters_are_counted_by_their_lists(self, ground: Ground, with_store: bool) -> None:
        for path in ("/batch-calls", "/batch-calls/[^/]+"):
            for method in ("GET", "POST"):
                ground.alter_data(method, path, total_contacts=..., called=...)
        store = Memory() if with_store else None
        ground.fault("lost_answer", "POST", "contacts$", after=1)
        ground.run(plan_of(7, chunk_size=2), store)
        assert ground.numbers() == numbers(7)
        assert ground.run(plan_of(7, chunk_size=2), store).attached


class TestLostAnswers:
    @pytest.mark.parametrize("kind", ["lost_answer", "error_500_after", "drop", "error_500", "html_502"])
    @pytest.mark.parametrize("path", ["batch-calls$", "contacts$", "schedule$"])
    @pytest.mark.parametrize("with_store", [True, False])
    def test_one_lost_answer_at_any_step_is_settled_in_the_same_attempt(
        self, ground: Ground, kind: str, path: str, with_store: bool
    ) -> None:
        ground.fault(kind, "POST", path)
        launched = ground.run(plan_of(5, chunk_size=2), Memory() if with_store else None)
        assert launched.batch.status == ground.only.status == "scheduled"
        assert ground.numbers() == numbers(5)
        assert ground.only.scheduled_at == STARTS_AT.timestamp()

    @pytest.mark.parametrize("path", ["contacts$", "schedule$"])
    def test_work_that_was_done_is_not_sent_again(self, ground: Ground, path: str) -> None:
        ground.fault("lost_answer", "POST", path)
        ground.run(plan_of(4, chunk_size=2))
        assert [write for write in ground.writes if write.endswith(path.rstrip("$"))] == [
            {"contacts$": ADD, "schedule$": SCHEDULE}[path]
        ]

    def test_a_lost_create_is_looked_up_not_sent_again(self, ground: Ground) -> None:
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert ground.writes == [CREATE, SCHEDULE]

    def test_a_create_sent_again_carries_the_same_key(self, ground: Ground) -> None:
        ground.fault("drop", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert len(ground.keys()) == 2
        assert len(set(ground.keys())) == 1

    def test_a_create_that_the_list_does_not_show_yet_is_answered_from_the_servers_memory(self, ground: Ground) -> None:
        hidden = iter([True, True])
        ground.alter("GET", "/batch-calls", lambda _, send: _empty_list() if next(hidden, False) else send())
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3))
        assert ground.numbers() == numbers(3)

    def test_a_twin_made_by_a_server_that_ignores_keys_is_deleted(self, make_ground: MakeGround) -> None:
        ground = make_ground(ignore_idempotency_keys=True)
        hidden = iter([True, True])
        ground.alter("GET", "/batch-calls", lambda _, send: _empty_list() if next(hidden, False) else send())
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert ground.numbers() == numbers(5)

    @pytest.mark.parametrize("path", ["batch-calls$", "contacts$", "schedule$"])
    def test_a_server_that_fails_for_ever_ends_the_attempt_and_the_next_one_goes_on(
        self, ground: Ground, path: str
    ) -> None:
        ground.fault("error_500", "POST", path, times=None)
        with pytest.raises(UnsettledError) as failed:
            ground.run(plan_of(5, chunk_size=2))
        assert failed.value.retryable
        assert all(batch.status == "draft" for batch in ground.batches)
        ground.heal()
        ground.run(plan_of(5, chunk_size=2))
        assert ground.numbers() == numbers(5)
        assert ground.only.status == "scheduled"

    def test_reads_that_fail_for_ever_are_a_server_error(self, ground: Ground) -> None:
        ground.fault("error_500", "GET", "batch-calls$", times=None)
        with pytest.raises(ServerError):
            ground.run(plan_of(3))
        assert ground.writes == []

    def test_a_hopeless_refusal_goes_through_at_once(self, ground: Ground) -> None:
        ground.alter("POST", "/batch-calls", refused(401, "unauthorized"))
        with pytest.raises(AuthenticationError):
            ground.run(plan_of(3))
        assert ground.requests == [LOOK]

    def test_a_pause_and_a_resume_whose_answers_are_lost(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled")
        ground.fault("lost_answer", "POST", "pause$")
        ground.fault("lost_answer", "POST", "resume$")
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert sorted(ground.numbers()) == sorted(numbers(5))
        assert [write for write in ground.writes if write in (PAUSE, RESUME)] == [PAUSE, RESUME]


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
            return _empty_list()

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

    def test_a_replayed_answer_about_a_deleted_started_campaign_is_not_believed(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled")
        plan = plan_of(5)
        self._draft_of(ground, plan)
        ground.force(ground.only, "deleted")
        assert ground.run(plan).batch.status == "scheduled"
        assert ground.numbers() == numbers(5)

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

        request = plan.request(next(iter(plan.contacts.chunks(plan.chunk_size))), STARTS_AT)
        key = plan.key.idempotency_key(endpoints.create_batch_call(request).body or b"", 0)
        return str(ground.client.send(endpoints.create_batch_call(request, idempotency_key=key)).id)


class TestTime:
    def test_a_passed_start_sends_nothing(self, ground: Ground) -> None:
        ground.advance(A_WEEK)
        with pytest.raises(PastStartError):
            ground.run(plan_of(3))
        assert ground.writes == []

    def test_a_start_that_passes_while_contacts_are_added_leaves_a_draft(self, ground: Ground) -> None:
        def slow(_: httpx.Request, send: Send) -> httpx.Response:
            ground.advance(A_WEEK)
            return send()

        ground.alter("POST", ".*/contacts", slow)
        with pytest.raises(PastStartError):
            ground.run(plan_of(4, chunk_size=2))
        assert ground.only.status == "draft"

    def test_a_late_start_by_wish_is_immediate(self, ground: Ground) -> None:
        ground.advance(timedelta(days=1, hours=2).total_seconds())
        launched = ground.run(plan_of(3, on_past="start_now"))
        assert launched.batch.status == "active"
        assert ground.only.scheduled_at is None

    def test_an_immediate_start_outside_the_window_sends_nothing(self, ground: Ground) -> None:
        ground.advance(timedelta(hours=12).total_seconds())
        with pytest.raises(TimingError, match="outside its calling window"):
            ground.run(plan_of(3, **NOW))
        assert ground.writes == []

    def test_the_moment_is_sent_again_with_the_schedule_step(self, ground: Ground) -> None:
        sent: list[bytes] = []
        ground.alter("POST", ".*/schedule", lambda request, send: (sent.append(request.read()), send())[1])
        ground.run(plan_of(3))
        assert sent == [b'{"scheduled_at":"2026-06-02T14:00:00Z","timezone":"America/New_York"}']


class TestInterrupt:
    @pytest.mark.parametrize(
        ("dialect", "steps"), [*(("draft", at) for at in range(5)), *(("scheduled", at) for at in range(10))]
    )
    def test_a_launch_told_to_stop_starts_nothing_and_the_next_one_ends_it(
        self, make_ground: MakeGround, dialect: str, steps: int
    ) -> None:
        ground = make_ground(create_answer=dialect)
        launch = ground.launch(plan_of(5, chunk_size=2))
        seen = iter(range(steps))

        def stop(_: httpx.Request, send: Send) -> httpx.Response:
            if next(seen, None) is None:
                launch.interrupt()
            return send()

        for method in ("GET", "POST", "PATCH"):
            ground.alter(method, ".*", stop)
        with pytest.raises(LaunchInterruptedError, match="dials nobody") as stopped:
            launch.run()
        assert stopped.value.retryable
        assert all(batch.status in ("draft", "paused") for batch in ground.batches)
        ground.heal()
        ground.run(plan_of(5, chunk_size=2))
        assert ground.only.status == "scheduled"
        assert sorted(ground.numbers()) == sorted(numbers(5))

    def test_a_launch_told_to_stop_before_it_began_writes_nothing(self, ground: Ground) -> None:
        launch = ground.launch(plan_of(3))
        launch.interrupt()
        with pytest.raises(LaunchInterruptedError):
            launch.run()
        assert ground.writes == []
        assert launch.batch_call_id is None


class TestStore:
    def test_the_intent_is_kept_before_the_first_write(self, ground: Ground) -> None:
        store = Memory()
        ground.fault("error_500", "POST", "batch-calls$", times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(3), store)
        kept = store.get()
        assert kept is not None
        assert kept["fingerprint"] == plan_of(3).fingerprint
        assert kept["batch_call_id"] is None

    def test_a_store_that_refuses_stops_the_launch_before_anything_is_started(self, ground: Ground) -> None:
        class GivenUp(Memory):
            def set(self, value: dict[str, Any]) -> None:
                raise RuntimeError("this task instance runs elsewhere")

        with pytest.raises(RuntimeError):
            ground.run(plan_of(3), GivenUp())
        assert ground.writes == []

    def test_a_retry_goes_on_where_the_last_attempt_stopped(self, ground: Ground) -> None:
        store = Memory()
        ground.fault("error_500", "POST", "contacts$", after=2, times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(10, chunk_size=2), store)
        ground.heal()
        before = len(ground.requests)
        ground.run(plan_of(10, chunk_size=2), store)
        assert ground.requests[before:] == [READ, ADD, ADD, LOOK, SCHEDULE, READ]
        assert ground.numbers() == numbers(10)

    def test_without_a_store_the_servers_list_tells_what_is_missing(self, ground: Ground) -> None:
        ground.fault("error_500", "POST", "contacts$", after=2, times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(10, chunk_size=2))
        ground.heal()
        before = len(ground.requests)
        ground.run(plan_of(10, chunk_size=2))
        assert ground.requests[before:] == [LOOK, CONTACTS, ADD, ADD, LOOK, SCHEDULE, READ]
        assert ground.numbers() == numbers(10)

    def test_a_stored_id_of_another_key_is_not_used(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3, key="item 0"), store)
        ground.run(plan_of(3, key="item 1"), store)
        assert len(ground.batches) == 2


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


def _empty_list() -> httpx.Response:
    return httpx.Response(200, json={"data": [], "pagination": {"total": 0, "has_more": False}})
