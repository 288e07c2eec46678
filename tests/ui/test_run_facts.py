"""The funnel of a run, from what its tasks returned."""

from __future__ import annotations

from typing import Any

from airflow_truedy.api.models import BatchCall
from airflow_truedy.campaigns.plan_svg import plan_svg
from airflow_truedy.ui.airflow_records import Returned
from airflow_truedy.ui.campaign import Campaign
from airflow_truedy.ui.run_facts import RunFacts
from tests.campaigns.test_plan_pages import plan
from tests.ui.conftest import batch

MANIFEST = {
    "kind": "truedy.contacts",
    "sha256": "aa",
    "rows_read": 1_000,
    "contacts": 900,
    "duplicates": 20,
    "suppressed": 30,
    "rejected": 50,
    "rejected_by_reason": {"too_short": 45, "note": 5},
}
RESULTS = {
    "kind": "truedy.results",
    "batch_call_id": "batch_00000",
    "status": "completed",
    "contacts": 900,
    "called": 850,
    "by_outcome": {"completed": 600, "no_answer": 200, "voicemail": 50, "pending": 50},
    "duration_seconds": 7_261.5,
    "cost_credits": 12.34567,
}


def facts_of(*values: Any) -> RunFacts:
    return RunFacts.of(Returned(f"t{at}", -1, value) for at, value in enumerate(values))


def campaign(**fields: Any) -> Campaign:
    return Campaign.of(BatchCall.model_validate(batch(**fields)))


def steps(facts: RunFacts, *campaigns: Campaign) -> dict[str, int | None]:
    return {stage.label: stage.count for stage in facts.funnel(campaigns)}


def test_a_run_with_results() -> None:
    facts = facts_of(MANIFEST, RESULTS)
    assert steps(facts) == {
        "rows read": 1_000,
        "contacts": 900,
        "in campaigns": 900,
        "called": 850,
        "reached": 600,
    }
    rows, contacts, taken, called, _ = facts.funnel([])
    assert sum(count for _, count in rows.lost) == 100
    assert rows.lost[0] == ("too_short: too few digits for its country", 45)
    assert contacts.lost == []
    assert taken.lost == [("not called", 50)]
    assert called.lost == [("no answer", 200), ("voicemail", 50)]
    assert (facts.cost_credits(), facts.talked_seconds()) == (12.3457, 7_261.5)


def test_before_there_are_results_truedys_counts_are_shown() -> None:
    assert steps(facts_of(MANIFEST), campaign(total_contacts=890, status="active")) == {
        "rows read": 1_000,
        "contacts": 900,
        "in campaigns": 890,
        "called": 40,
        "reached": 30,
    }
    _, contacts, taken, called, _ = facts_of(MANIFEST).funnel([campaign(total_contacts=890, status="active")])
    assert contacts.lost == [("not in a campaign of this run", 10)]
    assert (taken.lost, called.lost) == ([("not called yet", 850)], [("not reached", 10)])


def test_results_of_a_campaign_that_lives_are_older_than_its_counts() -> None:
    early = {**RESULTS, "called": 3, "by_outcome": {"completed": 3}}
    assert steps(facts_of(early), campaign(status="active", called=40))["called"] == 40
    assert steps(facts_of(early), campaign(status="completed", called=40))["called"] == 3


def test_a_split_list_is_added_up_and_one_that_is_passed_on_counts_once() -> None:
    other = {**MANIFEST, "sha256": "bb", "rows_read": 10, "contacts": 10}
    assert steps(facts_of([MANIFEST, other], MANIFEST))["rows read"] == 1_010


def test_two_campaigns_are_added_up() -> None:
    both = steps(facts_of(RESULTS), campaign(number=1, status="active"))
    assert (both["in campaigns"], both["called"], both["reached"]) == (1_000, 890, 630)


