"""The schedule step of a launch: when it is taken, and what is read back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import AuthenticationError
from airflow_truedy.campaigns.errors import (
    CountMismatchError,
    NotPausedError,
    PastStartError,
    ReadBackError,
    TimingError,
    UnsettledError,
)
from tests.campaigns.requests_of_a_launch import A_WEEK, NOW, MakeGround
from tests.support.ground import Ground, Send, refused
from tests.support.plans import MONDAY, people, plan_of
from tests.support.stores import Memory


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
        with pytest.raises(NotPausedError, match=r"timezone sent America/New_York, stored UTC.*NOT be paused"):
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

    def test_a_start_that_reads_back_as_null_is_another_start(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", scheduled_at=None)
        with pytest.raises(ReadBackError, match=r"start sent Tue 2026-06-02 10:00.*stored none"):
            ground.run(plan_of(3))
        assert ground.only.status == "paused"

    def test_a_server_that_does_not_tell_the_zone_is_not_blamed(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone=None)
        assert ground.run(plan_of(3)).batch.status == "scheduled"

    def test_an_alias_of_the_zone_is_the_same_zone(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls/[^/]+", timezone="US/Eastern")
        assert ground.run(plan_of(3)).batch.status == "scheduled"

    def test_contacts_that_came_in_behind_our_back_pause_the_started_campaign(self, ground: Ground) -> None:
        def twice(_: httpx.Request, send: Send) -> httpx.Response:
            ground.do("add_contacts", ground.only, contacts=people(1, start=50))
            return send()

        ground.alter("POST", ".*/schedule", twice)
        with pytest.raises(CountMismatchError, match="has 4 contacts, 3 were sent") as failed:
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
