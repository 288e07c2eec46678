from __future__ import annotations

import json

import pytest

from airflow_truedy.campaigns.errors import CampaignEndedError, PastStartError, PayloadChangedError
from airflow_truedy.campaigns.plan import CampaignPlan
from airflow_truedy.campaigns.preview import preview
from tests.support.ground import Ground
from tests.support.plans import AGENT, WINDOW, plan_of
from tests.support.stores import Memory


def test_it_tells_what_would_be_sent_and_writes_nothing(ground: Ground) -> None:
    plan = plan_of(7, chunk_size=3, working_days=[1, 2])
    planned = preview(ground.client, plan, now=ground.now)
    assert planned == {
        "dry_run": True,
        "would": "create and schedule",
        "batch_call_id": None,
        "contacts": 7,
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
    assert ground.writes == []
    assert "2125550" not in json.dumps(planned)
    assert "Person" not in json.dumps(planned)


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
    planned = preview(ground.client, plan_of(3, start=start), now=ground.now)
    assert planned["would"] == would
    assert planned["batch_call_id"] == (ground.only.id if before else None)


def test_an_attached_campaign_is_previewed_after_its_start_too(ground: Ground) -> None:
    ground.run(plan_of(3))
    ground.advance(7 * 86400)
    assert preview(ground.client, plan_of(3), now=ground.now)["would"] == "attach"


def test_it_refuses_what_the_launch_would_refuse(ground: Ground) -> None:
    def refused(plan: CampaignPlan, kind: type[Exception], store: Memory | None = None) -> None:
        with pytest.raises(kind):
            preview(ground.client, plan, store, now=ground.now)

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
