"""The parameters of a campaign: how each is read, and what is refused while the Dag is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.schedule import check_window_is_possible, instant_of, zone_of
from airflow_truedy.campaigns.timing import check_start_is_in_window, check_timing_is_stated
from airflow_truedy.operators.contact_source import may_bring_hours
from airflow_truedy.operators.parameters import (
    Parameter,
    Parameters,
    contacts,
    day,
    duration,
    is_template,
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

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Fields of ``POST /batch-calls`` that go over the wire as they are.
API_FIELDS = Parameters(
    Parameter("agent_id", text, required=True),
    Parameter("phone_rotation_strategy", text),
    Parameter("contact_source", text),
    Parameter("contact_folder_id", text),
    Parameter("timezone", text),
    # Nothing in place of these would silently mean calls at any hour.
    Parameter("start_time", text, may_vanish=False),
    Parameter("end_time", text, may_vanish=False),
    Parameter("working_days", items, may_vanish=False),
    Parameter("phone_number_ids", items),
    Parameter("contact_ids", items),
    Parameter("max_calls_per_day", optional(whole(1))),
)
#: All parameters of a campaign.
PARAMETERS = Parameters(
    Parameter("name", text, required=True),
    Parameter("contacts", contacts),
    API_FIELDS,
    Parameter("schedule_type", optional(one_of("immediate", "scheduled"))),
    Parameter("scheduled_at", moment),
    Parameter("start_on", day, may_vanish=False),
    # Nothing in its place would silently mean a list of any age.
    Parameter("max_contacts_age", seconds, may_vanish=False),
    Parameter("held_on_blocked_days", truth, templated=False),
    Parameter("extra_fields", mapping),
    Parameter("start", truth),
    Parameter("on_past", one_of("fail", "start_now", "skip")),
    Parameter("on_empty", one_of("fail", "skip"), templated=False),
    Parameter("on_change", one_of("fail", "rebuild"), templated=False),
    Parameter("on_retry", one_of("attach", "new"), templated=False),
    Parameter("on_duplicate", one_of("fail", "warn", "allow"), templated=False),
    Parameter("max_rejected", number(0)),
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


def check_timing(operator: Any, known: Mapping[str, Any]) -> None:
    """
    Refuse while the Dag is parsed a start, zone or window that no template can mend any more.

    :param operator: one that takes the parameters of a campaign.
    :param known: the parameters whose values are known by then.
    :raises TimingError: naming what to state and how.
    :raises InvalidPayloadError: naming the parameter and its rule.
    """
    check_timing_is_stated(
        start=operator.start is True,
        schedule_type=operator.schedule_type,
        scheduled_at=operator.scheduled_at,
        timezone=operator.timezone,
        start_time=operator.start_time,
        end_time=operator.end_time,
        working_days=operator.working_days,
        start_on=operator.start_on,
        hours_may_come=may_bring_hours(operator.contacts),
    )
    names = ("timezone", "scheduled_at", "start_time", "end_time", "working_days")
    zone, at, opens, closes, days = (known[name] for name in names)
    if zone:
        zone_of(zone)
    check_window_is_possible(opens, closes, days)
    if at and zone:
        start = instant_of(at, zone)
        if opens and closes and not is_template(operator.working_days):
            check_start_is_in_window(start, zone, opens, closes, days)


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
