"""Sensor for batch calls: the campaigns of Truedy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_truedy.campaigns.schedule import zone_of
from airflow_truedy.monitoring.outcome import Kind, Outcome, Reason
from airflow_truedy.monitoring.settings import Seen, WatchSettings, window_from_json
from airflow_truedy.operators.batch_call_ids import batch_call_id_of
from airflow_truedy.operators.failing import failing_fast
from airflow_truedy.operators.templating import is_template, restored, restored_text
from airflow_truedy.operators.waiting import STATE_KEY, backstop, deadline_of, rules_of, say, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_truedy.monitoring.monitor import Look, Watch

_RULE_FIELDS = ("min_called", "max_failed", "on_partial", "max_paused", "stall_after")
_WINDOW_FIELDS = ("timezone", "start_time", "end_time", "working_days")


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
        remembers from one poke to the next.
    :param stall_after: fail when no counter has moved for so long inside the calling window.
    :param timezone: IANA zone of the calling window. The API does not tell a batch call's window: without it every hour
        counts as open.
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

    template_fields: Sequence[str] = ("batch_call_id", "truedy_conn_id", *_RULE_FIELDS, *_WINDOW_FIELDS)
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
        self._watch: Watch | None = None
        if not any(is_template(getattr(self, field)) for field in (*_RULE_FIELDS, *_WINDOW_FIELDS)):
            self._settings("")

    def _settings(self, batch_call_id: str, deadline: float | None = None) -> WatchSettings:
        """
        Read the rendered parameters.

        :raises InvalidPayloadError: naming a parameter and its rule.
        :raises TimingError: for a zone that does not exist.
        """
        window = {
            "zone": restored_text(self.timezone),
            "opens": restored_text(self.start_time),
            "closes": restored_text(self.end_time),
            "days": restored(self.working_days),
        }
        zone_of(window["zone"] or "UTC")
        return WatchSettings(
            batch_call_id=batch_call_id,
            interval=self.poke_interval or 1.0,
            deadline=deadline,
            max_paused=seconds("max_paused", self.max_paused),
            stall_after=seconds("stall_after", self.stall_after),
            rules=rules_of(self.min_called, self.max_failed, self.on_partial),
            window=window_from_json(window),
        )

    def execute(self, context: Context) -> Any:
        """
        Wait, in the worker or deferred.

        :return: ``batch_call_id``, ``status``, ``outcome``, the counters and ``duration_seconds``.
        """
        return self._look_and_defer() if self.deferrable else super().execute(context)

    def _look_and_defer(self) -> dict[str, Any]:
        from airflow_truedy.monitoring.monitor import Watch

        with failing_fast():
            now = time.time()
            deadline = deadline_of(now, self.timeout, self.execution_timeout, now)
            watch = Watch(self._settings(batch_call_id_of(self.batch_call_id), deadline), now=now)
            look = self._look(watch)
            if look.outcome is None:
                self._defer(watch)
            return self._finish(look.outcome)

    def _defer(self, watch: Watch) -> NoReturn:
        from airflow_truedy.triggers.batch_calls import BatchCallTrigger

        settings = watch.settings
        trigger = BatchCallTrigger(
            truedy_conn_id=self.truedy_conn_id, watch=settings.to_json(), seen=watch.seen.to_json()
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop(settings.deadline, time.time()))

    def execute_complete(self, context: Context, event: Any = None, **_newer: Any) -> dict[str, Any]:
        """Go on after the trigger has seen the batch call's end."""
        with failing_fast():
            return self._finish(Outcome.from_event(event))

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once, unless nothing can have happened since the last look."""
        with failing_fast():
            watch = self._watch = self._watch or self._remembered(context)
            if watch.due > time.time():
                return False
            look = self._look(watch)
            self._remember(context, watch)
            return False if look.outcome is None else PokeReturnValue(True, self._finish(look.outcome))

    def _look(self, watch: Watch) -> Look:
        from airflow_truedy.api import endpoints
        from airflow_truedy.api.errors import TruedyError
        from airflow_truedy.hooks.truedy import TruedyHook

        with TruedyHook(self.truedy_conn_id) as hook:
            try:
                batch = hook.client.send(endpoints.get_batch_call(watch.settings.batch_call_id))
            except TruedyError as problem:
                look = watch.trouble(problem, time.time())
            else:
                look = watch.take(batch, time.time())
        say(self.log, look)
        return look

    def _finish(self, outcome: Outcome) -> dict[str, Any]:
        if outcome.kind is Kind.FAILURE:
            if self.never_fail or (self.soft_fail and not outcome.retryable):
                # Airflow's base class sees to this only for pokes and resumed tasks, not for the look before deferring.
                raise AirflowSkipException(outcome.message)
            if outcome.reason is Reason.TIMEOUT:
                raise AirflowSensorTimeout(outcome.message)
            raise outcome.error()
        (self.log.warning if outcome.kind is Kind.WARNING else self.log.info)("%s", outcome.message)
        return outcome.summary()

    def _remembered(self, context: Context) -> Watch:
        """Go on with the watch of the last poke: a rescheduled sensor is a new process each time."""
        from airflow_truedy.monitoring.monitor import Watch

        batch_call_id = batch_call_id_of(self.batch_call_id)
        store: Any = context.get("task_state_store")
        kept = store.get(STATE_KEY) if store is not None and self.reschedule else None
        seen = None
        if isinstance(kept, dict) and kept.get("batch_call_id") == batch_call_id and "seen" in kept:
            seen = Seen.from_json(kept["seen"])
        return Watch(self._settings(batch_call_id), seen, now=time.time())

    def _remember(self, context: Context, watch: Watch) -> None:
        store: Any = context.get("task_state_store")
        if store is not None and self.reschedule:
            store.set(STATE_KEY, {"batch_call_id": watch.settings.batch_call_id, "seen": watch.seen.to_json()})
