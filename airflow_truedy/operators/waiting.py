"""What operators and sensors share in waiting for a batch call: durations, deadlines, the loop in a worker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import InvalidPayloadError, TruedyError
from airflow_truedy.monitoring.outcome import Outcome, SuccessRules, WaitInterruptedError
from airflow_truedy.operators.templating import restored

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context
    from airflow.sdk.types import Logger

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.monitoring.monitor import Look, Watch

STATE_KEY = "truedy_waiting"
# Airflow's own timeouts come after ours, which end cleanly and can pause the campaign.
BACKSTOP = timedelta(minutes=15)
_MOST_MARGIN = 10.0
_MARGIN = 0.05
_NAP = 1.0


def seconds(field: str, value: Any) -> float | None:
    """
    Read a rendered duration.

    :param value: a number of seconds, a timedelta, either as text, or nothing.
    :raises InvalidPayloadError: if it is none of these, or negative.
    """
    given = restored(value)
    if given is None:
        return None
    if isinstance(given, timedelta):
        given = given.total_seconds()
    if isinstance(given, bool) or not isinstance(given, (int, float)) or given < 0:
        raise InvalidPayloadError(
            "invalid parameter", problems=[(field, repr(value), "seconds (0 or more) or a timedelta")]
        )
    return float(given)


def rules_of(min_called: Any, max_failed: Any, on_partial: Any) -> SuccessRules:
    """Read the rendered success rules."""
    return SuccessRules(restored(min_called), restored(max_failed), on_partial)


def deadline_of(since: float, timeout: float | None, execution_timeout: timedelta | None, now: float) -> float | None:
    """
    Return the instant at which the waiting ends, ``None`` for never.

    Airflow does not enforce ``execution_timeout`` while a task is deferred; here it counts from this try on, and ends
    a little before Airflow would end it.

    :param since: when the waiting for this campaign began, in whichever try.
    :param timeout: seconds from then on.
    """
    ends = [] if timeout is None else [since + timeout]
    if execution_timeout is not None:
        most = execution_timeout.total_seconds()
        ends.append(now + most - min(_MOST_MARGIN, most * _MARGIN))
    return min(ends, default=None)


def backstop(deadline: float | None, now: float) -> timedelta | None:
    """Return Airflow's own limit for a deferred task: later than ours, for a trigger that never comes back."""
    return None if deadline is None else timedelta(seconds=max(0.0, deadline - now)) + BACKSTOP


def waiting_since(context: Context, batch_call_id: str, now: float) -> float:
    """
    Return when the waiting for this campaign began.

    Kept in Airflow's task state store (3.3), so that ``timeout`` is one for all tries; without a store it counts anew
    in each try.
    """
    store: Any = context.get("task_state_store")
    if store is None:
        return now
    kept = store.get(STATE_KEY)
    if isinstance(kept, dict) and kept.get("batch_call_id") == batch_call_id and "since" in kept:
        return float(kept["since"])
    store.set(STATE_KEY, {"batch_call_id": batch_call_id, "since": now})
    return now


@dataclass
class KillFlag:
    """Set by a signal handler, looked at by the waiting loop; nothing that could block."""

    is_set: bool = False


def wait_in_worker(client: TruedyClient, watch: Watch, killed: KillFlag, tell: Callable[[Look], None]) -> Outcome:
    """
    Read the batch call until it has ended.

    :param tell: takes each look, for the task's log.
    :raises WaitInterruptedError: if the task was killed.
    """
    from airflow_truedy.api import endpoints

    while True:
        _sleep_until(watch.due, killed)
        try:
            batch = client.send(endpoints.get_batch_call(watch.settings.batch_call_id))
        except TruedyError as problem:
            look = watch.trouble(problem, time.time())
        else:
            look = watch.take(batch, time.time())
        tell(look)
        if look.outcome is not None:
            return look.outcome


def _sleep_until(due: float, killed: KillFlag) -> None:
    # In short naps: a signal handler cannot end a sleep, and an event's lock could be the one that it interrupted.
    while not killed.is_set and (left := due - time.time()) > 0:
        time.sleep(min(left, _NAP))
    if killed.is_set:
        raise WaitInterruptedError("The task was killed; it does not wait for its batch call any longer.")


def say(log: Logger, look: Look) -> None:
    """Write what a look brought into the task's log."""
    for note in look.notes:
        log.log(note.level, "%s", note.text)
