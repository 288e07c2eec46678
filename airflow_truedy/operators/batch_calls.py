"""Operators for batch calls: the campaigns of Truedy."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_truedy.campaigns.errors import WindowClosedError
from airflow_truedy.campaigns.identity import DEFAULT_WORD, CampaignKey, default_key
from airflow_truedy.campaigns.plan import CampaignPlan, Policy, plan_campaign
from airflow_truedy.campaigns.schedule import in_words
from airflow_truedy.campaigns.timing import Timing
from airflow_truedy.compat import task_state
from airflow_truedy.formats import utc_text
from airflow_truedy.links.batch_calls import BatchCallLink, LinkingStore
from airflow_truedy.operators.campaign_parameters import (
    API_FIELDS,
    PARAMETERS,
    POLICY,
    TIMING,
    check_people,
    check_timing,
)
from airflow_truedy.operators.contact_source import contact_list_of
from airflow_truedy.operators.parameters import (
    naming_task,
    truth,
)
from airflow_truedy.operators.private_fields import PrivateField, PrivateFieldsOperator, holds_people, reveal
from airflow_truedy.operators.restrictions import dry_summary, refuse_other_numbers
from airflow_truedy.operators.waiting import WAITING_FIELDS, WaitingOperator
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from airflow.sdk import BaseOperatorLink, Context

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.launch import Launch
    from airflow_truedy.campaigns.plan import OnChange, OnDuplicate, OnPast, OnRetry
    from airflow_truedy.compat import TaskState
    from airflow_truedy.contacts.rules import OnEmpty
    from airflow_truedy.hooks.truedy import TruedyHook
    from airflow_truedy.monitoring.outcome import Outcome

#: Under which name the progress of a launch is kept, visible in Airflow's UI.
STATE_KEY = "truedy_campaign"

_A_DAY = timedelta(days=1)


class CreateBatchCallOperator(PrivateFieldsOperator, WaitingOperator):
    """
    Create a Truedy batch call and start it, exactly once however often the task runs; wait for its end if asked to.

    Whatever dies (worker, scheduler, network, an answer lost after the server did the work), the campaign of one task
    instance exists once and calls each person once: a retry, a cleared task and a second worker come back to the same
    batch call. API fields have their API names and go over the wire as they are; every one of them is templated. See
    ``POST /batch-calls`` in Truedy's API reference.

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
    :param durable: keep progress in Airflow's task state store (3.3), so that a retry goes on where the last attempt
        stopped. Without it the server is read instead; the promise is the same.
    :param dry_run: do everything but the writes; log and return what would be sent. A connection with ``dry_run`` does
        this for every task. Tasks behind this one have nothing to do then and end green; results are skipped.
    :param approved_plan: what :class:`~airflow_truedy.operators.plans.PlanBatchCallsOperator` returned. Nothing is
        started whose people, agent, hours, start, caps, key or rules about a second campaign differ from it. Default:
        nobody has to approve.
    :param approval: what :class:`~airflow_truedy.operators.approvals.ApprovePlanOperator` (3.1) returned. Any other
        answer than "Approve", or one to another plan, starts nothing. Default: being run counts as the answer.
    :param max_approval_age: seconds, or a timedelta, after the approval (without ``approval``: after the plan was made)
        in which the schedule step may be sent. Default: 24 hours.
    :param kwargs: parameters of the wait, see :class:`~airflow_truedy.operators.waiting.WaitingOperator`
        (``wait_for_completion``, ``deferrable``, ``poll_interval``, ``min_called``, ``max_failed``, ``on_partial``,
        ``max_paused``, ``stall_after``, ``timeout``, ``on_timeout``, ``on_kill_action``), ``truedy_conn_id``
        (connection of type ``truedy``), and those of every operator.
    :raises AirflowFailException: for errors that no retry can help, and a campaign that did not end as it should.
    :raises AirflowSkipException: if the start has passed and ``on_past="skip"``, or the list is empty and
        ``on_empty="skip"``.
    """

    contacts = PrivateField(holds_people)

    template_fields: Sequence[str] = (*PARAMETERS.template_fields, *WAITING_FIELDS)
    template_ext: Sequence[str] = (".json", ".yaml", ".yml")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "contact_ids": "json",
        "phone_number_ids": "json",
        "working_days": "json",
        "extra_fields": "json",
        "approved_plan": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (BatchCallLink(),)
    ui_color = "#e8f0fe"
    _parameters = PARAMETERS

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
        durable: bool = True,
        dry_run: bool = False,
        approved_plan: Mapping[str, Any] | str | None = None,
        approval: Mapping[str, Any] | str | None = None,
        max_approval_age: timedelta | float = _A_DAY,
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
        self.durable = durable
        # Not "dry_run": BaseOperator has a method of that name, which Airflow's own dry runs call.
        self.is_dry_run = dry_run
        self.approved_plan = approved_plan
        self.approval = approval
        self.max_approval_age = max_approval_age
        self._launch: Launch | None = None
        self._store_with_link: LinkingStore | None = None
        self._stated = self._parameters.check(self)
        with naming_task(self):
            check_timing(self, self._stated)
            check_people(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Bring the campaign about, wait for its end if asked to, and return a small summary.

        :return: ``batch_call_id``, ``name``, ``status``, ``scheduled_at`` (UTC), ``timezone``, ``total_contacts``,
            ``url`` (its page in Truedy) and ``request_id`` (for Truedy's support). After a wait also ``outcome``
            (``success`` or ``warning``), ``called``, ``completed``, ``failed``, ``pending`` and ``waited_seconds``.
            Where people of a part of a list are in the campaign of another part, also ``left_out``, how many, and
            ``left_out_uri``, the file that tells who.
        """
        from airflow_truedy.hooks.truedy import TruedyHook

        with failing_fast(), self._telling_url(), TruedyHook(self.truedy_conn_id) as hook:
            plan = self._plan(context)
            if truth(self.is_dry_run) or hook.settings.dry_run:
                return self._preview(context, hook, plan)
            sources = {name: plan.fields.get(name) for name in ("contact_ids", "contact_folder_id")}
            numbers = (person["phone_number"] for person in plan.contacts or ())
            refuse_other_numbers(numbers, hook.settings.only_numbers, unknown=sources)
            return self._finish(context, *self._bring_about(context, hook, plan))

    def _plan(self, context: Context) -> CampaignPlan:
        """Read the rendered parameters; every value is checked here, before any request."""
        given = self._parameters.read(self, self._stated)
        ti, people = context["ti"], contact_list_of(given["contacts"])
        part = people and people.manifest and people.manifest.part
        place = part or (-1 if ti.map_index is None else ti.map_index)
        stated_key = given["campaign_key"]
        key = CampaignKey(
            stated_key or default_key(ti.dag_id, ti.task_id, ti.run_id, place),
            given["tag_word"] or DEFAULT_WORD,
            run=None if stated_key else (ti.dag_id, ti.run_id),
        )
        is_empty = people is not None and not (people.count or given["contact_ids"] or given["contact_folder_id"])
        if is_empty and given["on_empty"] == "skip" and self._has_no_earlier_attempt(context):
            raise AirflowSkipException("The list is empty, so there is nobody to call. Nothing was sent.")
        plan = plan_campaign(
            key=key,
            name=given["name"],
            fields=API_FIELDS.of(given),
            contacts=people,
            timing=Timing(**TIMING.of(given)),
            policy=Policy(**POLICY.of(given)),
            chunk_size=given["chunk_size"],
        )
        if given["approved_plan"] is None:
            return plan
        from airflow_truedy.campaigns.terms import approved

        max_age = timedelta(seconds=given["max_approval_age"])
        return approved(plan, given["approved_plan"], given["approval"], max_age)

    def _has_no_earlier_attempt(self, context: Context) -> bool:
        store = self._store(context)
        return store is None or store.get() is None

    def _store(self, context: Context) -> TaskState | None:
        store = task_state(context, STATE_KEY) if truth(self.durable) else None
        if store is None:
            self.log.info("No task state store: an earlier attempt is looked up on the server.")
        return store

    def _preview(self, context: Context, hook: TruedyHook, plan: CampaignPlan) -> dict[str, Any]:
        from airflow_truedy.campaigns.dry_run import dry_run

        planned = dry_run(hook.client, plan, self._store(context))
        self.log.info("Would be sent: %s", json.dumps(planned))
        return {**planned, **dry_summary(self.log, planned["would"])}

    def _bring_about(
        self, context: Context, hook: TruedyHook, plan: CampaignPlan
    ) -> tuple[Outcome | None, dict[str, Any]]:
        """Launch the campaign and wait for it; return how it ended, if it was waited for, and a summary."""
        from airflow_truedy.campaigns.launch import Launch
        from airflow_truedy.contacts.launched import Claim, is_part

        self.log.info(
            "Campaign %r, %s contacts, by connection %r (%s).",
            plan.tagged_name,
            "Truedy's own" if plan.expected_contacts is None else plan.expected_contacts,
            self.truedy_conn_id,
            hook.client.base_url,
        )
        monitor_settings = self._prepare_waiting(hook, plan)
        kept = self._store(context)
        self._store_with_link = store = LinkingStore(kept, context, hook.campaign_url)
        self._launch = Launch(
            hook.client,
            plan,
            store,
            settle=hook.settings.settle,
            # No other worker, try or run can make this campaign, so nothing has to be waited for. That of a part any
            # instance may have made, when the list had other parts.
            alone=context["ti"].try_number <= 1
            and not (self.campaign_key or is_part(plan.contacts))
            and kept is not None,
            # A campaign of this run was not made before the run was due; its start moves when it is cleared.
            since=None if self.campaign_key else getattr(context.get("dag_run"), "run_after", None),
            claim=Claim(plan.contacts),
        )
        batch, resume_from = self._launched(hook, self._launch)
        store.link(batch.id)
        self._log_launched(batch, plan)
        summary = {**summary_of(batch), "url": store.url}
        if left_out := plan.contacts and plan.contacts.left_out:
            summary |= {"left_out": left_out.people, "left_out_uri": left_out.uri}
        if not self._waits or not plan.start:
            return None, summary
        monitor_settings = replace(monitor_settings, resume_from=resume_from)
        return self._wait_for(context, hook, monitor_settings, batch, summary), summary

    def execute_complete(
        self, context: Context, event: Any = None, launched: dict[str, Any] | None = None, **newer: Any
    ) -> dict[str, Any]:
        """Go on after the trigger has seen the campaign's end."""
        with self._telling_url((launched or {}).get("url")):
            return super().execute_complete(context, event, launched, **newer)

    @contextmanager
    def _telling_url(self, url: str | None = None) -> Iterator[None]:
        """Log as the last line, whatever happens, where a person on call looks first."""
        try:
            yield
        finally:
            if url := (self._store_with_link and self._store_with_link.url) or url:
                self.log.info("The campaign in Truedy: %s", url)

    def _log_launched(self, batch: BatchCall, plan: CampaignPlan) -> None:
        begins, is_open = _start_in_words(batch, plan)
        # The API's documents let calls begin with the next window; nobody has seen a server do it.
        self.log.log(
            logging.INFO if is_open else logging.WARNING,
            "Batch call %s (%s) is %r with %s contacts; %s.",
            batch.id,
            plan.name,
            batch.status,
            "unknown" if batch.total_contacts is None else batch.total_contacts,
            begins,
        )

    def _launched(self, hook: TruedyHook, launch: Launch) -> tuple[BatchCall, float]:
        """Return the batch call, and the instant before which its pause stays, as seconds since 1970."""
        try:
            return launch.run().batch, 0.0
        except WindowClosedError as closed:
            if not self._waits or launch.batch_call_id is None:
                raise
            self.log.warning("%s This task waits, and resumes it then.", closed)
            return hook.get_batch_call(launch.batch_call_id), time.time() + closed.retry_after

    def _launch_again(self, context: Context) -> tuple[Outcome | None, dict[str, Any]]:
        from airflow_truedy.hooks.truedy import TruedyHook

        with TruedyHook(self.truedy_conn_id) as hook:
            return self._bring_about(context, hook, self._plan(context))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Contacts in, batch call out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import campaign_lineage

        if self._summary is None:
            return None
        return campaign_lineage(
            self._summary["batch_call_id"], reveal(self.contacts), self._summary.get("total_contacts")
        )

    def on_kill(self) -> None:
        """
        Stop a launch before its next step: what is on the server by then is a draft, which dials nobody.

        A task that waits for its campaign pauses it, or leaves it, as ``on_kill_action`` states.
        """
        if self._launch is None:
            return
        self._launch.interrupt()
        if self._waits:
            self._stop_waiting(self._launch.batch_call_id)


def _start_in_words(batch: BatchCall, plan: CampaignPlan) -> tuple[str, bool]:
    """Say when it starts, and whether the calling window is open then."""
    if not plan.start:
        return "it was not started, as asked", True
    at = batch.scheduled_at or plan.moment
    if at is None:
        return "starts at once", True
    begins = f"starts {in_words(at, plan.timezone)}"
    if plan.window.is_open(at):
        return begins, True
    opening = in_words(plan.window.next_opening(at), plan.timezone)
    return f"{begins}, outside the calling window, which opens {opening}", False


def summary_of(batch: BatchCall) -> dict[str, Any]:
    """Return what downstream tasks need of a batch call: small, plain JSON, nobody's number."""
    return {
        "batch_call_id": batch.id,
        "name": batch.name,
        "status": batch.status,
        "scheduled_at": utc_text(batch.scheduled_at) if batch.scheduled_at else None,
        "timezone": batch.timezone,
        "total_contacts": batch.total_contacts,
        "request_id": batch.request_id,
    }
