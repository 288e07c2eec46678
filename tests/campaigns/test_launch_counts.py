"""Launches whose contacts the server counts otherwise than they were sent."""

from __future__ import annotations

import httpx
import pytest

from airflow_truedy.campaigns.errors import (
    CountMismatchError,
)
from tests.campaigns.requests_of_a_launch import MakeGround, numbers
from tests.support.ground import Ground
from tests.support.plans import people, plan_of
from tests.support.stores import Memory


class TestCounts:
    def test_a_server_that_drops_contacts_keeps_a_draft(self, ground: Ground) -> None:
        ground.alter(
            "POST", ".*/contacts", lambda *_: httpx.Response(200, json={"data": {"added_count": 0, "failed_count": 2}})
        )
        with pytest.raises(
            CountMismatchError, match=r"has 2 contacts, 4 were sent: the server refused 2.*max_rejected allows 0"
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
