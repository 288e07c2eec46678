"""The parameters of a campaign: how each is read, and what is refused while the Dag is parsed."""

from __future__ import annotations

from typing import Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.timing import Timing
from airflow_truedy.operators.contact_source import may_bring_hours
from airflow_truedy.operators.parameters import (
    Parameter,
    Parameters,
    Stated,
    contacts,
    day,
    duration,
    items,
    mapping,
    moment,
    number,
    one_of,
    optional,
    seconds,
    text,
    truth,
    whole,
)

#: Fields of ``POST /batch-calls`` that go over the wire as they are.
API_FIELDS = Parameters(
    Parameter("agent_id", text, required=True),
    Parameter("phone_rotation_strategy", text),
    Parameter("contact_source", text),
    Parameter("contact_folder_id", text),
    Parameter("phone_number_ids", items),
    Parameter("contact_ids", items),
    Parameter("max_calls_per_day", optional(whole(1))),
    Parameter("extra_fields", mapping),
)
#: What :class:`~airflow_truedy.campaigns.timing.Timing` is made of.
TIMING = Parameters(
    Parameter("scheduled_at", moment),
    Parameter("start_on", day, may_vanish=False),
    Parameter("schedule_type", optional(one_of("immediate", "scheduled"))),
    Parameter("timezone", text),
    # Nothing in place of these would silently mean calls at any hour.
    Parameter("start_time", text, may_vanish=False),
    Parameter("end_time", text, may_vanish=False),
    Parameter("working_days", items, may_vanish=False),
    Parameter("start", truth),
)
#: What :class:`~airflow_truedy.campaigns.plan.Policy` is made of.
POLICY = Parameters(
    Parameter("on_past", one_of("fail", "start_now", "skip")),
    Parameter("on_change", one_of("fail", "rebuild"), templated=False),
    Parameter("on_retry", one_of("attach", "new"), templated=False),
    Parameter("on_duplicate", one_of("fail", "warn", "allow"), templated=False),
    Parameter("max_rejected", number(0)),
    # Nothing in its place would silently mean a list of any age.
    Parameter("max_contacts_age", seconds, may_vanish=False),
    Parameter("held_on_blocked_days", truth, templated=False),
)
#: All parameters of a campaign.
PARAMETERS = Parameters(
    Parameter("name", text, required=True),
    Parameter("contacts", contacts),
    API_FIELDS,
    TIMING,
    POLICY,
    Parameter("on_empty", one_of("fail", "skip"), templated=False),
    # Nothing in its place would silently mean another campaign.
    Parameter("campaign_key", text, may_vanish=False),
    Parameter("tag_word", text, templated=False),
    Parameter("chunk_size", whole(1), templated=False),
    Parameter("durable", truth, templated=False),
    Parameter("dry_run", truth, templated=False, attribute="is_dry_run"),
    Parameter("truedy_conn_id", text),
    # Nothing in place of these would silently mean that nobody has to approve.
    Parameter("approved_plan", mapping, may_vanish=False),
    Parameter("approval", mapping, may_vanish=False),
    Parameter("max_approval_age", duration, templated=False),
)


def check_timing(operator: Any, stated: Stated) -> None:
    """
    Refuse while the Dag is parsed a start, zone or window that no template can mend any more.

    :param operator: one that takes the parameters of a campaign.
    :param stated: what its Dag states.
    :raises TimingError: naming what to state and how.
    :raises InvalidPayloadError: naming the parameter and its rule.
    """
    known = TIMING.of(stated.known)
    unknown = {name for name, value in known.items() if value is None and name in stated.names}
    if may_bring_hours(operator.contacts):
        unknown |= {"timezone", "start_time", "end_time"}
    known["start"] = known["start"] is True
    Timing(**known).check(unknown)


def check_people(operator: Any) -> None:
    """
    Refuse a campaign without people, and what contradicts a draft or an approval.

    :param operator: one that takes the parameters of a campaign.
    :raises InvalidPayloadError: naming the parameter and its rule.
    """
    sources = (operator.contacts, operator.contact_ids, operator.contact_folder_id, operator.extra_fields)
    if operator.start is True and all(source is None for source in sources):
        rule = "is missing, so there is nobody to call: give contacts, contact_ids or contact_folder_id"
        raise InvalidPayloadError("invalid parameter", problems=[("contacts", "None", rule)])
    if operator.start is False and operator.wait_for_completion is True:
        rule = "must be True: a draft dials nobody, so its end never comes"
        raise InvalidPayloadError("invalid parameter", problems=[("start", "False with wait_for_completion", rule)])
    if operator.approval is not None and operator.approved_plan is None:
        rule = "is missing: give the plan that was approved, the output of PlanBatchCallsOperator"
        raise InvalidPayloadError("invalid parameter", problems=[("approved_plan", "None", rule)])
    if operator.approved_plan is not None and operator.contact_folder_id is not None:
        rule = "cannot be approved: a folder may hold other people by the time its campaign starts"
        raise InvalidPayloadError("invalid parameter", problems=[("contact_folder_id", "with approved_plan", rule)])
