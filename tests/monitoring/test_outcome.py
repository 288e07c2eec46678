from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.monitoring.outcome import (
    Counters,
    Outcome,
    OutcomeReason,
    StoppedEarlyError,
    SuccessRules,
    UnsuccessfulError,
    Verdict,
    WaitInterruptedError,
    outcome_of,
)
from tests.monitoring.watched import batch

NO_RULES = SuccessRules()

EVENT_V1 = {
    "version": 1,
    "status": "warning",
    "reason": "partial",
    "batch_call_id": "batch_1",
    "batch_call_status": "completed",
    "total_contacts": 40,
    "called": 35,
    "completed": 30,
    "failed": 5,
    "pending": 5,
    "duration_seconds": 12.5,
    "message": "Batch call batch_1 is completed: 35 of 40 called, 30 completed, 5 failed, 5 pending.",
}


@pytest.mark.parametrize("status", ["draft", "scheduled", "active", "running", "paused", "dialing", ""])
def test_a_state_that_is_no_end_has_no_verdict(status: str) -> None:
    assert outcome_of(batch(status), NO_RULES) is None


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled", "FAILED"])
def test_a_campaign_that_stopped_early_is_a_failure_whatever_its_counts_say(status: str) -> None:
    outcome = outcome_of(batch(status, called=100), SuccessRules(min_called=1, on_partial="warn"))
    assert outcome is not None
    assert outcome.verdict is Verdict.FAILURE
    assert "100 of 100 called" in outcome.message


@pytest.mark.parametrize(
    ("rules", "counts", "kind"),
    [
        (SuccessRules(), {}, Verdict.SUCCESS),
        (SuccessRules(), {"called": 60, "pending": 40}, Verdict.WARNING),
        (SuccessRules(), {"pending": 3}, Verdict.WARNING),
        (SuccessRules(min_called=60), {"called": 60}, Verdict.WARNING),
        (SuccessRules(min_called=61), {"called": 60}, Verdict.FAILURE),
        (SuccessRules(min_called=61, on_partial="warn"), {"called": 60}, Verdict.WARNING),
        (SuccessRules(min_called=0.6), {"called": 60}, Verdict.WARNING),
        (SuccessRules(min_called=0.61), {"called": 60}, Verdict.FAILURE),
        (SuccessRules(min_called=1.0), {"called": 99}, Verdict.FAILURE),
        (SuccessRules(min_called=1), {"called": 1}, Verdict.WARNING),
        (SuccessRules(max_failed=0.1), {"failed": 10}, Verdict.SUCCESS),
        (SuccessRules(max_failed=0.1), {"failed": 11}, Verdict.FAILURE),
        (SuccessRules(max_failed=0), {"failed": 1}, Verdict.FAILURE),
        (SuccessRules(max_failed=5, on_partial="warn"), {"failed": 6}, Verdict.WARNING),
        # What the server does not tell cannot prove a rule.
        (SuccessRules(min_called=1), {"called": None, "completed": None}, Verdict.FAILURE),
        (SuccessRules(min_called=0.5), {"total_contacts": None}, Verdict.FAILURE),
        (SuccessRules(max_failed=10), {"failed": None}, Verdict.FAILURE),
        # ... but two counters make a third.
        (SuccessRules(min_called=60), {"called": None, "completed": 50, "failed": 10}, Verdict.WARNING),
    ],
)
def test_the_rules_judge_a_completed_campaign(rules: SuccessRules, counts: dict[str, int], kind: Verdict) -> None:
    outcome = outcome_of(batch("completed", **{"called": 100, **counts}), rules)
    assert outcome is not None
    assert outcome.verdict is kind


def test_a_share_that_floats_cannot_write_exactly_is_met_exactly() -> None:
    outcome = outcome_of(batch("completed", called=7, total=10, pending=0), SuccessRules(min_called=0.7))
    assert outcome is not None
    assert outcome.verdict is not Verdict.FAILURE


@pytest.mark.parametrize("limit", [-1, -0.1, 1.5, True, "60%", [1]])
def test_a_limit_that_is_neither_number_nor_share_is_refused(limit: object) -> None:
    with pytest.raises(InvalidPayloadError, match="min_called"):
        SuccessRules(min_called=limit)  # type: ignore[arg-type]


