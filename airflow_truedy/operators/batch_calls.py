"""Operators for batch calls: the campaigns of Truedy."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.restrictions import dry_summary, refuse_other_numbers
from airflow_truedy.campaigns.errors import WindowClosedError
from airflow_truedy.campaigns.timing import in_words
from airflow_truedy.compat import task_state
from airflow_truedy.formats import utc_text
from airflow_truedy.links.batch_calls import BatchCallLink, LinkingStore
from airflow_truedy.operators.campaign_parameters import CAMPAIGN, CampaignOperator
from airflow_truedy.operators.waiting import WaitingOperator
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.private_fields import reveal
from airflow_truedy.parameters.table import Parameter, Parameters
from airflow_truedy.parameters.waiting import WAITING
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from airflow.sdk import BaseOperatorLink, Context

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.launch import Launch
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.compat import TaskState
    from airflow_truedy.hooks.truedy import TruedyHook
    from airflow_truedy.monitoring.outcome import Outcome
    from airflow_truedy.parameters.table import Stated

#: Under which name the progress of a launch is kept, visible in Airflow's UI.
STATE_KEY = "truedy_campaign"
#: How a campaign is launched and waited for.
LAUNCH = Parameters(
    Parameter("durable", kinds.truth, templated=False),
    Parameter("dry_run", kinds.truth, templated=False, attribute="is_dry_run"),
    # Nothing in place of these would silently mean that nobody has to approve.
    Parameter("approved_plan", kinds.mapping, may_vanish=False),
    Parameter("approval", kinds.mapping, may_vanish=False),
    Parameter("max_approval_age", kinds.seconds, templated=False),
    WAITING,
)
_ALL = Parameters(CAMPAIGN, LAUNCH)
_A_DAY = timedelta(days=1)


class CreateBatchCallOperator(CampaignOperator, WaitingOperator):
    """
    Create a Truedy batch call and start it, exactly once however often the task runs; wait for its end if asked to.

    Whatever dies (worker, scheduler, network, an answer lost after the server did the work), the campaign of one task
    instance exists once and calls each person once: a retry, a cleared task and a second worker come back to the same
    batch call. See ``POST /batch-calls`` in Truedy's API reference.

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
    :param kwargs: the campaign, see :class:`~airflow_truedy.operators.campaign_parameters.CampaignOperator` (``name``,
        ``agent_id``, ``contacts``, ``scheduled_at``, ``timezone``, ``start_time``, ``end_time``, ...); the wait, see
        :class:`~airflow_truedy.operators.waiting.WaitingOperator` (``wait_for_completion``, ``deferrable``,
        ``min_called``, ``timeout``, ...); and those of every operator.
    :raises AirflowFailException: for errors that no retry can help, and a campaign that did not end as it should.
    :raises AirflowSkipException: if the start has passed and ``on_past="skip"``, or the list is empty and
        ``on_empty="skip"``.
    """

    template_fields: Sequence[str] = _ALL.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CampaignOperator.template_fields_renderers,
        "approved_plan": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (BatchCallLink(),)
    parameters = _ALL

    def __init__(
        self,
        *,
        durable: bool = True,
        dry_run: bool = False,
        approved_plan: Mapping[str, Any] | str | None = None,
        approval: Mapping[str, Any] | str | None = None,
        max_approval_age: timedelta | float = _A_DAY,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.durable = durable
        # Not "dry_run": BaseOperator has a method of that name, which Airflow's own dry runs call.
        self.is_dry_run = dry_run
        self.approved_plan = approved_plan
        self.approval = approval
        self.max_approval_age = max_approval_age
        self._launch: Launch | None = None
        self._store_with_link: LinkingStore | None = None
        self._stated = self._check()

    def _check(self) -> Stated:
        stated = super()._check()
        problem = None
        if self.start is False and self.wait_for_completion is True:
            rule = "must be True: a draft dials nobody, so its end never comes"
            problem = ("start", "False with wait_for_completion", rule)
        elif self.approval is not None and self.approved_plan is None:
            rule = "is missing: give the plan that was approved, the output of PlanBatchCallsOperator"
            problem = ("approved_plan", "None", rule)
        elif self.approved_plan is not None and self.contact_folder_id is not None:
            rule = "cannot be approved: a folder may hold other people by the time its campaign starts"
            problem = ("contact_folder_id", "with approved_plan", rule)
        if problem is not None:
            raise InvalidPayloadError(f"task {self.task_id!r}", problems=[problem])
        return stated

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
            given = LAUNCH.read(self, self._stated)
            plan = self._approved_plan(context, given)
            if given["dry_run"] or hook.settings.dry_run:
                return self._preview(context, hook, plan)
            sources = {name: plan.fields.get(name) for name in ("contact_ids", "contact_folder_id")}
            numbers = (person["phone_number"] for person in plan.contacts or ())
            refuse_other_numbers(numbers, hook.settings.only_numbers, unknown=sources)
            return self._finish(context, *self._bring_about(context, hook, plan, given))

    def _approved_plan(self, context: Context, given: Mapping[str, Any]) -> CampaignPlan:
        """Return the plan, with its approval where one is asked for."""
        plan = self._plan(context, CAMPAIGN.read(self, self._stated))
        if given["approved_plan"] is None:
            return plan
        from airflow_truedy.campaigns.terms import approved

        max_age = timedelta(seconds=given["max_approval_age"])
        return approved(plan, given["approved_plan"], given["approval"], max_age)

    def _may_be_skipped(self, context: Context) -> bool:
        store = self._store(context)
        return store is None or store.get() is None

    def _store(self, context: Context) -> TaskState | None:
        store = task_state(context, STATE_KEY) if kinds.truth(self.durable) else None
        if store is None:
            self.log.info("No task state store: an earlier attempt is looked up on the server.")
        return store

    def _preview(self, context: Context, hook: TruedyHook, plan: CampaignPlan) -> dict[str, Any]:
        from airflow_truedy.campaigns.dry_run import dry_run

        planned = dry_run(hook.client, plan, self._store(context))
        self.log.info("Would be sent: %s", json.dumps(planned))
        return {**planned, **dry_summary(self.log, planned["would"])}

    def _bring_about(
        self, context: Context, hook: TruedyHook, plan: CampaignPlan, given: Mapping[str, Any]
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
        monitor_settings = self._prepare_waiting(hook, plan, given)
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
            given = LAUNCH.read(self, self._stated)
            return self._bring_about(context, hook, self._approved_plan(context, given), given)

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
