"""Launches on servers that lag, forget and rewrite: what is not proven is not believed, and nobody is called twice."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from airflow_truedy.api.errors import InconsistentListError, TruedyError
from airflow_truedy.campaigns.errors import (
    AgentNotReadyError,
    CampaignEndedError,
    CountMismatchError,
    DuplicateCampaignError,
    PastStartError,
    TagLostError,
    TimingError,
    UnsettledError,
)
from airflow_truedy.campaigns.launch import Launched
from tests.campaigns.requests_of_a_launch import (
    CREATE,
    DELETE,
    LOOK,
    NOW,
    PAUSE,
    RESUME,
    SCHEDULE,
    MakeGround,
    dies_behind,
    numbers,
)
from tests.crash.stage import Attempt, Server, take_turns
from tests.support.ground import Ground, Send, refused
from tests.support.plans import STARTS_AT, plan_of
from tests.support.stores import Memory

LAGS = [0.1, 0.3, 1.0, 5.0]
with_and_without_store = pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without a store"])


def started(ground: Ground) -> list[Any]:
    return [batch for batch in ground.batches if batch.status != "draft"]


class TestAbsenceIsNoProof:
    @with_and_without_store
    def test_a_campaign_that_a_person_deletes_behind_the_schedule_step_is_not_made_again(
        self, ground: Ground, with_store: bool
    ) -> None:
        def deleted_while_the_read_waits(_: httpx.Request, send: Send) -> httpx.Response:
            if started(ground):
                ground.force(ground.only, "deleted")
            return send()

        ground.alter("GET", "/batch-calls/[^/]+", deleted_while_the_read_waits)
        store = Memory() if with_store else None
        with pytest.raises(CampaignEndedError, match=r"is gone after POST .*schedule was sent"):
            ground.run(plan_of(3, **NOW), store)
        assert ground.requests.count(CREATE) == 1
        if store is not None:
            for _ in range(2):
                with pytest.raises(CampaignEndedError, match="may have called and is deleted"):
                    ground.run(plan_of(3, **NOW), store)
            assert ground.requests.count(CREATE) == 1

    @with_and_without_store
    @pytest.mark.parametrize("lag", LAGS)
    @pytest.mark.parametrize("dialect", ["draft", "scheduled"])
    @pytest.mark.parametrize("start", [{}, NOW], ids=["scheduled", "immediate"])
    def test_a_server_whose_reads_and_lists_lag_starts_one_campaign(
        self, make_ground: MakeGround, dialect: str, lag: float, start: Any, with_store: bool
    ) -> None:
        ground = make_ground(
            create_answer=dialect, read_lag=lag, list_lag=lag, counter_lag=lag, ignore_idempotency_keys=True
        )
        store = Memory() if with_store else None
        ground.run(plan_of(7, chunk_size=3, **start), store)
        assert ground.only.status in ("scheduled", "active", "completed")
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert ground.run(plan_of(7, chunk_size=3, **start), store).attached
        assert ground.only

    @with_and_without_store
    @pytest.mark.parametrize("dialect", ["draft", "scheduled"])
    @pytest.mark.parametrize("honest", [True, False], ids=["keys honoured", "keys ignored"])
    def test_a_lost_create_is_looked_for_until_the_list_must_show_it(
        self, make_ground: MakeGround, dialect: str, honest: bool, with_store: bool
    ) -> None:
        ground = make_ground(create_answer=dialect, list_lag=3.0, ignore_idempotency_keys=not honest)
        ground.fault("lost_answer", "POST", "batch-calls$")
        ground.run(plan_of(3), Memory() if with_store else None)
        assert ground.requests.count(CREATE) == 1
        assert ground.only.status == "scheduled"

    @pytest.mark.parametrize("dialect", ["draft", "scheduled"])
    def test_a_create_that_is_carried_out_late_is_found(self, make_ground: MakeGround, dialect: str) -> None:
        ground = make_ground(create_answer=dialect, create_delay=5.0, list_lag=3.0, ignore_idempotency_keys=True)
        ground.run(plan_of(3))
        assert ground.only.status == "scheduled"

    @pytest.mark.parametrize("dialect", ["draft", "scheduled"])
    def test_a_cleared_task_without_a_store_does_not_believe_the_first_look(
        self, make_ground: MakeGround, dialect: str
    ) -> None:
        ground = make_ground(create_answer=dialect, list_lag=5.0, ignore_idempotency_keys=True)

        ground.alter("POST", "/batch-calls", dies_behind)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(3))
        ground.heal()
        ground.run(plan_of(3))
        assert ground.only.status == "scheduled"

    def test_what_is_waited_for_is_logged(self, ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        ground.run(plan_of(3))
        assert "Waiting 15 s so that a second worker's draft would be seen." in caplog.text

    def test_the_first_try_with_a_store_and_its_own_key_does_not_wait(self, ground: Ground) -> None:
        before = ground.clock.now()
        ground.run(plan_of(3), Memory(), alone=True)
        assert ground.clock.now() == before


class TestSeveralWorkers:
    @pytest.mark.parametrize("lag", [0.15, 5.0])
    @pytest.mark.parametrize("head_start", range(12))
    def test_two_runs_of_one_key_start_one_campaign(self, make_ground: MakeGround, lag: float, head_start: int) -> None:
        ground = make_ground(list_lag=lag, read_lag=lag, ignore_idempotency_keys=True)
        server = Server(ground.app)
        workers = [Attempt(server, plan_of(3), None, ground.clock, "truedy_sandbox_key") for _ in range(2)]
        take_turns(workers, head_start=head_start)
        server.close()
        assert len(started(ground)) == 1
        assert all(isinstance(worker.result, Launched) for worker in workers), [worker.result for worker in workers]

    def test_the_loser_of_two_workers_on_one_draft_does_not_fail_for_good(self, ground: Ground) -> None:
        server, plan = Server(ground.app), plan_of(4, chunk_size=2)
        first = Attempt(server, plan, None, ground.clock, "truedy_sandbox_key")
        while not ground.batches:
            first.step()
        second = Attempt(server, plan, None, ground.clock, "truedy_sandbox_key")
        for _ in range(2):
            second.step()
        first.finish()
        assert ground.only.status == "scheduled"
        assert isinstance(second.finish(), Launched)
        server.close()

    def test_the_younger_of_two_started_campaigns_is_paused_for_good(self, make_ground: MakeGround) -> None:
        ground = make_ground(ignore_idempotency_keys=True)
        plan = plan_of(3)

        def a_zombie_is_faster(_: httpx.Request, send: Send) -> httpx.Response:
            answer = send()
            ground.advance(1)
            zombies = ground.client.send(_create(plan))
            ground.do("schedule_batch", next(each for each in ground.batches if each.id == zombies.id))
            return answer

        ground.alter("POST", ".*/schedule", a_zombie_is_faster)
        ground.run(plan)
        assert [batch.status for batch in ground.batches] == ["scheduled", "paused"]
        assert "paused by Airflow" not in ground.batches[1].name


class TestPersonsPause:
    @with_and_without_store
    @pytest.mark.parametrize("chunk_size", [500, 2])
    def test_a_pause_before_our_first_read_is_a_persons(
        self, make_ground: MakeGround, chunk_size: int, with_store: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        ground = make_ground(create_answer="scheduled")

        def a_person_pauses(_: httpx.Request, send: Send) -> httpx.Response:
            answer = send()
            ground.do("pause_batch", ground.only)
            return answer

        ground.alter("POST", "/batch-calls", a_person_pauses)
        store = Memory() if with_store else None
        launched = ground.run(plan_of(5, chunk_size=chunk_size), store)
        assert launched.batch.status == ground.only.status == "paused"
        assert RESUME not in ground.requests
        assert "paused by somebody else" in caplog.text
        assert ground.run(plan_of(5, chunk_size=chunk_size), store).batch.status == "paused"
        assert sorted(ground.numbers()) == sorted(numbers(5))

    def test_a_pause_between_our_read_and_our_pause_is_a_persons(self, make_ground: MakeGround) -> None:
        ground = make_ground(create_answer="scheduled")

        def a_person_is_faster(_: httpx.Request, send: Send) -> httpx.Response:
            ground.do("pause_batch", ground.only)
            return send()

        ground.alter("POST", ".*/pause", a_person_is_faster)
        assert ground.run(plan_of(5, chunk_size=2), Memory()).batch.status == "paused"
        assert ground.requests.count(PAUSE) == 1
        assert RESUME not in ground.requests

    @pytest.mark.parametrize("lag", LAGS)
    def test_a_pause_that_a_lagging_read_does_not_show_is_not_undone(self, make_ground: MakeGround, lag: float) -> None:
        ground = make_ground(read_lag=lag, list_lag=lag)
        store = Memory()

        ground.alter("POST", ".*/schedule", dies_behind)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(3), store)
        ground.heal()
        ground.do("pause_batch", ground.only)
        assert ground.run(plan_of(3), store).batch.status == "paused"
        assert ground.only.status == "paused"


class TestTag:
    LONG = "Renewals of all contracts that end in the second quarter, first wave, with the new offer for families"

    @with_and_without_store
    def test_a_server_that_cuts_names_gets_shorter_ones(self, make_ground: MakeGround, with_store: bool) -> None:
        ground = make_ground(name_limit=100)
        store = Memory() if with_store else None
        ground.run(plan_of(3, name=self.LONG), store)
        assert ground.only.status == "scheduled"
        assert len(ground.only.name) <= 100
        assert plan_of(3, name=self.LONG).key.tag_in(ground.only.name)
        assert ground.run(plan_of(3, name=self.LONG), store).attached

    @with_and_without_store
    @pytest.mark.parametrize("rewriting", ["strip_brackets", "upper"])
    def test_a_server_that_does_not_keep_the_tag_starts_nothing(
        self, make_ground: MakeGround, rewriting: str, with_store: bool
    ) -> None:
        ground = make_ground(name_filter=rewriting)
        store = Memory() if with_store else None
        for _ in range(2):
            with pytest.raises(
                TagLostError, match=r"The server made '[Rr].*' of the name 'Renewals .*nothing was started"
            ):
                ground.run(plan_of(3), store)
            assert ground.batches == []
        assert SCHEDULE not in ground.requests
        assert DELETE in ground.requests

    @pytest.mark.parametrize("rewriting", [{"name_filter": "upper"}, {"name_limit": 20}])
    def test_a_campaign_that_was_started_without_its_tag_is_paused(
        self, make_ground: MakeGround, rewriting: Any
    ) -> None:
        ground = make_ground(create_answer="scheduled", **rewriting)
        with pytest.raises(TagLostError, match="The campaign is paused"):
            ground.run(plan_of(3))
        assert ground.only.status == "paused"

    def test_a_limit_too_short_for_the_tag_is_told(self, make_ground: MakeGround) -> None:
        ground = make_ground(name_limit=20)
        with pytest.raises(TagLostError, match=r"'Renewals .airflow 73' of the name"):
            ground.run(plan_of(3))
        assert ground.batches == []

    def test_a_draft_that_lost_its_tag_to_a_person_is_not_started(self, ground: Ground) -> None:
        store = Memory()
        ground.run(plan_of(3, start=False), store)
        ground.do("update_batch", ground.only, changes={"name": "Mine"})
        with pytest.raises(TagLostError, match=r"is named 'Mine' now.*Put the tag back"):
            ground.run(plan_of(3), store)
        assert ground.only.status == "draft"


class TestListsThatContradictThemselves:
    def test_an_end_that_the_list_itself_denies_starts_nothing(self, ground: Ground) -> None:
        ground.run(plan_of(3))
        body = {"data": [], "pagination": {"total": 1, "has_more": True}}
        ground.alter("GET", "/batch-calls", lambda *_: httpx.Response(200, json=body))
        with pytest.raises(Exception, match="list") as failed:
            ground.run(plan_of(3))
        assert getattr(failed.value, "retryable", False)
        assert len(ground.batches) == 1

    @pytest.mark.parametrize(
        "paging",
        [
            {"ignore_offset": True},
            {"page_cap": 50, "totals": "missing"},
            {"totals": "page"},
            {"list_order": "unstable"},
        ],
        ids=str,
    )
    def test_a_campaign_behind_many_others_is_found_or_the_look_fails(
        self, make_ground: MakeGround, paging: Any
    ) -> None:
        ground = make_ground(**paging)
        ground.run(plan_of(3))
        fill_with_others(ground, 230)
        try:
            attached = ground.run(plan_of(3)).attached
        except InconsistentListError:
            attached = True
        assert attached
        assert len(started(ground)) == 1


class TestDuplicates:
    @pytest.mark.parametrize("state", ["scheduled", "active", "completed", "paused"])
    def test_a_second_click_on_trigger_is_stopped_before_anything_is_sent(self, ground: Ground, state: str) -> None:
        first = ground.run(plan_of(3, key="run 1", on_duplicate="fail")).batch
        if state == "paused":
            ground.do("pause_batch", ground.only)
        elif state != "scheduled":
            ground.clock.change(to=STARTS_AT.timestamp() - 3600)
        writes = len(ground.writes)
        plan = plan_of(3, key="run 2", on_duplicate="fail")
        with pytest.raises(
            DuplicateCampaignError, match=rf"{first.id}.*same contacts.*on_duplicate='allow'"
        ) as stopped:
            ground.run(plan)
        assert not stopped.value.retryable
        assert len(ground.writes) == writes

    def test_allow_calls_them_again_and_warn_says_so(self, ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
        ground.run(plan_of(3, key="run 1"))
        ground.run(plan_of(3, key="run 2", on_duplicate="allow"))
        assert "same contacts" not in caplog.text
        ground.run(plan_of(3, key="run 3", on_duplicate="warn"))
        assert "same contacts" in caplog.text
        assert len(started(ground)) == 3

    def test_a_daily_campaign_may_call_the_same_list_the_next_day(self, ground: Ground) -> None:
        ground.advance(3600)
        ground.run(plan_of(3, key="monday", on_duplicate="fail", **NOW))
        ground.advance(86_400 - 60)
        assert ground.batches[0].status
        ground.run(plan_of(3, key="tuesday", on_duplicate="fail", **NOW))
        assert len(started(ground)) == 2

    def test_another_list_is_another_campaign(self, ground: Ground) -> None:
        ground.run(plan_of(3, key="run 1", on_duplicate="fail"))
        ground.run(plan_of(4, key="run 2", on_duplicate="fail"))
        assert len(started(ground)) == 2

    def test_of_two_runs_at_the_same_moment_the_elder_starts(self, ground: Ground) -> None:
        server = Server(ground.app)
        plans = [plan_of(3, key=f"run {number}", on_duplicate="fail") for number in range(2)]
        workers = [Attempt(server, plan, None, ground.clock, "truedy_sandbox_key") for plan in plans]
        take_turns(workers)
        server.close()
        assert len(started(ground)) == 1
        assert sorted(type(worker.result).__name__ for worker in workers) == ["DuplicateCampaignError", "Launched"]

    @pytest.mark.parametrize("dialect", [{}, {"create_answer": "scheduled"}])
    @pytest.mark.parametrize("ahead", range(1, 7))
    def test_of_two_first_tries_within_the_lists_lag_only_one_stays_live(
        self, make_ground: MakeGround, dialect: dict[str, Any], ahead: int
    ) -> None:
        ground = make_ground(list_lag=5.0, read_lag=5.0, **dialect)
        server = Server(ground.app)
        workers = [
            Attempt(
                server,
                plan_of(3, key=key, on_duplicate="fail"),
                Memory(),
                ground.clock,
                "truedy_sandbox_key",
                alone=True,
            )
            for key in ("run 1", "run 2")
        ]
        take_turns(workers, head_start=ahead)
        server.close()
        assert [batch.status for batch in started(ground)].count("scheduled") == 1
        errors = [worker.result for worker in workers if not isinstance(worker.result, Launched)]
        assert [type(error) for error in errors] == [DuplicateCampaignError]


class TestHours:
    def test_what_was_decided_inside_the_window_is_not_sent_outside_it(self, ground: Ground) -> None:
        closes = STARTS_AT.timestamp() - 14 * 3600 + 21.5 * 3600
        ground.clock.change(to=closes - 86_400 - 30)
        ground.alter("POST", ".*/schedule", limited_for(ground, 111))
        with pytest.raises(TimingError, match="outside its calling window"):
            ground.run(plan_of(3, **NOW), alone=True)
        assert ground.only.status == "draft"

    @pytest.mark.parametrize(("on_past", "status"), [("fail", "draft"), ("start_now", "active")])
    def test_a_start_that_passes_while_a_rate_limit_is_waited_out_is_decided_anew(
        self, ground: Ground, on_past: str, status: str
    ) -> None:
        ground.clock.change(to=STARTS_AT.timestamp() - 20)
        ground.alter("POST", ".*/schedule", limited_for(ground, 60))
        if on_past == "fail":
            with pytest.raises(PastStartError):
                ground.run(plan_of(3, on_past=on_past), alone=True)
        else:
            ground.run(plan_of(3, on_past=on_past), alone=True)
        assert ground.only.status == status

    def test_the_servers_clock_decides_whether_a_start_has_passed(self, ground: Ground) -> None:
        from airflow_truedy.api.client import TruedyClient
        from airflow_truedy.campaigns.launch import Launch

        ground.clock.change(to=STARTS_AT.timestamp() + 60)
        client = TruedyClient(
            "truedy_sandbox_key",
            "http://127.0.0.1/api/public/v1",
            requests_per_minute=None,
            transport=ground.transport,
            sleep=ground.advance,
            clock=lambda: ground.clock.now() - 3600,
        )
        with pytest.raises(PastStartError):
            Launch(client, plan_of(3), sleep=ground.advance).run()
        assert ground.writes == []


class TestCountersThatLag:
    @with_and_without_store
    @pytest.mark.parametrize("keeps_doubles", [True, False])
    def test_a_lagging_counter_is_read_again_before_it_is_believed(
        self, make_ground: MakeGround, keeps_doubles: bool, with_store: bool
    ) -> None:
        ground = make_ground(counter_lag=5.0, list_lag=5.0, allow_duplicates=keeps_doubles)
        store = Memory() if with_store else None

        ground.alter("POST", ".*/contacts", dies_behind)
        with pytest.raises(KeyboardInterrupt):
            ground.run(plan_of(7, chunk_size=3), store)
        ground.heal()
        ground.fault("lost_answer", "POST", "contacts$")
        ground.run(plan_of(7, chunk_size=3), store)
        assert sorted(ground.numbers()) == sorted(numbers(7))
        assert ground.only.status == "scheduled"

    def test_contacts_that_never_come_are_told_after_the_settle_time(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls.*", total_contacts=2)
        with pytest.raises(CountMismatchError, match="has 2 contacts, 3 were sent"):
            ground.run(plan_of(3))
        assert ground.only.status == "draft"

    def test_contacts_that_are_too_many_are_told_with_what_helps(self, ground: Ground) -> None:
        ground.alter_data("GET", "/batch-calls.*", total_contacts=4)
        with pytest.raises(CountMismatchError, match=r"has 4 contacts, 3 were sent.*A cleared task throws this draft"):
            ground.run(plan_of(3))
        assert ground.only.status == "draft"


class TestCost:
    @pytest.mark.parametrize("lag", [0.0, 5.0])
    def test_a_small_launch_among_many_old_batch_calls_takes_at_most_eight_requests(
        self, make_ground: MakeGround, lag: float
    ) -> None:
        ground = make_ground(list_lag=lag)
        fill_with_others(ground, 3_000)
        ground.advance(3 * 86_400)
        before = len(ground.requests)
        plan = plan_of(3, scheduled_at="2026-06-08T10:00", phone_number_ids=None)
        ground.run(plan, Memory(), alone=True, since=ground.now())
        assert len(ground.requests) - before <= 8
        assert ground.requests[before:].count(LOOK) == 3

    def test_a_list_that_is_not_sorted_by_age_is_read_to_its_end(self, make_ground: MakeGround) -> None:
        ground = make_ground(list_order="oldest")
        fill_with_others(ground, 350)
        ground.advance(3 * 86_400)
        plan = plan_of(3, scheduled_at="2026-06-08T10:00")
        ground.run(plan, Memory(), since=ground.now())
        assert ground.run(plan, None, since=ground.now()).attached


class TestPreflight:
    @pytest.mark.parametrize(
        ("agent_id", "told"),
        [("agt_nobody", "There is no agent 'agt_nobody'. There are: agt_"), ("agt_d4af7000", "is 'draft', not active")],
    )
    def test_an_agent_that_cannot_call_is_told_before_anything_is_uploaded(
        self, ground: Ground, agent_id: str, told: str
    ) -> None:
        with pytest.raises(AgentNotReadyError, match=told) as failed:
            ground.run(plan_of(3, agent_id=agent_id))
        assert "Nothing was uploaded." in str(failed.value)
        assert ground.writes == []

    def test_an_unknown_number_is_told(self, ground: Ground) -> None:
        with pytest.raises(AgentNotReadyError, match="num_nowhere not among the"):
            ground.run(plan_of(3, phone_number_ids=["num_nowhere"]))
        assert ground.writes == []

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_key_that_may_not_read_agents_is_believed(self, ground: Ground, status: int) -> None:
        ground.alter("GET", "/agents.*", refused(status, "not_found"))
        assert ground.run(plan_of(3)).batch.status == "scheduled"

    @pytest.mark.parametrize(
        ("status", "then"), [(402, "No retry follows; a cleared task goes on"), (429, "The next try goes on")]
    )
    def test_what_fails_later_says_what_stays_behind(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, status: int, then: str
    ) -> None:
        ground.alter("POST", ".*/contacts", refused(status, "code", "no credits"))
        with pytest.raises(TruedyError, match="no credits"):
            ground.run(plan_of(4, chunk_size=2))
        stays = f"Batch call {ground.only.id} stays on the server: it is a draft and dials nobody. {then} with it."
        assert stays in caplog.text

    @pytest.mark.parametrize(("method", "said"), [("GET", True), ("POST", False)])
    def test_nothing_was_started_is_said_only_where_no_create_was_sent(
        self, ground: Ground, caplog: pytest.LogCaptureFixture, method: str, said: bool
    ) -> None:
        ground.alter(method, "/batch-calls", refused(500, "internal_error", "broken"))
        with pytest.raises((TruedyError, UnsettledError)):
            ground.run(plan_of(2))
        assert ("This try created nothing and started nothing." in caplog.text) is said


def fill_with_others(ground: Ground, count: int) -> None:
    for number in range(count):
        made = {
            "name": f"Other {number}",
            "agent_id": "agt_f9447372",
            "phone_rotation_strategy": "random",
            "schedule_type": "immediate",
            "timezone": "UTC",
        }
        ground.app.state.world.do("create_batch", made)
        ground.advance(1)


def limited_for(ground: Ground, seconds: int) -> Any:
    """A rule that answers once with a rate limit of so many seconds."""
    answered: list[int] = []

    def rule(_: httpx.Request, send: Send) -> httpx.Response:
        if answered:
            return send()
        answered.append(1)
        body = {"error": {"code": "rate_limit_exceeded", "message": "slow down", "details": {}}}
        return httpx.Response(429, json=body, headers={"Retry-After": str(seconds)})

    return rule


def _create(plan: Any) -> Any:
    from airflow_truedy.api import endpoints

    return endpoints.create_batch_call(plan.create_request())
