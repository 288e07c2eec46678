"""What a person says yes to: the people, the agent, the hours, the start and the caps of a campaign."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.approval import approval_of
from airflow_truedy.campaigns.errors import NotApprovedError
from airflow_truedy.campaigns.identity import digest
from airflow_truedy.campaigns.plan_format import is_plan, parts_of_plan
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_truedy.campaigns.plan import CampaignPlan

_DIGITS = 16
_NO_TERMS = ("name", "contacts", "schedule_type", "scheduled_at")
_HOURS = ("timezone", "start_time", "end_time", "working_days")
#: What of a part is compared, in the words of an error.
_COMPARED = {
    "people": ("digest",),
    "agent": ("agent_id",),
    "hours": _HOURS,
    "start": ("start",),
    "caps": ("max_calls_per_day",),
}


def terms_of(plan: CampaignPlan) -> dict[str, Any]:
    """
    Return the terms of one batch call as plain JSON: small, and nothing of a person.

    ``digest`` is that of the people, ``seal`` that of all terms together, those which are not shown too: among them
    what makes it another campaign, or lets it call people again. The name is none of them.
    """
    body = {name: value for name, value in plan.request.body().items() if name not in _NO_TERMS}
    people = [plan.contacts and plan.contacts.fingerprint, body.get("contact_ids"), body.get("contact_folder_id")]
    start = "a draft" if not plan.start else utc_text(plan.moment) if plan.moment else "at once"
    blocked = plan.hours.people.blocked if plan.hours.people else None
    policy = plan.policy
    campaign = [plan.key.word, plan.run or plan.key.text, policy.on_duplicate, policy.on_retry, plan.may_refuse]
    sealed = json.dumps([people, start, body, blocked, plan.hours.held_on_blocked_days, campaign], sort_keys=True)
    return {
        "digest": digest(json.dumps(people), _DIGITS),
        "seal": digest(sealed, _DIGITS),
        "agent_id": body.get("agent_id"),
        **{name: body.get(name) for name in _HOURS},
        "start": start,
        "max_calls_per_day": body.get("max_calls_per_day"),
    }


def approved(
    plan: CampaignPlan, approved_plan: Mapping[str, Any], answer: Mapping[str, Any] | None, max_age: timedelta
) -> CampaignPlan:
    """
    Return a plan that may be launched for as long as its approval counts.

    :param approved_plan: what ``PlanBatchCallsOperator`` returned.
    :param answer: what ``ApprovePlanOperator`` returned. Without it the age counts from the making of the plan.
    :param max_age: for how long an approval counts.
    :raises NotApprovedError: this is not what was approved, or the answer was another.
    """
    check_terms(approved_plan, plan)
    return replace(plan, approval=approval_of(approved_plan, answer, max_age))


def check_terms(approved_plan: Mapping[str, Any], plan: CampaignPlan) -> None:
    """
    Refuse a campaign that is none of the parts of an approved plan.

    :param approved_plan: what ``PlanBatchCallsOperator`` returned.
    :raises NotApprovedError: naming what differs.
    """
    if not is_plan(approved_plan):
        raise NotApprovedError("approved_plan is not what PlanBatchCallsOperator returned. This try started nothing.")
    terms, parts = terms_of(plan), parts_of_plan(approved_plan)
    if any(part.get("seal") == terms["seal"] for part in parts):
        return
    likest = next((part for part in parts if part.get("digest") == terms["digest"]), None)
    if likest is None and len(parts) == 1:
        likest = parts[0]
    raise NotApprovedError(
        f"Campaign {plan.name!r} is not what was approved: {_difference(likest, terms)}. This try started nothing. "
        "Trigger a new run of the Dag, and approve its plan."
    )


def _difference(part: Mapping[str, Any] | None, terms: Mapping[str, Any]) -> str:
    if part is None:
        return "none of its parts has these people, so the list is another than at the approval"
    told = []
    for word, names in _COMPARED.items():
        here = {name: terms[name] for name in names if name in part and part[name] != terms[name]}
        if word == "people" and here:
            told.append("other people (the list has changed)")
        else:
            told += [f"{word}: {name} is {value!r}, approved was {part[name]!r}" for name, value in here.items()]
    return "; ".join(told) or (
        "campaign_key, run, tag_word, on_duplicate, on_retry, max_rejected, blocked days, numbers to call from, "
        "rotation or another field"
    )
