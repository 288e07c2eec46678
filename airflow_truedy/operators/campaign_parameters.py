"""What a campaign is: its parameters, what is refused of them while the Dag is parsed, and the plan they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.identity import DEFAULT_WORD, CampaignKey, default_key
from airflow_truedy.campaigns.plan import CampaignPlan, Policy, plan_campaign
from airflow_truedy.campaigns.timing import Timing
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.contact_source import contact_list_of, may_bring_hours
from airflow_truedy.parameters.private_fields import PrivateField, PrivateFieldsOperator, holds_people
from airflow_truedy.parameters.table import Parameter, Parameters, Stated, naming_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime, timedelta

    from airflow.sdk import Context

    from airflow_truedy.campaigns.plan import OnChange, OnDuplicate, OnPast, OnRetry
    from airflow_truedy.contacts.rules import OnEmpty

#: Fields of ``POST /batch-calls`` that go over the wire as they are.
_API_FIELDS = Parameters(
    Parameter("agent_id", kinds.text, required=True),
    Parameter("phone_rotation_strategy", kinds.text),
    Parameter("contact_source", kinds.text),
    Parameter("contact_folder_id", kinds.text),
    Parameter("phone_number_ids", kinds.items),
    Parameter("contact_ids", kinds.items),
    Parameter("max_calls_per_day", kinds.optional(kinds.whole(1))),
    Parameter("extra_fields", kinds.mapping),
)
#: What :class:`~airflow_truedy.campaigns.timing.Timing` is made of.
_TIMING = Parameters(
    Parameter("scheduled_at", kinds.moment),
    Parameter("start_on", kinds.day, may_vanish=False),
    Parameter("schedule_type", kinds.optional(kinds.one_of("immediate", "scheduled"))),
    Parameter("timezone", kinds.text),
    # Nothing in place of these would silently mean calls at any hour.
    Parameter("start_time", kinds.text, may_vanish=False),
    Parameter("end_time", kinds.text, may_vanish=False),
    Parameter("working_days", kinds.items, may_vanish=False),
    Parameter("start", kinds.truth),
)
#: What :class:`~airflow_truedy.campaigns.plan.Policy` is made of.
_POLICY = Parameters(
    Parameter("on_past", kinds.one_of("fail", "start_now", "skip")),
    Parameter("on_change", kinds.one_of("fail", "rebuild"), templated=False),
    Parameter("on_retry", kinds.one_of("attach", "new"), templated=False),
    Parameter("on_duplicate", kinds.one_of("fail", "warn", "allow"), templated=False),
    Parameter("max_rejected", kinds.number(0)),
    # Nothing in its place would silently mean a list of any age.
    Parameter("max_contacts_age", kinds.optional(kinds.seconds), may_vanish=False),
    Parameter("held_on_blocked_days", kinds.truth, templated=False),
)
#: All parameters of a campaign.
CAMPAIGN = Parameters(
    Parameter("name", kinds.text, required=True),
    Parameter("contacts", kinds.contacts),
    _API_FIELDS,
    _TIMING,
    _POLICY,
    Parameter("on_empty", kinds.one_of("fail", "skip"), templated=False),
    # Nothing in its place would silently mean another campaign.
    Parameter("campaign_key", kinds.text, may_vanish=False),
    Parameter("tag_word", kinds.text, templated=False),
    Parameter("chunk_size", kinds.whole(1), templated=False),
    Parameter("truedy_conn_id", kinds.text),
)


class CampaignOperator(PrivateFieldsOperator):
    """
    An operator that is given a campaign. API fields have their API names and go over the wire as they are.

    :param name: campaign name, 1 to 255 characters. A tag such as ``[airflow 3f9a1c2b7d10-9c2e41aa]`` is appended, by
        which a campaign is found again after a crash.
    :param agent_id: the agent that calls.
    :param contacts: the people to call: a list of mappings (``phone_number`` in E.164, ``first_name``, ``last_name``,
        ``email``, ``custom_fields``), the manifest that an extracting task returned, or the path or URI of a JSON
        Lines or CSV file.
    :param contact_ids: contacts that Truedy has already.
    :param contact_folder_id: a Truedy folder, whose contacts are copied into the batch call.
    :param contact_source: ``csv``, ``folder`` or ``manual``; by default ``folder`` with a folder, else ``manual``.
    :param phone_number_ids: numbers to call from; by default the agent's.
    :param phone_rotation_strategy: ``random`` (default), ``sequential`` or ``round_robin``.
    :param schedule_type: ``immediate`` starts when the task runs; ``scheduled`` is implied by ``scheduled_at``.
    :param scheduled_at: when calls may begin: ISO 8601 text, a datetime or a template. A naive value is wall time in
        ``timezone``, an aware one is an instant. It must lie inside the calling window.
    :param start_on: instead of ``scheduled_at`` a date, e.g. ``"{{ ds }}"``: calls begin at the first moment on or
        after that day at which the window is open and the people of ``contacts`` may be called.
    :param timezone: IANA zone of ``scheduled_at``, window and days. Default: that of the manifest in ``contacts``,
        where it carries calling hours, as for the next three; wider ones than the manifest's are an error.
    :param start_time: daily begin of the calling window, HH:MM wall time. Required, unless ``start=False``.
    :param end_time: daily end of the calling window, HH:MM wall time. Required, unless ``start=False``.
    :param working_days: days on which calls may be placed, 1 = Monday to 7 = Sunday.
    :param max_calls_per_day: at most so many calls a day; Truedy may cap it further by billing tier.
    :param held_on_blocked_days: say that something pauses the campaign on days on which nobody of its list may be
        called (:class:`~airflow_truedy.operators.holds.HoldBatchCallsOperator` in a Dag of its own). Default: no; a
        campaign that may still be calling on such a day is an error.
    :param max_contacts_age: how old the contacts file, and so its do-not-call check, may be when calls begin: seconds
        or a timedelta. Default: any age.
    :param extra_fields: further fields for the API, sent as they are.
    :param start: whether to take the schedule step; ``False`` leaves a draft, which dials nobody.
    :param on_past: what a start in the past means: ``fail`` (default), ``start_now`` or ``skip`` the task.
    :param on_empty: what an empty list means: ``fail`` (default), or ``skip`` the task, unless an earlier attempt had
        people. The contacts of a folder are counted by the server only, so an empty one always fails.
    :param on_change: what a payload that differs from the earlier attempt's means while the campaign is a draft:
        ``fail`` (default) or ``rebuild``. A started campaign never changes.
    :param on_retry: what to do when the campaign ended ``failed`` or ``cancelled``: ``attach`` (default; fails,
        nobody is called again) or ``new`` (a new batch call with everybody in the list).
    :param on_duplicate: what another live or recent campaign with the same payload under another key means, such as
        that of a second click on Trigger: ``fail`` (default; nothing is sent), ``warn`` or ``allow``.
    :param max_rejected: contacts that the server may refuse: a whole number, or a share of all as a
        float from 0.0 to 1.0. Default 0.
    :param campaign_key: what makes two runs the same campaign; by default Dag id, task id, run id
        and map index; of a part of a split list what tells it from the others, because map indexes move.
    :param tag_word: first word of the tag in the name.
    :param chunk_size: contacts per request.
    :param truedy_conn_id: connection of type ``truedy``.
    :param kwargs: those of every operator.
    """

    contacts = PrivateField(holds_people)

    template_fields: Sequence[str] = CAMPAIGN.template_fields
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("contact_ids", "phone_number_ids", "working_days", "extra_fields"), "json"
    )
    ui_color = "#e8f0fe"
    parameters: ClassVar[Parameters] = CAMPAIGN

    def __init__(
        self,
        *,
        name: str,
        agent_id: str,
        contacts: Any = None,
        contact_ids: Sequence[str] | str | None = None,
        contact_folder_id: str | None = None,
        contact_source: str | None = None,
        phone_number_ids: Sequence[str] | str | None = None,
        phone_rotation_strategy: str | None = None,
        schedule_type: str | None = None,
        scheduled_at: str | datetime | None = None,
        start_on: str | date | None = None,
        timezone: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        working_days: Sequence[int] | str | None = None,
        max_calls_per_day: int | str | None = None,
        held_on_blocked_days: bool = False,
        max_contacts_age: timedelta | float | str | None = None,
        extra_fields: Mapping[str, Any] | str | None = None,
        start: bool | str = True,
        on_past: OnPast = "fail",
        on_empty: OnEmpty = "fail",
        on_change: OnChange = "fail",
        on_retry: OnRetry = "attach",
        on_duplicate: OnDuplicate = "fail",
        max_rejected: float | str = 0,
        campaign_key: str | None = None,
        tag_word: str = DEFAULT_WORD,
        chunk_size: int = 500,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.agent_id = agent_id
        self.contacts = contacts
        self.contact_ids = contact_ids
        self.contact_folder_id = contact_folder_id
        self.contact_source = contact_source
        self.phone_number_ids = phone_number_ids
        self.phone_rotation_strategy = phone_rotation_strategy
        self.schedule_type = schedule_type
        self.scheduled_at = scheduled_at
        self.start_on = start_on
        self.timezone = timezone
        self.start_time = start_time
        self.end_time = end_time
        self.working_days = working_days
        self.max_calls_per_day = max_calls_per_day
        self.held_on_blocked_days = held_on_blocked_days
        self.max_contacts_age = max_contacts_age
        self.extra_fields = extra_fields
        self.start = start
        self.on_past = on_past
        self.on_empty = on_empty
        self.on_change = on_change
        self.on_retry = on_retry
        self.on_duplicate = on_duplicate
        self.max_rejected = max_rejected
        self.campaign_key = campaign_key
        self.tag_word = tag_word
        self.chunk_size = chunk_size
        self.truedy_conn_id = truedy_conn_id

    def _check(self) -> Stated:
        """
        Refuse while the Dag is parsed what no template can mend any more; the last step of ``__init__``.

        :raises TimingError: naming what to state and how.
        :raises InvalidPayloadError: naming the parameter and its rule.
        """
        stated = self.parameters.check(self)
        with naming_task(self):
            self._check_timing(stated)
            self._check_people()
        return stated

    def _check_timing(self, stated: Stated) -> None:
        known = _TIMING.of(stated.known)
        unknown = {name for name, value in known.items() if value is None and name in stated.names}
        if may_bring_hours(self.contacts):
            unknown |= {"timezone", "start_time", "end_time"}
        known["start"] = known["start"] is True
        Timing(**known).check(unknown)

    def _check_people(self) -> None:
        sources = (self.contacts, self.contact_ids, self.contact_folder_id, self.extra_fields)
        if self.start is True and all(source is None for source in sources):
            rule = "is missing, so there is nobody to call: give contacts, contact_ids or contact_folder_id"
            raise InvalidPayloadError("invalid parameter", problems=[("contacts", "None", rule)])

    def _plan(self, context: Context, given: Mapping[str, Any]) -> CampaignPlan:
        """
        Return the plan of the campaign; every value is checked here, before any request.

        :param given: the rendered parameters.
        :raises AirflowSkipException: for an empty list with ``on_empty="skip"``.
        """
        ti, people = context["ti"], contact_list_of(given["contacts"])
        is_empty = people is not None and not (people.count or given["contact_ids"] or given["contact_folder_id"])
        if is_empty and given["on_empty"] == "skip" and self._may_be_skipped(context):
            raise AirflowSkipException("The list is empty, so there is nobody to call. Nothing was sent.")
        part = people and people.manifest and people.manifest.part
        place = part or (-1 if ti.map_index is None else ti.map_index)
        stated_key = given["campaign_key"]
        key = CampaignKey(
            stated_key or default_key(ti.dag_id, ti.task_id, ti.run_id, place),
            given["tag_word"] or DEFAULT_WORD,
        )
        return plan_campaign(
            key=key,
            name=given["name"],
            fields=_API_FIELDS.of(given),
            contacts=people,
            timing=Timing(**_TIMING.of(given)),
            policy=Policy(**_POLICY.of(given)),
            chunk_size=given["chunk_size"],
            run=None if stated_key else (ti.dag_id, ti.run_id),
        )

    def _may_be_skipped(self, context: Context) -> bool:
        """Return whether a task with an empty list has made no campaign yet."""
        return True