def test_people_of_a_follow_up_in_the_same_run_are_counted_once() -> None:
    again = {**MANIFEST, "sha256": "bb", "source": "unanswered of batch_00000", "rows_read": 900, "contacts": 240}
    again |= {"duplicates": 0, "suppressed": 10, "rejected": 650, "rejected_by_reason": {"reached": 600, "refused": 50}}
    then = {**RESULTS, "batch_call_id": "batch_00001", "contacts": 240, "called": 230}
    then["by_outcome"] = {"completed": 90, "no_answer": 140, "pending": 10}
    facts = facts_of(MANIFEST, RESULTS, again, then)
    assert {stage.label: stage.count for stage in facts.funnel([], {"batch_00001": "batch_00000"})} == {
        "rows read": 1_000,
        "contacts": 900,
        "in campaigns": 900,
        "called": 850,
        "reached": 600,
        "follow-up 1: rows read": 900,
        "follow-up 1: contacts": 240,
        "follow-up 1: in campaigns": 240,
        "follow-up 1: called": 230,
        "follow-up 1: reached": 90,
    }
    # Of a list whose first campaign was in another run nothing is counted twice.
    assert steps(facts_of(again, then)) == {
        "rows read": 900,
        "contacts": 240,
        "in campaigns": 240,
        "called": 230,
        "reached": 90,
    }


def test_a_follow_up_of_a_follow_up_is_a_round_of_its_own_and_a_circle_ends() -> None:
    live = [campaign(number=number, status="active", total_contacts=10) for number in range(3)]
    follows = {"batch_00002": "batch_00001", "batch_00001": "batch_00000"}
    labels = [stage.label for stage in facts_of().funnel(live, follows) if stage.label.endswith("called")]
    assert labels == ["called", "follow-up 1: called", "follow-up 2: called"]
    assert facts_of().funnel(live, {"batch_00000": "batch_00000", "batch_00001": "batch_00000"})


def test_a_task_tells_of_its_campaign_where_truedy_cannot_be_asked() -> None:
    facts = facts_of({"batch_call_id": "b", "name": "A [airflow 3f9a1c2b7d10-9c2e41aa]", "status": "scheduled"})
    assert [(one.name, one.state.value) for one in facts.campaigns.values()] == [("A", "scheduled")]


def test_a_dry_run_is_told() -> None:
    facts = facts_of({"dry_run": True, "would": "create and schedule", "batch_call_id": None})
    assert (facts.dry_runs, facts.campaigns, facts.funnel([])) == (["create and schedule"], {}, [])


def test_a_plan_is_kept_with_the_task_that_made_it() -> None:
    made = plan(name="Call +1 212 555 0100", split="ann@example.com")
    (view,) = facts_of(1, made).plans
    assert (view.task_id, view.map_index) == ("t1", -1)
    assert dict(view.facts)["People"] == "430"
    assert [part[1:3] for part in view.parts] == [(400, "America/New_York"), (30, "America/Los_Angeles")]
    assert "0100" not in f"{view.plan}"
    assert "ann@" not in f"{view.parts} {view.plan}"
    plan_svg(view.plan)


def test_what_calls_itself_a_plan_may_lack_everything() -> None:
    bare = {"kind": "truedy.plan", "version": 1}
    for each in (
        bare,
        {**bare, "parts": [1, {}, {"part": 5, "first_call": "x"}], "warnings": "x", "cost": [], "name": {}},
    ):
        (view,) = facts_of(each).plans
        plan_svg(view.plan)
    assert facts_of({**bare, "version": 99}).plans == []


def test_values_of_other_tasks_do_no_harm() -> None:
    odd: tuple[Any, ...] = (
        *(None, 1, "text", [], {}, [1, {"kind": 3}], {"kind": "truedy.contacts"}),
        {"kind": "truedy.results", "batch_call_id": 5},
        {"batch_call_id": ""},
        {"batch_call_id": "b", "status": [], "total_contacts": "many", "called": -3},
        {
            **RESULTS,
            "by_outcome": "x",
            "called": "y",
            "cost_credits": float("nan"),
            "duration_seconds": float("inf"),
            "contacts": None,
        },
        {**MANIFEST, "sha256": 3, "rejected_by_reason": {"Ann +12125550100": 3, "too_short": "4"}},
    )
    facts = facts_of(*odd)
    assert "2125550" not in str(facts.funnel([]))
    assert facts.cost_credits() is None


def test_no_outcome_shows_a_number() -> None:
    facts = facts_of({**RESULTS, "by_outcome": {"said +1 212 555 0100": 1}})
    assert "555" not in str(facts.outcomes())
