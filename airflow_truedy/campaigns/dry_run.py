"""What a launch would do, found out with reads alone."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.launch import Launch
from airflow_truedy.campaigns.preview import PlannedPart, planned, preview
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.campaigns.progress import Store


def dry_run(
    client: TruedyClient,
    plan: CampaignPlan,
    store: Store | None = None,
    now: Callable[[], datetime] | None = None,
) -> dict[str, Any]:
    """
    Return the plan (:func:`~airflow_truedy.campaigns.preview.preview`) and what would be sent, without people.

    :param store: where earlier attempts kept their progress; only read.
    :raises CampaignError: what the launch itself would refuse before its first write.
    """
    existing = Launch(client, plan, store, settle=0, now=now).look()
    moment = (now or client.now)()
    if existing is not None and State.of(existing.status).may_have_called:
        part = PlannedPart(plan, plan.moment or moment)
    else:
        part = planned(plan, moment)
    # A start that has passed is sent as one at once, where on_past allows it.
    body = plan.create_request(at_once=part.starts_at != plan.moment).body()
    body.pop("contacts", None)
    count = plan.contacts.count if plan.contacts else 0
    return {
        **preview([part], moment),
        "dry_run": True,
        "would": _deed(plan, existing),
        "batch_call_id": existing.id if existing else None,
        "requests_with_contacts": max(1, ceil(count / plan.chunk_size)),
        "scheduled_at": body.get("scheduled_at"),
        "body": body,
    }


def _deed(plan: CampaignPlan, existing: BatchCall | None) -> str:
    if existing is not None and State.of(existing.status).may_have_called:
        return "attach"
    begin = "create" if existing is None else "complete the draft"
    return f"{begin} and schedule" if plan.start else "create a draft" if existing is None else begin
