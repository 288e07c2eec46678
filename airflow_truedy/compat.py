"""
Every name of Airflow that is private or that only some versions have, with the reason why it is needed.

A leaf: it imports nothing else of this package. ``tests/test_compat.py`` holds what is expected of each name, so that a
new Airflow that changes one is named by a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# A value among template fields that renders itself: XCom arguments are such values. It has no public name.
from airflow.sdk.definitions._internal.mixins import ResolveMixin

# The way to mark a literal as "not a template"; public only from 3.1 on (airflow.sdk.literal). It shows its value.
# Renders nested values as text, whatever render_template_as_native_obj says: a native E.164 number is an integer.
from airflow.sdk.definitions._internal.templater import LiteralValue, Templater

# What .partial() returns. It is the only place where the arguments of .expand() can be seen before they are stored.
from airflow.sdk.definitions.mappedoperator import OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # Before 3.3, which asks no policy: among default_args it is passed over.
        RetryDecision, RetryPolicy = None, object

__all__ = [
    "LiteralValue",
    "OperatorPartial",
    "ResolveMixin",
    "RetryDecision",
    "RetryPolicy",
    "TaskState",
    "Templater",
    "XComArg",
    "count_as_expanded",
    "is_from_mapped",
    "task_state",
    "triggers_hear_of_kills",
]


def is_from_mapped(operator: Any) -> bool:
    """
    Return whether an operator was made from a mapped one, for one of its task instances.

    Its parameters then hold what another task returned, which is data and must never be rendered as a template.
    Airflow keeps the identity of such values; a wrapper around one has another identity, so it has to ask.
    """
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def count_as_expanded(partial: OperatorPartial) -> None:
    """Let Airflow not warn that a partial was never mapped, where another took its place."""
    partial._expand_called = True


class TaskState:
    """
    One JSON object that Airflow's task state store (3.3) keeps for a task instance, over all its tries.

    :param accessor: the store, as it is in the context.
    :param key: under which the object is kept; shown in Airflow's UI.
    """

    def __init__(self, accessor: Any, key: str) -> None:
        self._accessor = accessor
        self._key = key

    def get(self) -> dict[str, Any] | None:
        """Return what an earlier attempt of this task instance kept."""
        value = self._accessor.get(self._key)
        return value if isinstance(value, dict) else None

    def set(self, value: dict[str, Any]) -> None:
        """Keep ``value``. Raises in a worker that Airflow has given up, which is what stops a zombie."""
        self._accessor.set(self._key, value)

    def forget(self) -> None:
        """Forget what was kept, if anything was."""
        if self._accessor.get(self._key) is not None:
            self._accessor.delete(self._key)


def task_state(context: Context, key: str) -> TaskState | None:
    """Return what a task instance keeps under ``key``; ``None`` before Airflow 3.3, which has no store for it."""
    accessor = context.get("task_state_store")
    return None if accessor is None else TaskState(accessor, key)


def triggers_hear_of_kills() -> bool:
    """Return whether a trigger is told that its task was killed or marked: from Airflow 3.3 on."""
    from airflow.triggers.base import BaseTrigger

    return hasattr(BaseTrigger, "on_kill")
