"""What operator and sensor share of a wait: its parameters, and what one part of it remembers for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_truedy.compat import task_state
from airflow_truedy.monitoring.outcome import SuccessRules, is_limit
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

STATE_KEY = "truedy_waiting"


def _interval(value: Any) -> float:
    """A duration that is longer than 0 seconds."""
    if not (found := kinds.seconds(value)):
        raise kinds.NotOfKindError("must be more than 0 seconds, or a timedelta")
    return found


def _limit(value: Any) -> Any:
    """A whole number of contacts, or a share of them, or nothing."""
    found = kinds.optional(kinds.number(0))(value)
    if not is_limit(found):
        raise kinds.NotOfKindError("must be a whole number, or a share from 0.0 to 1.0")
    return found


#: When a wait ends well, and what it bears; the same for operator and sensor.
RULES = Parameters(
    Parameter("min_called", _limit),
    Parameter("max_failed", _limit),
    Parameter("on_partial", kinds.one_of("fail", "warn")),
    Parameter("max_paused", kinds.optional(kinds.seconds)),
    Parameter("stall_after", kinds.optional(kinds.seconds)),
)
WAITING = Parameters(
    Parameter("wait_for_completion", kinds.truth),
    Parameter("deferrable", kinds.truth, templated=False),
    Parameter("poll_interval", _interval),
    RULES,
    Parameter("timeout", kinds.optional(kinds.seconds)),
    Parameter("on_timeout", kinds.one_of("fail", "pause")),
    Parameter("on_kill_action", kinds.one_of("pause", "leave")),
)


def limits_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the read :data:`RULES` as fields of :class:`MonitorSettings`."""
    rules = SuccessRules(given["min_called"], given["max_failed"], given["on_partial"])
    return {"rules": rules, "max_paused": given["max_paused"], "stall_after": given["stall_after"]}


def remembered(context: Context, batch_call_id: str) -> dict[str, Any]:
    """Return what an earlier part of the same wait remembered in the task state store, if there is one."""
    state = task_state(context, STATE_KEY)
    kept = (state and state.get()) or {}
    return kept if kept.get("batch_call_id") == batch_call_id else {}


def remember(context: Context, batch_call_id: str, **values: Any) -> None:
    """Remember something of the wait for this batch call, where Airflow has a task state store."""
    if (state := task_state(context, STATE_KEY)) is not None:
        state.set({"batch_call_id": batch_call_id, **values})


def forget(context: Context) -> None:
    """Forget what was remembered: there is a verdict."""
    if (state := task_state(context, STATE_KEY)) is not None:
        state.forget()
