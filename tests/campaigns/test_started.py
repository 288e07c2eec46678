from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_truedy.api.client import TruedyClient
from airflow_truedy.api.models import BatchCall, Envelope
from airflow_truedy.campaigns.errors import CountMismatchError, ReadBackError
from airflow_truedy.campaigns.launch import Launch
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.progress import NoStore
from airflow_truedy.campaigns.reconcile import Reconciler
from airflow_truedy.campaigns.started import StartedCampaign
from airflow_truedy.campaigns.steps import PATIENT
from airflow_truedy.campaigns.timing import StartStep
from tests.support.ground import Ground
from tests.support.plans import MONDAY, STARTS_AT, plan_of

PLAN = plan_of(3)


def verify_start(
    client: TruedyClient, plan: CampaignPlan, batch: BatchCall, at: datetime | None, now: datetime
) -> None:
    reconciler = Reconciler(client, plan, NoStore(), PATIENT, lambda: now, alone=True, since=None)
    StartedCampaign(reconciler, lambda: None).verify_start(batch, StartStep(at, plan.timezone))


def stored(ground: Ground, **changes: Any) -> BatchCall:
    batch = ground.run(PLAN).batch
    return batch.model_copy(update=changes)


@pytest.mark.parametrize("moment", [STARTS_AT, STARTS_AT + timedelta(microseconds=999_999)])
def test_the_same_second_is_the_same_start(ground: Ground, moment: Any) -> None:
    verify_start(ground.client, PLAN, stored(ground, scheduled_at=moment), STARTS_AT, MONDAY)
    assert ground.only.status == "scheduled"


@pytest.mark.parametrize("off", [timedelta(seconds=1), timedelta(seconds=-1), timedelta(hours=4)])
def test_a_second_off_is_another_start(ground: Ground, off: timedelta) -> None:
    with pytest.raises(ReadBackError, match="start sent"):
        verify_start(ground.client, PLAN, stored(ground, scheduled_at=STARTS_AT + off), STARTS_AT, MONDAY)
    assert ground.only.status == "paused"


def test_an_immediate_start_has_no_moment_to_compare(ground: Ground) -> None:
    verify_start(ground.client, PLAN, stored(ground), None, MONDAY)


def test_both_differences_are_told_at_once(ground: Ground) -> None:
    batch = stored(ground, scheduled_at=STARTS_AT + timedelta(hours=1), timezone="UTC")
    with pytest.raises(ReadBackError, match=r"start sent .*; timezone sent America/New_York, stored UTC"):
        verify_start(ground.client, PLAN, batch, STARTS_AT, MONDAY)


def test_a_campaign_that_is_over_is_not_paused_but_told(ground: Ground) -> None:
    batch = stored(ground, timezone="UTC", status="completed")
    with pytest.raises(ReadBackError) as failed:
        verify_start(ground.client, PLAN, batch, STARTS_AT, MONDAY)
    assert "paused" not in str(failed.value)
    assert ground.only.status == "scheduled"


def test_missing_contacts_pause_a_started_campaign(ground: Ground) -> None:
    batch = stored(ground, total_contacts=2)
    ground.alter_data("GET", "/batch-calls/[^/]+", total_contacts=2)
    with pytest.raises(CountMismatchError, match=r"has 2 contacts, 3 were sent.*It is 'scheduled'.*paused"):
        verify_start(ground.client, PLAN, batch, STARTS_AT, MONDAY)
    assert ground.only.status == "paused"


@pytest.mark.parametrize("told", [STARTS_AT, None], ids=["its start is told", "its start is not told"])
@pytest.mark.parametrize("status", ["active", "running"])
def test_a_campaign_that_calls_before_its_start_is_paused(ground: Ground, status: str, told: Any) -> None:
    batch = stored(ground, status=status, scheduled_at=told)
    with pytest.raises(ReadBackError, match=f"start sent Tue 2026-06-02 10:00.*it is '{status}' now.*is paused"):
        verify_start(ground.client, PLAN, batch, STARTS_AT, MONDAY)
    assert ground.only.status == "paused"


def test_a_servers_clock_may_be_a_little_ahead(ground: Ground) -> None:
    silent = stored(ground, status="active").brought_by(Envelope())
    verify_start(ground.client, PLAN, silent, STARTS_AT, STARTS_AT - timedelta(minutes=1))
    assert ground.only.status == "scheduled"
    with pytest.raises(ReadBackError):
        verify_start(ground.client, PLAN, silent, STARTS_AT, STARTS_AT - timedelta(minutes=3))


def test_a_server_that_tells_its_time_is_measured_by_that(ground: Ground) -> None:
    batch = stored(ground, status="active").brought_by(Envelope(server_time=STARTS_AT + timedelta(seconds=1)))
    verify_start(ground.client, PLAN, batch, STARTS_AT, MONDAY)
    assert ground.only.status == "scheduled"


@pytest.mark.parametrize("meta_time", ["ts", "timestamp"])
def test_a_sandbox_whose_clock_runs_ahead_of_ours_is_believed(make_ground: Any, meta_time: str) -> None:
    ground: Ground = make_ground(meta_time=meta_time)
    ground.run(PLAN)
    ground.clock.change(to=STARTS_AT.timestamp() + 60)
    late_worker = Launch(ground.client, PLAN, now=lambda: MONDAY)
    assert late_worker.run().batch.status == "active"
