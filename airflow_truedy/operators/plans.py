"""The operator that shows the plan of a campaign before anybody is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.links.plans import page_of, picture_of
from airflow_truedy.operators.batch_calls import LAUNCH
from airflow_truedy.operators.campaign_parameters import CAMPAIGN, CampaignOperator
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.sdk import Context

    from airflow_truedy.campaigns.preview import Rate

#: Under which name the plan is pushed as Markdown.
MARKDOWN_KEY = "markdown"


def _parts_of(contacts: Any) -> list[Any]:
    """Return the ``contacts`` of each batch call: every manifest is one, and people in a list are one together."""
    found = kinds.collection(contacts)
    if isinstance(found, (str, Mapping)) or not hasattr(found, "__iter__"):
        return [found]
    listed = list(found)
    return listed if kinds.are_manifests(listed) else [listed]


_PARAMETERS = Parameters(
    *(replace(each, kind=kinds.contacts_or_parts) if each.name == "contacts" else each for each in CAMPAIGN),
    Parameter("average_minutes", kinds.amount),
    Parameter("concurrency", kinds.whole(1)),
    Parameter("cost_per_call", kinds.optional(kinds.amount)),
    Parameter("cost_per_minute", kinds.optional(kinds.amount)),
    Parameter("currency", kinds.text),
    Parameter("previous", kinds.manifests),
)
_NOT_OF_A_PLAN = {each.name for each in LAUNCH}


class PlanBatchCallsOperator(CampaignOperator):
    """
    Return the plan of a campaign: who will be called, when, for how long and at what price. No request is made.

    It takes the parameters of :class:`~airflow_truedy.operators.batch_calls.CreateBatchCallOperator` and computes start
    and hours with its code, so state them once and give them to both::

        CAMPAIGN = {"name": "Renewals", "agent_id": "agt_f9447372", "start_on": "{{ ds }}"}

        plan = PlanBatchCallsOperator(task_id="plan", contacts=people, **CAMPAIGN)
        approve = ApprovePlanOperator(
            task_id="approve",
            subject="Call them?",
            body="{{ ti.xcom_pull('plan', key='markdown') }}",
        )
        create = CreateBatchCallOperator(
            task_id="create", contacts=people, approved_plan=plan.output, approval=approve.output, **CAMPAIGN
        )

    XCom gets the plan as JSON of less than 8 KB, and as Markdown under the key ``markdown``; nothing of a person.

    :param contacts: as there, or a list of manifests: one for each batch call that ``.expand(contacts=...)`` makes.
    :param average_minutes: how long a call takes, for the estimate. Default: 2.
    :param concurrency: calls that one batch call makes at the same time, for the estimate. Default: 5.
    :param cost_per_call: price of a call; as text, to be exact. Default: the plan tells no price.
    :param cost_per_minute: price of a minute, in place of ``cost_per_call``.
    :param currency: of the price. Default: USD.
    :param previous: manifest or manifests of an earlier list; the plan warns if this one has 20 % fewer people.
    :param campaign: the parameters of the campaign, see
        :class:`~airflow_truedy.operators.campaign_parameters.CampaignOperator`. How it is launched and waited for
        changes nothing of its plan.
    :raises AirflowFailException: if the campaign could not be started like this.
    :raises AirflowSkipException: if the start has passed and ``on_past="skip"``.
    """

    template_fields: Sequence[str] = _PARAMETERS.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CampaignOperator.template_fields_renderers,
        "previous": "json",
    }
    parameters = _PARAMETERS

    def __init__(
        self,
        *,
        average_minutes: float | str | Decimal = 2,
        concurrency: int | str = 5,
        cost_per_call: float | str | Decimal | None = None,
        cost_per_minute: float | str | Decimal | None = None,
        currency: str = "USD",
        previous: Any = None,
        **campaign: Any,
    ) -> None:
        super().__init__(**{name: value for name, value in campaign.items() if name not in _NOT_OF_A_PLAN})
        self.average_minutes = average_minutes
        self.concurrency = concurrency
        self.cost_per_call = cost_per_call
        self.cost_per_minute = cost_per_minute
        self.currency = currency
        self.previous = previous
        self._stated = self._check()
        if cost_per_call is not None and cost_per_minute is not None:
            rule = "contradicts cost_per_minute: give one of them"
            raise InvalidPayloadError(f"task {self.task_id!r}", problems=[("cost_per_call", str(cost_per_call), rule)])

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the plan; see :func:`~airflow_truedy.campaigns.preview.preview` for what is in it."""
        from airflow_truedy.campaigns.plan_markdown import plan_markdown

        with failing_fast():
            plan = self._made(context)
        markdown = plan_markdown(plan, picture_of(context["ti"]), page_of(context["ti"]))
        context["ti"].xcom_push(key=MARKDOWN_KEY, value=markdown)
        self.log.info("%s", markdown)
        return plan

    def _made(self, context: Context) -> dict[str, Any]:
        from airflow_truedy.campaigns.forecast import Assumptions
        from airflow_truedy.campaigns.preview import planned, preview
        from airflow_truedy.contacts.contacts_file import Manifest

        given = self.parameters.read(self, self._stated)
        now = datetime.now(timezone.utc)
        plans = (self._plan(context, {**given, "contacts": part}) for part in _parts_of(given["contacts"]))
        return preview(
            [planned(plan, now) for plan in plans],
            now,
            assumptions=Assumptions(given["average_minutes"], given["concurrency"]),
            rate=_rate(given),
            previous=[Manifest.from_dict(one) for one in given["previous"]],
            made_in_try=context["ti"].try_number,
        )


def _rate(given: Mapping[str, Any]) -> Rate | None:
    from airflow_truedy.campaigns.preview import Rate

    if given["cost_per_call"] is not None:
        return Rate(given["cost_per_call"], "call", given["currency"])
    if given["cost_per_minute"] is not None:
        return Rate(given["cost_per_minute"], "minute", given["currency"])
    return None