def test_a_word_that_is_no_choice_is_refused() -> None:
    with pytest.raises(InvalidPayloadError, match="fail or warn"):
        SuccessRules(on_partial="ignore")


counts = st.none() | st.integers(0, 10**6)


@given(
    st.sampled_from(Verdict),
    st.sampled_from(OutcomeReason),
    st.builds(Counters, counts, counts, counts, counts, counts),
    st.text(),
)
def test_an_outcome_crosses_as_plain_json_and_comes_back_the_same(
    kind: Verdict, reason: OutcomeReason, counts: Counters, message: str
) -> None:
    outcome = Outcome(kind, reason, "batch_1", message or "-", "completed", counts, 5.0)
    assert Outcome.from_event(json.loads(json.dumps(outcome.to_event()))) == outcome


def test_an_event_of_version_1_is_understood() -> None:
    outcome = Outcome.from_event(EVENT_V1)
    assert (outcome.verdict, outcome.reason, outcome.status) == (Verdict.WARNING, OutcomeReason.PARTIAL, "completed")
    assert outcome.counts == Counters(40, 35, 30, 5, 5)
    assert outcome.duration == 12.5
    assert outcome.to_event() == EVENT_V1


def test_unknown_keys_are_ignored_and_missing_ones_are_not_known() -> None:
    outcome = Outcome.from_event({"status": "success", "batch_call_id": "batch_1", "cost": 3, "version": 7})
    assert outcome.verdict is Verdict.SUCCESS
    assert outcome.counts == Counters()
    assert outcome.duration is None


@pytest.mark.parametrize("event", [None, {}, [], "done", {"status": "finished"}, {"status": None, "version": 9}])
def test_an_event_that_is_not_understood_is_a_failure_that_a_retry_may_heal(event: object) -> None:
    outcome = Outcome.from_event(event)
    assert outcome.verdict is Verdict.FAILURE
    assert isinstance(outcome.error(), WaitInterruptedError)


@pytest.mark.parametrize(
    ("reason", "may_launch_anew", "error"),
    [
        (OutcomeReason.FAILED, False, UnsuccessfulError),
        (OutcomeReason.FAILED, True, StoppedEarlyError),
        (OutcomeReason.CANCELLED, True, StoppedEarlyError),
        (OutcomeReason.PARTIAL, True, UnsuccessfulError),
        (OutcomeReason.DELETED, True, UnsuccessfulError),
        (OutcomeReason.TIMEOUT, True, UnsuccessfulError),
        (OutcomeReason.UNREADABLE, False, WaitInterruptedError),
    ],
)
def test_only_what_can_end_differently_is_retried(reason: OutcomeReason, may_launch_anew: bool, error: type) -> None:
    raised = Outcome(Verdict.FAILURE, reason, "batch_1", "why").error(may_launch_anew=may_launch_anew)
    assert type(raised) is error
    assert raised.retryable is (error is not UnsuccessfulError)


def test_the_summary_is_small_and_plain() -> None:
    outcome = outcome_of(batch("completed", called=100), NO_RULES, duration=3.14159)
    assert outcome is not None
    assert outcome.summary() == {
        "batch_call_id": "batch_1",
        "status": "completed",
        "outcome": "success",
        "total_contacts": 100,
        "called": 100,
        "completed": 100,
        "failed": 0,
        "pending": 0,
        "waited_seconds": 3.1,
    }


@pytest.mark.parametrize("share", [0.1, 0.9, 1.0])
def test_a_share_of_no_contacts_is_not_met(share: float) -> None:
    outcome = outcome_of(batch("completed", 0, total=0), SuccessRules(min_called=share))
    assert outcome is not None
    assert outcome.reason is OutcomeReason.PARTIAL


def test_an_event_about_another_batch_call_is_not_believed() -> None:
    event = {"status": "success", "batch_call_id": "batch_2"}
    outcome = Outcome.from_event(event, "batch_1")
    assert (outcome.reason, outcome.retryable) == (OutcomeReason.NOT_UNDERSTOOD, True)
    assert Outcome.from_event(event, "batch_2").verdict is Verdict.SUCCESS
