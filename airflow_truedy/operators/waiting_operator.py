"""What an operator needs to wait for the campaign that it launched, deferred or in the worker."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.assets import record_outlets
from airflow_truedy.hooks.settings import ClientSettings
from airflow_truedy.monitoring.outcome import Kind, Outcome, Reason, WaitInterruptedError
from airflow_truedy.monitoring.settings import DEFAULT_INTERVAL, Seen, WatchSettings
from airflow_truedy.operators.failing import failing_fast
from airflow_truedy.operators.templating import is_template, restored
from airflow_truedy.operators.waiting import (
    KillFlag,
    backstop,
    deadline_of,
    rules_of,
    say,
    seconds,
    wait_in_worker,
    waiting_since,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.hooks.truedy import TruedyHook
    from airflow_truedy.monitoring.monitor import Watch

_CHOICES = {"on_partial": ("fail", "warn"), "on_timeout": ("fail", "pause"), "on_kill_action": ("pause", "leave")}

WAITING_FIELDS = (
    "wait_for_completion",
    "poll_interval",
    "min_called",
    "max_failed",
    "on_partial",
    "max_paused",
    "stall_after",
    "timeout",
    "on_timeout",
    "on_kill_action",
)


class WaitingOperator(BaseOperator):
    """
    An operator that can wait for the end of the campaign that it launched. All times are seconds or timedeltas.

    :param wait_for_completion: wait until the campaign has ended; by default the task ends when it is launched.
    :param deferrable: wait in the triggerer, which takes no worker slot; by default Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: usual time between two looks, by default 60 s. Longer while nothing can happen, shorter near
        the end. Deferred tasks of one connection share their requests.
    :param min_called: least calls of a success: a number, or a share of all contacts (a float from 0.0 to 1.0).
    :param max_failed: most failed calls of a success: a number, or a share of the calls.
    :param on_partial: what a broken rule means: ``fail`` (default), or ``warn`` and succeed.
    :param max_paused: fail when the campaign has been paused for so long; by default a pause is waited out.
    :param stall_after: fail when no counter has moved for so long inside the calling window. A day's cap
        (``max_calls_per_day``) stops the counters too: then it must be longer than the rest of a calling day.
    :param timeout: fail when the campaign has not ended so long after the waiting for it began. One for all tries where
        Airflow has a task state store (3.3), else it counts anew in each. ``execution_timeout`` ends the wait too, per
        try. Neither is retried: a retry would wait for the same campaign.
    :param on_timeout: what becomes of the campaign then: ``fail`` leaves it going, ``pause`` pauses it for good.
    :param on_kill_action: what becomes of the campaign when the task is killed, marked or evicted: ``pause`` (default;
        the next try resumes it) or ``leave``. Only while the task waits; calls already placed run to their end. While
        deferred it needs Airflow 3.3 and a running triggerer that has taken the task over (a second or two after it was
        deferred): before that nobody is told of the kill, and the campaign goes on.
    :param truedy_conn_id: connection of type ``truedy``.
    """

    def __init__(
        self,
        *,
        wait_for_completion: bool | str = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta | str = DEFAULT_INTERVAL,
        min_called: float | str | None = None,
        max_failed: float | str | None = None,
        on_partial: str = "fail",
        max_paused: float | timedelta | str | None = None,
        stall_after: float | timedelta | str | None = None,
        timeout: float | timedelta | str | None = None,
        on_timeout: str = "fail",
        on_kill_action: str = "pause",
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truedy_conn_id = truedy_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.min_called = min_called
        self.max_failed = max_failed
        self.on_partial = on_partial
        self.max_paused = max_paused
        self.stall_after = stall_after
        self.timeout = timeout
        self.on_timeout = on_timeout
        self.on_kill_action = on_kill_action
        self._killed = KillFlag()
        self._summary: dict[str, Any] | None = None
        # For the kill handler, which must not ask Airflow for anything.
        self._to_pause: tuple[ClientSettings, CampaignKey] | None = None
        if not any(is_template(getattr(self, field)) for field in WAITING_FIELDS):
            self._checked_waiting()

    def _checked_waiting(self) -> WatchSettings:
        """
        Read the rendered parameters, before anything is launched.

        :raises InvalidPayloadError: naming the parameter and its rule.
        """
        problems = [
            (field, repr(getattr(self, field)), f"one of {', '.join(words)}")
            for field, words in _CHOICES.items()
            if getattr(self, field) not in words
        ]
        interval = seconds("poll_interval", self.poll_interval)
        if not interval:
            problems.append(("poll_interval", repr(self.poll_interval), "more than 0 seconds"))
        if problems:
            raise InvalidPayloadError("invalid parameter", problems=problems)
        seconds("timeout", self.timeout)
        return WatchSettings(
            batch_call_id="",
            interval=interval or DEFAULT_INTERVAL,
            max_paused=seconds("max_paused", self.max_paused),
            stall_after=seconds("stall_after", self.stall_after),
            rules=rules_of(self.min_called, self.max_failed, self.on_partial),
        )

    @property
    def _waits(self) -> bool:
        return bool(restored(self.wait_for_completion))

    def _prepare_waiting(self, hook: TruedyHook, plan: CampaignPlan) -> WatchSettings:
        """Do whatever could fail, before anything is launched."""
        settings = dataclasses.replace(self._checked_waiting(), window=plan.window, key=plan.key)
        if self._waits and self.on_kill_action == "pause":
            connection = hook.get_connection(hook.truedy_conn_id)
            self._to_pause = (ClientSettings.read(connection, connection.extra_dejson), plan.key)
        return settings

    def _wait_for(
        self, context: Context, hook: TruedyHook, settings: WatchSettings, batch: BatchCall, launched: dict[str, Any]
    ) -> dict[str, Any]:
        """
        Wait for a campaign that was just launched or found again.

        :param launched: the summary of the launch.
        """
        from airflow_truedy.monitoring.monitor import Watch

        if self._killed.is_set:
            # The handler came while the launch was on its way; maybe before there was anything to pause.
            self._pause_killed(batch.id)
            raise WaitInterruptedError(f"The task was killed; it does not wait for batch call {batch.id}.")
        now = time.time()
        since = waiting_since(context, batch.id, now)
        deadline = deadline_of(since, seconds("timeout", self.timeout), self.execution_timeout, now)
        settings = dataclasses.replace(settings, batch_call_id=batch.id, deadline=deadline)
        watch = Watch(settings, Seen(since=since, due=now), now=now)
        look = watch.take(batch, now)
        say(self.log, look)
        outcome = look.outcome
        # A resumed campaign may still show its pause in the first reading; that is looked at once more.
        if outcome is None or outcome.kind is Kind.HELD:
            if self.deferrable:
                self._defer(hook.truedy_conn_id, watch, launched)
            outcome = wait_in_worker(hook.client, watch, self._killed, lambda look: say(self.log, look))
        return self._finish(context, outcome, launched)

    def _defer(self, truedy_conn_id: str, watch: Watch, launched: dict[str, Any]) -> NoReturn:
        from airflow_truedy.triggers.batch_calls import BatchCallTrigger

        settings = watch.settings
        trigger = BatchCallTrigger(
            truedy_conn_id=truedy_conn_id,
            watch=settings.to_json(),
            seen=watch.seen.to_json(),
            on_kill_action=self.on_kill_action,
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"launched": launched},
            timeout=backstop(settings.deadline, time.time()),
        )

    def execute_complete(
        self, context: Context, event: Any = None, launched: dict[str, Any] | None = None, **_newer: Any
    ) -> dict[str, Any]:
        """Go on after the trigger has seen the campaign's end."""
        with failing_fast():
            return self._finish(context, Outcome.from_event(event), launched or {})

    def _finish(self, context: Context, outcome: Outcome, launched: dict[str, Any]) -> dict[str, Any]:
        if outcome.kind is Kind.HELD:
            self.log.warning("%s", outcome.message)
            return self._launch_again(context)
        if outcome.kind is Kind.FAILURE:
            if outcome.reason in (Reason.TIMEOUT, Reason.STALLED):
                outcome = dataclasses.replace(outcome, message=f"{outcome.message} {self._what_of_it(outcome)}")
            raise outcome.error(may_launch_anew=getattr(self, "on_retry", "attach") == "new")
        (self.log.warning if outcome.kind is Kind.WARNING else self.log.info)("%s", outcome.message)
        return self._conclude(context, {**launched, **outcome.summary()})

    def _conclude(self, context: Context, summary: dict[str, Any]) -> dict[str, Any]:
        """Tell the task's assets, and lineage, what came of it."""
        record_outlets(context, self.outlets, summary)
        self._summary = summary
        return summary

    def _launch_again(self, context: Context) -> dict[str, Any]:
        """Resolve the campaign again, which resumes what our own kill handler paused, and wait on."""
        raise NotImplementedError

    def _what_of_it(self, outcome: Outcome) -> str:
        """Pause a campaign that takes too long, if that is wished, and say what becomes of it."""
        if outcome.reason is not Reason.TIMEOUT or self.on_timeout != "pause":
            return "It was left as it is and may call on: pause it in Truedy if that is wrong."
        from airflow_truedy.campaigns.stopping import pause_for_good
        from airflow_truedy.hooks.truedy import TruedyHook

        try:
            with TruedyHook(self.truedy_conn_id) as hook:
                return pause_for_good(hook.client, outcome.batch_call_id)
        except Exception as problem:
            return f"It could NOT be paused: {problem} Pause it in Truedy."

    def _stop_waiting(self, batch_call_id: str | None) -> None:
        """End the wait from a kill handler: a flag, and one short pause by a client of its own."""
        self._killed.is_set = True
        if batch_call_id is not None:
            self._pause_killed(batch_call_id)

    def _pause_killed(self, batch_call_id: str) -> None:
        if self._to_pause is None:
            self.log.info("Batch call %s was left as it is and may go on.", batch_call_id)
            return
        from airflow_truedy.campaigns.stopping import pause_for_kill
        from airflow_truedy.triggers.killing import short_lived_client

        settings, key = self._to_pause
        try:
            with short_lived_client(settings) as client:
                self.log.warning("%s", pause_for_kill(client, key, batch_call_id))
        except Exception as problem:
            self.log.error("Batch call %s could NOT be paused: %s Pause it in Truedy.", batch_call_id, problem)
