"""Place a single call."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Literal

from airflow_truedy.api.restrictions import dry_summary
from airflow_truedy.campaigns.identity import default_key
from airflow_truedy.campaigns.progress import NoStore
from airflow_truedy.compat import task_state
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.private_fields import PrivateField, PrivateFieldsOperator
from airflow_truedy.parameters.table import Parameter, Parameters
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_truedy.api.models import Call, CallRequest
    from airflow_truedy.campaigns.single_call import SingleCall
    from airflow_truedy.hooks.truedy import TruedyHook


#: Under which name the intent of a call is kept, visible in Airflow's UI.
STATE_KEY = "truedy_call"

#: Fields of ``POST /calls``.
_API_FIELDS = Parameters(
    Parameter("agent_id", kinds.text, required=True),
    Parameter("phone_number", kinds.text, required=True),
    Parameter("from_number", kinds.text),
    Parameter("call_settings", kinds.mapping),
    Parameter("variables", kinds.mapping),
)
_PARAMETERS = Parameters(
    _API_FIELDS,
    Parameter("once_per", kinds.one_of("run", "task"), templated=False),
    Parameter("wait_for_completion", kinds.truth),
    Parameter("poll_interval", kinds.number(0)),
    Parameter("timeout", kinds.number(0)),
    Parameter("durable", kinds.truth, templated=False),
    Parameter("truedy_conn_id", kinds.text),
)


class CreateCallOperator(PrivateFieldsOperator):
    """
    Ring one person, at most once however often the task runs.

    For many people use ``CreateBatchCallOperator``: a batch call is what keeps to a calling window. A single call has
    none: it rings when the task runs, a retry at whatever hour that is. The number, settings and variables are shown
    neither in the UI nor in logs. See ``POST /calls`` in Truedy's API reference.

    A call has no name to carry a tag, so an earlier one is known by agent, number and time alone: every try looks
    first, and whatever call this agent made to this number since the Dag run was due counts as this one. That costs one
    request for every 100 calls that the agent made since.

    :param agent_id: the agent that calls.
    :param phone_number: the number to call, E.164.
    :param from_number: a number assigned to the agent, E.164; by default the server chooses.
    :param call_settings: ``recording_enabled``, ``transcription_enabled``, ``greeting``, ``max_duration``
        (``"3600s"``), ``join_timeout`` (``"30s"``).
    :param variables: values for the agent's prompt, text to text.
    :param once_per: ``run`` (default): one call per Dag run, agent and number, whichever tasks and mapped instances ask
        for it. ``task``: one for each task instance, so that two tasks of a run can ring one person twice on purpose.
    :param wait_for_completion: wait in the worker until the call has ended. Default: no.
    :param poll_interval: seconds between two reads while waiting. Default: 15.
    :param timeout: seconds to wait at most; then the task fails and the call goes on. Default: 3600.
    :param durable: keep the intent in Airflow's task state store (3.3). Without it a later try looks patiently for a
        call since the Dag run was due and rings if there is none: let ``agent_id`` render alike in every try.
    :param truedy_conn_id: connection of type ``truedy``.
    :raises AirflowFailException: for errors that no retry can help; also if it cannot be told whether the call was
        placed.
    """

    template_fields: Sequence[str] = _PARAMETERS.template_fields
    phone_number = PrivateField()
    call_settings = PrivateField()
    variables = PrivateField()
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        agent_id: str,
        phone_number: Any,
        from_number: str | None = None,
        call_settings: Mapping[str, Any] | str | None = None,
        variables: Mapping[str, Any] | str | None = None,
        once_per: Literal["run", "task"] = "run",
        wait_for_completion: bool = False,
        poll_interval: float | str = 15,
        timeout: float | str = 3600,
        durable: bool = True,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.agent_id = agent_id
        self.phone_number = phone_number
        self.from_number = from_number
        self.call_settings = call_settings
        self.variables = variables
        self.once_per = once_per
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.durable = durable
        self.truedy_conn_id = truedy_conn_id
        self._stated = _PARAMETERS.check(self)
        self._call: SingleCall | None = None
        self._stop = threading.Event()

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Place the call and return a small summary, in which nobody's number is.

        :return: ``call_id``, ``status``, ``agent_id``, ``attached``, and once it has ended ``duration_seconds``,
            ``cost_credits``, ``ended_at``.
        """
        from airflow_truedy.assets import record_outlets
        from airflow_truedy.hooks.truedy import TruedyHook

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            summary = self._place(context, hook)
        record_outlets(context, self.outlets, summary)
        return summary

    def _place(self, context: Context, hook: TruedyHook) -> dict[str, Any]:
        from airflow_truedy.campaigns.single_call import SingleCall, wait_until_ended

        given = _PARAMETERS.read(self, self._stated)
        if hook.settings.dry_run:
            return dry_summary(self.log, f"let agent {given['agent_id']} ring one person", call_id=None)
        is_first = context["ti"].try_number <= 1
        self._call = SingleCall(
            hook.client,
            self._identity(context),
            self._request(given),
            (task_state(context, STATE_KEY) if given["durable"] else None) or NoStore(),
            since=None if is_first and self.once_per == "task" else _due_at(context),
            may_be_under_way=not is_first,
        )
        placed = self._call.place()
        call = placed.call
        self.log.info("Call %s is %r.", call.id, call.status)
        if given["wait_for_completion"]:
            call = wait_until_ended(
                hook.client,
                call,
                poll_interval=float(given["poll_interval"]),
                timeout=float(given["timeout"]),
                pause=self._stop.wait,
                stopped=self._stop.is_set,
            )
            self.log.info("Call %s ended: %r after %s s.", call.id, call.status, call.duration_seconds)
        return _summary_of(call, attached=placed.attached)

    def _identity(self, context: Context) -> str:
        ti = context["ti"]
        if self.once_per == "run":
            return json.dumps([ti.dag_id, ti.run_id])
        return default_key(ti.dag_id, ti.task_id, ti.run_id, -1 if ti.map_index is None else ti.map_index)

    @staticmethod
    def _request(given: Mapping[str, Any]) -> CallRequest:
        from airflow_truedy.api.models import CallRequest

        values = {field.name: given[field.name] for field in _API_FIELDS}
        return CallRequest.checked(**{name: value for name, value in values.items() if value is not None})

    def on_kill(self) -> None:
        """Stop before the request or stop waiting. A call that rings already goes on: the API cannot end one."""
        self._stop.set()
        if self._call is not None:
            self._call.interrupt()


def _due_at(context: Context) -> datetime | None:
    """When the Dag run was due. A run that is cleared, or deleted and made again, starts anew; this never moves."""
    run: Any = context["dag_run"]
    return min((moment for moment in (run.start_date, getattr(run, "run_after", None)) if moment), default=None)


def _summary_of(call: Call, *, attached: bool) -> dict[str, Any]:
    from airflow_truedy.campaigns.status import call_status
    from airflow_truedy.formats import utc_text

    return {
        "call_id": call.id,
        "status": call_status(call.status),
        "agent_id": call.agent_id,
        "attached": attached,
        "duration_seconds": call.duration_seconds,
        "cost_credits": call.cost_credits,
        "ended_at": utc_text(call.ended_at) if call.ended_at else None,
        "request_id": call.request_id,
    }
