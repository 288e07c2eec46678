"""Wait for the campaign that an operator launched, deferred or in the worker."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_truedy.assets import record_outlets
from airflow_truedy.compat import triggers_hear_of_kills
from airflow_truedy.hooks.settings import ClientSettings
from airflow_truedy.monitoring.monitor import DEFAULT_INTERVAL, CampaignMonitor, MonitorSettings, MonitorState
from airflow_truedy.monitoring.outcome import (
    Outcome,
    OutcomeReason,
    Verdict,
    WaitInterruptedError,
)
from airflow_truedy.monitoring.waiting import backstop, deadline_of, log_notes, poll_once
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.waiting import forget, limits_of, remember, remembered
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey
    from airflow_truedy.campaigns.plan import CampaignPlan, OnRetry
    from airflow_truedy.hooks.truedy import TruedyHook


_NAP = 1.0


class WaitingOperator(BaseOperator):
    """
    An operator that can wait for the end of the campaign that it launched. All times are seconds or timedeltas.

    :param wait_for_completion: wait until the campaign has ended; by default the task ends when it is launched.
    :param deferrable: wait in the triggerer, which takes no worker slot; by default Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: usual time between two polls, by default 60 s. Longer while nothing can happen, shorter near
        the end. Deferred tasks of one connection share their requests.
    :param min_called: least calls of a success: a number, or a share of all contacts (a float from 0.0 to 1.0).
    :param max_failed: most failed calls of a success: a number, or a share of the calls.
    :param on_partial: what a broken rule means: ``fail`` (default), or ``warn`` and succeed.
    :param max_paused: fail when the campaign has been paused for so long; by default a pause is waited out.
    :param stall_after: fail when no counter has moved for so long inside the calling window. A day's cap
        (``max_calls_per_day``) stops the counters too: then it must be longer than the rest of a calling day.
    :param timeout: fail when the campaign has not ended so long after the waiting for it began. One for all tries where
        Airflow has a task state store (3.3), else it counts anew in each. ``execution_timeout`` ends the wait too, per
        try. Neither is retried: a retry would wait for the same campaign. A task that is cleared after that waits anew.
    :param on_timeout: what becomes of the campaign then: ``fail`` leaves it going, ``pause`` pauses it for good.
    :param on_kill_action: what becomes of the campaign when the task is killed, marked or evicted: ``pause`` (default;
        the next try resumes it) or ``leave``. Only while the task waits; calls already placed run to their end. While
        deferred it needs Airflow 3.3 and a running triggerer that has taken the task over (a second or two after it was
        deferred): before that nobody is told of the kill, and the campaign goes on.
    """

    # Of the campaign.
    truedy_conn_id: str
    on_retry: OnRetry

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
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
        self._waits = False
        self._summary: dict[str, Any] | None = None
        # For the kill handler, which must not ask Airflow for anything, nor take a lock.
        self._is_killed = False
        self._to_pause: tuple[ClientSettings, CampaignKey] | None = None

    def _prepare_waiting(self, hook: TruedyHook, plan: CampaignPlan, given: Mapping[str, Any]) -> MonitorSettings:
        """Do whatever could fail, before anything is launched."""
        self._waits = given["wait_for_completion"]
        if self._waits and given["on_kill_action"] == "pause":
            connection = hook.get_connection(hook.truedy_conn_id)
            self._to_pause = (ClientSettings.read(connection, connection.extra_dejson), plan.key)
        interval, settle = given["poll_interval"], hook.settings.settle
        return MonitorSettings("", interval, window=plan.window, key=plan.key, settle=settle, **limits_of(given))

    def _wait_for(
        self, context: Context, hook: TruedyHook, settings: MonitorSettings, batch: BatchCall, launched: dict[str, Any]
    ) -> Outcome:
        """
        Wait in the worker, or defer, for a campaign that was just launched or found again.

        :param launched: the summary of the launch.
        """
        if self._is_killed:
            # The handler came while the launch was on its way; maybe before there was anything to pause.
            self._pause_killed(batch.id)
            raise WaitInterruptedError(f"The task was killed; it does not wait for batch call {batch.id}.")
        now = time.time()
        since = _waiting_since(context, batch.id, now)
        deadline = deadline_of(since, kinds.optional(kinds.seconds)(self.timeout), self.execution_timeout, now)
        settings = dataclasses.replace(settings, batch_call_id=batch.id, deadline=deadline)
        monitor = CampaignMonitor(settings, MonitorState(since=since, due=now), now=now)
        poll = monitor.take(batch, now)
        log_notes(self.log, poll)
        # A resumed campaign may still show its pause in the first reading, so that is read once more.
        if poll.outcome is not None and poll.outcome.verdict is not Verdict.RESUME:
            return poll.outcome
        if kinds.truth(self.deferrable):
            self._defer(monitor, launched)
        return self._wait_in_worker(hook.client, monitor)

    def _wait_in_worker(self, client: TruedyClient, monitor: CampaignMonitor) -> Outcome:
        """
        Read the batch call until it has ended.

        :raises WaitInterruptedError: if the task was killed.
        """
        while True:
            # In short naps: a signal handler cannot end a sleep, and an event's lock could be the one it interrupted.
            while not self._is_killed and (left := monitor.due - time.time()) > 0:
                time.sleep(min(left, _NAP))
            if self._is_killed:
                raise WaitInterruptedError("The task was killed; it does not wait for its batch call any longer.")
            poll = poll_once(client, monitor, self.log)
            if poll.outcome is not None:
                return poll.outcome

    def _defer(self, monitor: CampaignMonitor, launched: dict[str, Any]) -> NoReturn:
        from airflow_truedy.triggers.batch_calls import BatchCallTrigger

        if self.on_kill_action == "pause" and not triggers_hear_of_kills():
            self.log.warning(
                "This Airflow tells no trigger that its task was killed (3.3 does): when this task is marked failed "
                "or cleared while it is deferred, the campaign goes on calling. Pause batch call %s in Truedy then, or "
                "set deferrable=False.",
                monitor.settings.batch_call_id,
            )
        self.defer(
            trigger=BatchCallTrigger.of(monitor, self.truedy_conn_id, on_kill_action=self.on_kill_action),
            method_name="execute_complete",
            kwargs={"launched": launched},
            timeout=backstop(monitor.settings.deadline, time.time()),
        )

    def execute_complete(
        self, context: Context, event: Any = None, launched: dict[str, Any] | None = None, **_newer: Any
    ) -> dict[str, Any]:
        """Go on after the trigger has seen the campaign's end."""
        launched = launched or {}
        with failing_fast():
            return self._finish(context, Outcome.from_event(event, launched.get("batch_call_id")), launched)

    def _finish(self, context: Context, outcome: Outcome | None, launched: dict[str, Any]) -> dict[str, Any]:
        """
        Tell how it ended.

        :param outcome: ``None`` where there was nothing to wait for.
        """
        while outcome is not None and outcome.verdict is Verdict.RESUME:
            self.log.warning("%s", outcome.message)
            outcome, launched = self._launch_again(context)
        summary = launched
        if outcome is not None:
            if not outcome.retryable:
                # A task that is cleared after this waits anew; its timeout does not begin in the past.
                forget(context)
            if outcome.verdict is Verdict.FAILURE:
                self._fail(outcome)
            (self.log.warning if outcome.verdict is Verdict.WARNING else self.log.info)("%s", outcome.message)
            summary = {**launched, **outcome.summary()}
        record_outlets(context, self.outlets, summary)
        self._summary = summary
        return summary

    def _fail(self, outcome: Outcome) -> NoReturn:
        if outcome.reason in (OutcomeReason.TIMEOUT, OutcomeReason.STALLED):
            outcome = dataclasses.replace(outcome, message=f"{outcome.message} {self._what_of_it(outcome)}")
        raise outcome.error(may_launch_anew=self.on_retry == "new")

    def _launch_again(self, context: Context) -> tuple[Outcome | None, dict[str, Any]]:
        """Reconcile the campaign again, which resumes what our own kill handler paused, and wait on."""
        raise NotImplementedError

    def _what_of_it(self, outcome: Outcome) -> str:
        """Pause a campaign that takes too long, if that is wished, and return what becomes of it."""
        if outcome.reason is not OutcomeReason.TIMEOUT or self.on_timeout != "pause":
            return "It was left as it is and may call on: pause it in Truedy if that is wrong."
        from airflow_truedy.campaigns.pausing import pause_for_good
        from airflow_truedy.hooks.truedy import TruedyHook

        try:
            with TruedyHook(self.truedy_conn_id) as hook:
                return pause_for_good(hook.client, outcome.batch_call_id)
        except Exception as problem:
            return f"It could NOT be paused: {problem} Pause it in Truedy."

    def _stop_waiting(self, batch_call_id: str | None) -> None:
        """End the wait from a kill handler: a flag, and one short pause by a client of its own."""
        self._is_killed = True
        if batch_call_id is not None:
            self._pause_killed(batch_call_id)

    def _pause_killed(self, batch_call_id: str) -> None:
        if self._to_pause is None:
            self.log.info("Batch call %s was left as it is and may go on.", batch_call_id)
            return
        from airflow_truedy.campaigns.pausing import pause_for_kill
        from airflow_truedy.hooks.short_lived import short_lived_client

        settings, key = self._to_pause
        try:
            with short_lived_client(settings) as client:
                self.log.warning("%s", pause_for_kill(client, key, batch_call_id))
        except Exception as problem:
            self.log.error("Batch call %s could NOT be paused: %s Pause it in Truedy.", batch_call_id, problem)


def _waiting_since(context: Context, batch_call_id: str, now: float) -> float:
    """
    Return when the waiting for this campaign began.

    Kept in Airflow's task state store (3.3) until there is a verdict, so that ``timeout`` is one for all tries; without
    a store it counts anew in each try.
    """
    kept = remembered(context, batch_call_id)
    if "since" in kept:
        return float(kept["since"])
    remember(context, batch_call_id, since=now)
    return now
