"""What Airflow's own database tells of campaigns: which run made one, and what its tasks returned. Only read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.models.connection import Connection
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import Text, and_, cast, func, select

from airflow_truedy.calling_hours.weekly import days_text
from airflow_truedy.campaigns.identity import CampaignKey, default_key
from airflow_truedy.formats import is_clock_time
from airflow_truedy.links.batch_calls import XCOM_KEY
from airflow_truedy.results.manifest import followed_by

if TYPE_CHECKING:
    from collections.abc import Mapping

_TASK_INSTANCE = (XComModel.dag_id, XComModel.task_id, XComModel.run_id, XComModel.map_index)
_RETURN_VALUE = "return_value"
# Older campaigns than these are shown without their run.
_MOST_ORIGINS = 2_000
_MOST_RETURNED = 1_000
# Ours stay below 8 KB; another task's value of megabytes is not read.
_LONGEST_VALUE = 20_000
_CONNECTIONS_IN_ENVIRONMENT = "AIRFLOW_CONN_"


@dataclass(frozen=True)
class Origin:
    """
    The task instance that made a campaign.

    :param url: the campaign's page in Truedy, as the task made it.
    :param conn_id: the connection that the task uses; ``None`` where its rendered fields are gone.
    :param hours: the calling window in words, such as ``09:00-17:30, Mon-Fri``; empty if it is not known.
    :param follows: the batch call whose unanswered people it calls again; ``None`` for no such campaign.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    url: str
    conn_id: str | None
    hours: str
    follows: str | None = None

    @property
    def path(self) -> str:
        """The task instance's page in Airflow, below the UI's root."""
        run = f"dags/{quote(self.dag_id, safe='')}/runs/{quote(self.run_id, safe='')}"
        mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
        return f"{run}/tasks/{quote(self.task_id, safe='')}{mapped}"


class Origins:
    """
    The task instances that made campaigns, found by the tag in a campaign's name or by its page in Truedy.

    :param origins: newest first.
    """

    def __init__(self, origins: list[Origin]) -> None:
        # A task that steered a campaign has its page too; the oldest, which comes last, made it.
        self._by_url = {origin.url: origin for origin in origins}
        self._by_key = {_key_of(origin): origin for origin in origins}

    def of(self, key: str | None, url: str) -> Origin | None:
        """
        Return who made a campaign.

        :param key: the digits of the campaign key in its name; a task with a ``campaign_key`` has others.
        :param url: its page in Truedy.
        """
        return self._by_key.get(key or "") or (self._by_url.get(url) if key else None)


@dataclass(frozen=True)
class Returned:
    """What a task instance returned."""

    task_id: str
    map_index: int
    value: Any


def read_origins(dag_id: str | None = None, run_id: str | None = None) -> list[Origin]:
    """
    Return the task instances that know a campaign's page, newest first.

    :param dag_id: only those of this Dag; with ``run_id`` only those of one run.
    """
    fields = RenderedTaskInstanceFields
    same = and_(*(column == getattr(fields, column.key) for column in _TASK_INSTANCE))
    query = select(*_TASK_INSTANCE, XComModel.value, fields.rendered_fields).outerjoin(fields, same)
    query = query.where(XComModel.key == XCOM_KEY)
    for column, wanted in ((XComModel.dag_id, dag_id), (XComModel.run_id, run_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    with create_session() as session:
        rows = session.execute(query.order_by(XComModel.timestamp.desc()).limit(_MOST_ORIGINS)).all()
    return [_origin(row, row.rendered_fields or {}) for row in rows]


def read_returned(dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None) -> list[Returned]:
    """
    Return what the tasks of a run returned, oldest first; values that are too long to be ours are left out.

    :param task_id: only this task, and of a mapped one only ``map_index``.
    """
    query = select(XComModel.task_id, XComModel.map_index, XComModel.value).where(
        XComModel.dag_id == dag_id,
        XComModel.run_id == run_id,
        XComModel.key == _RETURN_VALUE,
        func.length(cast(XComModel.value, Text)) < _LONGEST_VALUE,
    )
    if task_id is not None:
        query = query.where(XComModel.task_id == task_id)
    if map_index is not None:
        query = query.where(XComModel.map_index == map_index)
    with create_session() as session:
        rows = session.execute(query.order_by(XComModel.timestamp).limit(_MOST_RETURNED)).all()
    return [Returned(row.task_id, row.map_index, _value_of(row)) for row in rows]


def _value_of(row: Any) -> Any:
    """Return the value of an XCom; ``None`` if it is of a kind that cannot be read here."""
    try:
        return XComModel.deserialize_value(row)
    except Exception:
        return None


def truedy_connections() -> list[str]:
    """
    Return the ids of the connections of type ``truedy`` in Airflow's database and in the environment.

    Those that only a secrets backend knows cannot be listed; a page is asked for one by its id.
    """
    with create_session() as session:
        found = set(session.scalars(select(Connection.conn_id).where(Connection.conn_type == "truedy")))
    for name, value in os.environ.items():
        if name.startswith(_CONNECTIONS_IN_ENVIRONMENT) and _is_truedy(value):
            found.add(name.removeprefix(_CONNECTIONS_IN_ENVIRONMENT).lower())
    return sorted(found)


def _is_truedy(stated: str) -> bool:
    try:
        connection = json.loads(stated)
    except ValueError:
        return stated.startswith("truedy://")
    return isinstance(connection, dict) and connection.get("conn_type") == "truedy"


def _origin(row: Any, rendered: Mapping[str, Any]) -> Origin:
    conn_id, contacts = rendered.get("truedy_conn_id"), rendered.get("contacts")
    return Origin(
        row.dag_id,
        row.task_id,
        row.run_id,
        row.map_index,
        str(_value_of(row)),
        conn_id if isinstance(conn_id, str) else None,
        hours_in_words(rendered),
        followed_by(contacts.get("source")) if isinstance(contacts, dict) else None,
    )


def _key_of(origin: Origin) -> str:
    return CampaignKey(default_key(origin.dag_id, origin.task_id, origin.run_id, origin.map_index)).short


def hours_in_words(rendered: Mapping[str, Any]) -> str:
    """Return the calling window of a task's rendered fields in words; empty if there is none that can be read."""
    opens, closes = (str(rendered.get(name) or "") for name in ("start_time", "end_time"))
    if not (is_clock_time(opens) and is_clock_time(closes)):
        return ""
    days = rendered.get("working_days")
    if isinstance(days, str):
        days = [int(each) for each in days if each in "1234567"]
    if not isinstance(days, list) or not all(isinstance(day, int) and 1 <= day <= 7 for day in days) or not days:
        return f"{opens}-{closes}"
    return f"{opens}-{closes}, {days_text(days)}"
