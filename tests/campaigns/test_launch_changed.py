"""Launches of a campaign whose payload changed, or that ended."""

from __future__ import annotations

import pytest

from airflow_truedy.campaigns.errors import (
    CampaignEndedError,
    PayloadChangedError,
    UnsettledError,
)
from tests.campaigns.requests_of_a_launch import dies_behind, numbers
from tests.support.ground import Ground
from tests.support.plans import people, plan_of
from tests.support.stores import Memory


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

        ground.fault("error_500", "POST", "schedule$", times=None)
        with pytest.raises(UnsettledError):
            ground.run(plan_of(3), store)
        ground.heal()
        ground.alter("POST", "/batch-calls/bulk-delete", dies_behind)
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

    @pytest.mark.parametrize("end", ["failed", "cancelled"])
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
