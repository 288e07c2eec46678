from __future__ import annotations

import json

import pytest

from airflow_truedy.campaigns.dry_run import dry_run
from airflow_truedy.campaigns.errors import CampaignEndedError, PastStartError, PayloadChangedError
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.preview import planned, preview
from tests.support.ground import Ground
from tests.support.plans import AGENT, MONDAY, WINDOW, plan_of
from tests.support.stores import Memory


def test_it_tells_what_would_be_sent_and_writes_nothing(ground: Ground) -> None:
    plan = plan_of(7, chunk_size=3, working_days=[1, 2])
    found = dry_run(ground.client, plan, now=ground.now)
    told = {name: found.pop(name) for name in list(found) if name not in preview([planned(plan, MONDAY)], MONDAY)}
    assert told == {
        "dry_run": True,
        "would": "create and schedule",
        "batch_call_id": None,
        "requests_with_contacts": 3,
        "scheduled_at": "2026-06-02T14:00:00Z",
        "body": {
            "name": plan.tagged_name,
            "agent_id": AGENT,
            "schedule_type": "scheduled",
            "scheduled_at": "2026-06-02T14:00:00Z",
            "contact_source": "manual",
            "phone_rotation_strategy": "random",
            "working_days": [1, 2],
            **WINDOW,
        },
    }
    # The rest is the plan that a person is shown, made at the same moment.
    assert found == {**preview([planned(plan, MONDAY)], MONDAY), "made_at": found["made_at"]}
    assert found["people"] == 7
    assert ground.writes == []
    assert "2125550" not in json.dumps([told, found])
    assert "Person" not in json.dumps([told, found])


@pytest.mark.parametrize(
    ("before", "start", "would"),
    [
        (None, True, "create and schedule"),
        (None, False, "create a draft"),
        ("draft", True, "complete the draft and schedule"),
        ("draft", False, "complete the draft"),
        ("started", True, "attach"),
    ],
)
def test_it_says_what_the_launch_would_do(ground: Ground, before: str | None, start: bool, would: str) -> None:
    if before:
        ground.run(plan_of(3, start=before == "started"))
    found = dry_run(ground.client, plan_of(3, start=start), now=ground.now)
    assert found["would"] == would
    assert found["batch_call_id"] == (ground.only.id if before else None)


def test_an_attached_campaign_is_previewed_after_its_start_too(ground: Ground) -> None:
    ground.run(plan_of(3))
    ground.advance(7 * 86400)
    assert dry_run(ground.client, plan_of(3), now=ground.now)["would"] == "attach"


def test_it_refuses_what_the_launch_would_refuse(ground: Ground) -> None:
    def refused(plan: CampaignPlan, kind: type[Exception], store: Memory | None = None) -> None:
        with pytest.raises(kind):
            dry_run(ground.client, plan, store, now=ground.now)

    refused(plan_of(3, scheduled_at="2026-05-01T10:00"), PastStartError)
    store = Memory()
    ground.run(plan_of(3), store)
    refused(plan_of(4), PayloadChangedError)
    ground.force(ground.only, "cancelled")
    refused(plan_of(3), CampaignEndedError)
    ground.force(ground.only, "deleted")
    kept = store.text
    refused(plan_of(3), CampaignEndedError, store)
    assert store.text == kept
    refused(plan_of(3, on_retry="new"), CampaignEndedError, store)
