"""Sensor for batch calls: the campaigns of Truedy."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.restrictions import dry_summary
from airflow_truedy.campaigns.timing import CallingWindow, check_window_is_possible, zone_of
from airflow_truedy.monitoring.monitor import CampaignMonitor, MonitorSettings, MonitorState
from airflow_truedy.monitoring.outcome import Outcome, OutcomeReason, Verdict
from airflow_truedy.monitoring.waiting import backstop, deadline_of, poll_once
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters, is_template, naming_task
from airflow_truedy.parameters.waiting import RULES, forget, limits_of, remember, remembered
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_truedy.monitoring.monitor import Poll

_PARAMETERS = Parameters(
    Parameter("batch_call_id", kinds.batch_call),
    Parameter("truedy_conn_id", kinds.text),
    RULES,
    Parameter("timezone", kinds.text),
    Parameter("start_time", kinds.text),
    Parameter("end_time", kinds.text),
    Parameter("working_days", kinds.items),
    Parameter("deferrable", kinds.truth, templated=False),
)


class BatchCallSensor(BaseSensorOperator):
    """
    Wait for the end of a batch call that somebody else started; only reads.

    Fails, without a retry, when the batch call failed, was cancelled or deleted, or breaks a success rule. The verdict
    is the one of :class:`~airflow_truedy.operators.batch_calls.CreateBatchCallOperator`.

    :param batch_call_id: the batch call, or the dict that ``CreateBatchCallOperator`` returns.
    :param min_called: least calls of a success: a number, or a share of all contacts (a float from 0.0 to 1.0).
    :param max_failed: most failed calls of a success: a number, or a share of the calls.
    :param on_partial: what a broken rule means: ``fail`` (default), or ``warn`` and succeed.
    :param max_paused: fail when the batch call has been paused for so long (seconds or a timedelta); by default a pause
        is waited out. With ``mode="reschedule"`` this and ``stall_after`` need Airflow 3.3, whose task state store
        remembers from one poke to the next. Without it a 404 is read again within the poke, and a refused key fails at
        once.
    :param stall_after: fail when no counter has moved for so long inside the calling window.
    :param timezone: IANA zone of the calling window; hours and days need it. The API does not tell a batch call's
        window: without one every hour counts as open.
    :param start_time: daily begin of the calling window, HH:MM.
    :param end_time: daily end of the calling window, HH:MM.
    :param working_days: days on which calls may be placed, 1 = Monday to 7 = Sunday.
    :param deferrable: wait in the triggerer, which takes no worker slot; by default Airflow's
        ``[operators] default_deferrable``. All deferred tasks of a connection share their requests.
    :param truedy_conn_id: connection of type ``truedy``.
    :param kwargs: those of every sensor: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, ...
    :raises AirflowFailException: if the batch call did not end as it should.
    :raises AirflowSensorTimeout: if it did not end in time.
    """

    template_fields: Sequence[str] = _PARAMETERS.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {"working_days": "json"}
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        batch_call_id: Any,
        min_called: float | str | None = None,
        max_failed: float | str | None = None,
        on_partial: str = "fail",
        max_paused: float | timedelta | str | None = None,
        stall_after: float | timedelta | str | None = None,
        timezone: str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        working_days: Sequence[int] | str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_call_id = batch_call_id
        self.min_called = min_called
        self.max_failed = max_failed
        self.on_partial = on_partial
        self.max_paused = max_paused
        self.stall_after = stall_after
        self.timezone = timezone
        self.start_time = start_time
        self.end_time = end_time
        self.working_days = working_days
        self.deferrable = deferrable
        self.truedy_conn_id = truedy_conn_id
        self._monitor: CampaignMonitor | None = None
        self._stated = _PARAMETERS.check(self)
        if not is_template([timezone, start_time, end_time, working_days]):
            with naming_task(self):
                _window(self._stated.known)

    def _settings(self, deadline: float | None = None) -> MonitorSettings:
        """
        Read the rendered parameters.

        :raises InvalidPayloadError: naming a parameter and its rule.
        :raises TimingError: for a zone that does not exist.
        """
        given = _PARAMETERS.read(self, self._stated)
        return MonitorSettings(
            given["batch_call_id"], self.poke_interval or 1.0, deadline, window=_window(given), **limits_of(given)
        )

    def execute(self, context: Context) -> Any:
        """
        Wait, in the worker or deferred.

        :return: ``batch_call_id``, ``status``, ``outcome``, the counters and ``waited_seconds``.
        """
        if kinds.is_only_planned(kinds.collection(self.batch_call_id)):
            return dry_summary(self.log, "wait for the end of a batch call", batch_call_id=None)
        return self._poll_and_defer(context) if kinds.truth(self.deferrable) else super().execute(context)

    def _poll_and_defer(self, context: Context) -> dict[str, Any]:
        with failing_fast():
            now = time.time()
            deadline = deadline_of(now, self.timeout, self.execution_timeout, now)
            monitor = CampaignMonitor(self._settings(deadline), now=now)
            poll = self._poll(monitor)
            if poll.outcome is None:
                self._defer(monitor)
            return self._finish(context, poll.outcome)

    def _defer(self, monitor: CampaignMonitor) -> NoReturn:
        from airflow_truedy.triggers.batch_calls import BatchCallTrigger

        self.defer(
            trigger=BatchCallTrigger.of(monitor, self.truedy_conn_id),
            method_name="execute_complete",
            timeout=backstop(monitor.settings.deadline, time.time()),
        )

    def execute_complete(self, context: Context, event: Any = None, **_newer: Any) -> dict[str, Any]:
        """Go on after the trigger has seen the batch call's end."""
        with failing_fast():
            return self._finish(context, Outcome.from_event(event, kinds.batch_call(self.batch_call_id)))

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Read once, unless nothing can have happened since the last poll."""
        with failing_fast():
            monitor = self._monitor = self._monitor or self._remembered(context)
            if monitor.due > time.time():
                return False
            poll = self._poll(monitor, forgets=self.reschedule and context.get("task_state_store") is None)
            if poll.outcome is not None:
                return PokeReturnValue(True, self._finish(context, poll.outcome))
            if self.reschedule:
                remember(context, monitor.settings.batch_call_id, state=monitor.state.to_json())
            return False

    def _poll(self, monitor: CampaignMonitor, *, forgets: bool = False) -> Poll:
        """
        Read the batch call.

        :param forgets: whether the next poke will know nothing of this one: then what must be seen twice is read twice,
            and what no retry can help is raised.
        """
        from airflow_truedy.hooks.truedy import TruedyHook

        with TruedyHook(self.truedy_conn_id) as hook:
            monitor.settings = replace(monitor.settings, settle=hook.settings.settle)
            while True:
                poll = poll_once(hook.client, monitor, self.log, patient=not forgets)
                state = monitor.state
                if not forgets or poll.outcome is not None or not (state.missing or state.ended_at):
                    return poll
                time.sleep(max(0.0, monitor.due - time.time()))

    def _finish(self, context: Context, outcome: Outcome) -> dict[str, Any]:
        if not outcome.retryable:
            forget(context)
        if outcome.verdict is Verdict.FAILURE:
            if self.never_fail or (self.soft_fail and not outcome.retryable):
                # Airflow's base class sees to this only for pokes and resumed tasks, not for the poll before deferring.
                raise AirflowSkipException(outcome.message)
            if outcome.reason is OutcomeReason.TIMEOUT:
                raise AirflowSensorTimeout(outcome.message)
            raise outcome.error()
        (self.log.warning if outcome.verdict is Verdict.WARNING else self.log.info)("%s", outcome.message)
        return outcome.summary()

    def _remembered(self, context: Context) -> CampaignMonitor:
        """Go on with the monitor of the last poke: a rescheduled sensor is a new process each time."""
        settings = self._settings()
        kept = remembered(context, settings.batch_call_id) if self.reschedule else {}
        state = MonitorState.from_json(kept["state"]) if "state" in kept else None
        return CampaignMonitor(settings, state, now=time.time())


def _window(given: Mapping[str, Any]) -> CallingWindow:
    """
    Return the calling window.

    :raises InvalidPayloadError: for hours and days that cannot be, and hours on a clock that is not stated.
    :raises TimingError: for a zone that does not exist.
    """
    zone, opens, closes, days = (given[name] for name in ("timezone", "start_time", "end_time", "working_days"))
    rule = None
    if (opens is None) != (closes is None):
        rule = "start_time and end_time need each other"
    elif zone is None and (opens is not None or days is not None):
        rule = "hours and days are wall time: state timezone, the IANA zone of their clock"
    if rule:
        raise InvalidPayloadError("invalid parameter", problems=[("start_time, end_time, working_days", "", rule)])
    zone_of(zone or "UTC")
    check_window_is_possible(opens, closes, days)
    return CallingWindow.of(zone or "UTC", opens, closes, days)
