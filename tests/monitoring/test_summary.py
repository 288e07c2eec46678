from __future__ import annotations

from typing import Any

import pytest

from airflow_truedy.monitoring.summary import campaign_summary

CAMPAIGN = {
    "batch_call_id": "batch_1",
    "name": "Renewals, week 3 [airflow 0123456789ab-01234567]",
    "status": "completed",
    "scheduled_at": "2026-06-01T13:30:00Z",
    "timezone": "America/New_York",
    "total_contacts": 1200,
    "called": 1150,
    "completed": 1000,
    "failed": 150,
    "pending": 50,
    "url": "https://app.truedy.ai/campaigns/batch_1",
    "request_id": "req_1",
}
RESULTS = {
    "batch_call_id": "batch_1",
    "contacts": 1200,
    "by_outcome": {"completed": 1000, "no_answer": 100, "voicemail": 50, "pending": 50},
    "cost_credits": 1234,
    "table": "call_results",
}


def test_a_campaign_with_its_results_is_told_in_a_few_lines() -> None:
    assert campaign_summary(CAMPAIGN, RESULTS).splitlines() == [
        "Campaign Renewals, week 3 (batch_1): completed",
        "1,150 of 1,200 called, 1,000 completed, 150 failed, 50 pending",
        "Outcomes: completed 1,000, no answer 100, pending 50, voicemail 50",
        "Cost: 1,234 credits",
        "https://app.truedy.ai/campaigns/batch_1",
    ]


def test_an_event_is_told_with_what_it_knows() -> None:
    event = {"version": 1, "batch_call_id": "batch_1", "status": "deleted", "agent_id": None, "total_contacts": None}
    assert campaign_summary(event) == "Campaign batch_1: deleted"


def test_a_campaign_that_has_not_begun_tells_its_start() -> None:
    launched = {key: CAMPAIGN[key] for key in ("batch_call_id", "name", "scheduled_at", "total_contacts")}
    assert campaign_summary({**launched, "status": "scheduled"}).splitlines() == [
        "Campaign Renewals, week 3 (batch_1): scheduled",
        "1,200 contacts",
        "Starts 2026-06-01T13:30:00Z",
    ]


def test_nothing_called_is_a_count_and_not_unknown() -> None:
    assert "0 of 3 called, 0 completed, 3 pending" in campaign_summary(
        {"batch_call_id": "b", "status": "paused", "total_contacts": 3, "called": 0, "completed": 0, "pending": 3}
    )


def test_a_dry_run_says_so() -> None:
    assert campaign_summary({"dry_run": True, "would": "call 3 people", "batch_call_id": None}) == (
        "Dry run, nothing was started. It would call 3 people."
    )


def test_other_keys_stay_out() -> None:
    assert "555" not in campaign_summary({**CAMPAIGN, "phone_number": "+15555550100", "contacts_file": "+15555550100"})


@pytest.mark.parametrize("facts", [(), ({},), ({"status": "completed"},)])
def test_facts_without_a_campaign_are_an_error(facts: Any) -> None:
    with pytest.raises(ValueError, match="batch_call_id is missing"):
        campaign_summary(*facts)


def test_facts_of_two_campaigns_are_an_error() -> None:
    with pytest.raises(ValueError, match="different campaigns: batch_1, batch_2"):
        campaign_summary(CAMPAIGN, {**RESULTS, "batch_call_id": "batch_2"})
