"""
Every name of Airflow that is private or that only some versions have, with the reason why it is needed.

A leaf: it imports nothing else of this package. ``tests/test_compat.py`` holds what is expected of each name, so that a
new Airflow that changes one is named by a test.
"""

from __future__ import annotations

import inspect
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
    "is_mapped_by",
    "may_read_connection",
    "may_read_dag",
    "signed_in_user",
    "stored_connection",
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


def is_mapped_by(parameter: str, context: Context) -> bool:
    """Return whether each instance of a mapped task has a value of its own for this parameter."""
    mapped = getattr(context.get("dag"), "task_dict", {}).get(context["ti"].task_id)
    values = getattr(getattr(mapped, "expand_input", None), "value", None)
    if isinstance(values, (list, tuple)):  # expand_kwargs
        return any(parameter in each for each in values)
    # What expand_kwargs takes from another task is not known; each mapping there should name its own file.
    return parameter in values if isinstance(values, dict) else values is not None


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


async def signed_in_user(request: Any) -> Any:
    """
    Return the user who sent a request to the API server, by its bearer token or the UI's cookie.

    :param request: a Starlette request.
    :raises HTTPException: 401 or 403, if nobody is signed in.
    """
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import HTTPException
    from fastapi.security import HTTPBearer

    bearer = await HTTPBearer(auto_error=False)(request)
    parameters = inspect.signature(get_user).parameters
    if "request" in parameters:
        # By position: the second one's name differs by version.
        return await get_user(request, None, bearer)
    # Before 3.1.1 the UI keeps its token out of the browser's cookies.
    token = bearer.credentials if bearer else request.cookies.get(COOKIE_NAME_JWT_TOKEN)
    if not token:
        raise HTTPException(401, "Not authenticated. In a browser this page needs Airflow 3.1.1 or later.")
    ask: Any = get_user
    return await (ask(token) if len(parameters) == 1 else ask(token, None))


def may_read_connection(user: Any, conn_id: str) -> bool:
    """Return whether a user of the API server may read a connection. Asks the database for its team."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
    from airflow.models.connection import Connection

    details = ConnectionDetails(conn_id, **_team(Connection, conn_id))
    return bool(get_auth_manager().is_authorized_connection(method="GET", details=details, user=user))


def may_read_dag(user: Any, dag_id: str) -> bool:
    """Return whether a user of the API server may read a Dag's runs and XComs. Asks the database for its team."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
    from airflow.models.dag import DagModel

    details = DagDetails(dag_id, **_team(DagModel, dag_id))
    entities = (DagAccessEntity.RUN, DagAccessEntity.XCOM)
    return all(
        get_auth_manager().is_authorized_dag(method="GET", access_entity=entity, details=details, user=user)
        for entity in entities
    )


def stored_connection(conn_id: str) -> Any:
    """
    Return a connection inside the API server, where hooks find none before Airflow 3.1.1.

    :raises AirflowNotFoundException: if there is none.
    """
    from airflow.models.connection import Connection

    read: Any = Connection.get_connection_from_secrets
    if "team_name" in inspect.signature(read).parameters:  # From 3.2 on.
        return read(conn_id, **_team(Connection, conn_id))
    return read(conn_id)


def _team(model: Any, key: str) -> dict[str, str]:
    """Return the team of a connection or Dag as a keyword; nothing where there are no teams (before 3.1, or set so)."""
    from airflow.configuration import conf

    if not hasattr(model, "get_team_name") or not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    team = model.get_team_name(key)
    return {"team_name": team} if team else {}
