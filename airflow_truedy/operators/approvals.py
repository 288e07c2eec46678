"""The operator that asks a person to approve the plan of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowOptionalProviderFeatureException
from airflow.sdk import BaseOperator

from airflow_truedy.campaigns.approval import SEALS_KEY
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters

if TYPE_CHECKING:
    from airflow.sdk import Context

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):

    class ApprovalOperator(BaseOperator):  # type: ignore[no-redef]
        """Stand in for Airflow's before 3.1: the Dag can be parsed, and the task fails, so nothing starts unseen."""

        template_fields = ("subject", "body")

        def __init__(self, **kwargs: Any) -> None:
            own = ("subject", "body", "defaults", "response_timeout", "notifiers", "assigned_users", "fail_on_reject")
            given = {name: kwargs.pop(name, None) for name in (*own, "ignore_downstream_trigger_rules")}
            super().__init__(**kwargs)
            self.subject = given["subject"]
            self.body = given["body"]

        def execute(self, context: Context) -> None:
            """Fail."""
            raise AirflowFailException("ApprovePlanOperator needs Airflow 3.1 or later. Nothing was started.")


_PARAMETERS = Parameters(Parameter("body", kinds.text, required=True))


class ApprovePlanOperator(ApprovalOperator):
    """
    Ask a person in Airflow's UI whether a campaign shall call, and return the answer with the plan that was shown.

    It is Airflow's ``ApprovalOperator`` with all its parameters; before Airflow 3.1 the task fails. A plan that is
    made again while the question is open does not change what the person sees, so the answer counts for the plan in
    ``body`` alone::

        approve = ApprovePlanOperator(
            task_id="approve", subject="Call them?", body="{{ ti.xcom_pull('plan', key='markdown') }}"
        )

    :param body: the Markdown of :class:`~airflow_truedy.operators.plans.PlanBatchCallsOperator`, alone or in a text of
        lines of your own; of several plans, if one answer is to count for all of them.
    :param kwargs: those of ``ApprovalOperator``. Do not let ``defaults`` say "Approve": Airflow takes the default when
        ``response_timeout`` is over.
    :raises AirflowFailException: if the body shows no plan; in every try but the first, because Airflow goes on showing
        the first question. Ask in a new run, and give the task ``retries=0``.
    """

    def __init__(self, *, body: str, **kwargs: Any) -> None:
        super().__init__(body=body, **kwargs)
        _PARAMETERS.check(self)

    def execute(self, context: Context) -> None:
        """Note which plans the question shows, and ask."""
        from airflow_truedy.campaigns.plan_format import seals_in

        if context["ti"].try_number > 1:
            # Airflow keeps the body of the first question through clears and retries (upsert_hitl_detail).
            raise AirflowFailException(
                "A task that runs again is shown by Airflow with the question of its first try, and so perhaps with "
                "another plan. Nobody was asked, and nothing starts. Trigger a new run of the Dag."
            )
        seals = seals_in(self.body or "")
        if not seals:
            raise AirflowFailException(
                "The body shows no plan, so no answer to it could count. Nobody was asked. Give it the Markdown that "
                "PlanBatchCallsOperator pushes under the key 'markdown', on lines of its own."
            )
        context["ti"].xcom_push(key=SEALS_KEY, value=seals)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return ``chosen_options``, ``responded_at`` and so on as Airflow does, and ``plans``: the seals."""
        answer = super().execute_complete(context, event)
        ti = context["ti"]
        # The body is rendered anew by now, perhaps from another plan: only what was noted is what the person saw.
        return {**answer, SEALS_KEY: ti.xcom_pull(task_ids=self.task_id, key=SEALS_KEY, map_indexes=ti.map_index)}
