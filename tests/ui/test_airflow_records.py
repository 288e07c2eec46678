"""What is read of Airflow's database, from its own tables in a database of the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.models import import_all_models
from airflow.models.connection import Connection
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from sqlalchemy.orm import Session

from airflow_truedy.campaigns.identity import CampaignKey, default_key
from airflow_truedy.ui import airflow_records
from airflow_truedy.ui.airflow_records import Origins

BEGIN = datetime(2026, 6, 1, tzinfo=timezone.utc)
URL = "truedy_campaign_url"


class Database:
    """Airflow's tables, and rows in them."""

    def __init__(self) -> None:
        import_all_models()  # What the tables refer to.
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        for model in (XComModel, RenderedTaskInstanceFields, Connection):
            model.__table__.create(self.engine)
        self._rows = 0

    def add(self, model: Any, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.insert(model.__table__).values(**values))

    def xcom(
        self, key: str, value: Any, task: str = "create", run: str = "r1", dag: str = "d", index: int = -1
    ) -> None:
        """Add a value, later than all before."""
        self._rows += 1
        place = {"dag_id": dag, "run_id": run, "task_id": task, "map_index": index}
        at = BEGIN + timedelta(seconds=self._rows)
        self.add(XComModel, dag_run_id=self._rows, key=key, value=json.dumps(value), timestamp=at, **place)

    def rendered(self, fields: dict[str, Any], task: str = "create", run: str = "r1", dag: str = "d") -> None:
        place = {"dag_id": dag, "run_id": run, "task_id": task, "map_index": -1}
        self.add(RenderedTaskInstanceFields, rendered_fields=fields, **place)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()

    @contextmanager
    def create_session() -> Iterator[Session]:
        with Session(made.engine) as session:
            yield session

    monkeypatch.setattr(airflow_records, "create_session", create_session)
    return made


def test_origins_come_with_the_connection_and_hours_of_their_task(database: Database) -> None:
    database.xcom(URL, "u1")
    database.xcom(URL, "u2", task="other", run="r2")
    database.xcom("return_value", "u3", task="third")
    database.rendered(
        {"truedy_conn_id": "mine", "start_time": "09:00", "end_time": "17:00", "working_days": [1, 2], "name": "x"}
    )
    newest, oldest = airflow_records.read_origins()
    assert (newest.task_id, newest.url, newest.conn_id, newest.hours) == ("other", "u2", None, "")
    assert (oldest.task_id, oldest.url, oldest.conn_id, oldest.hours) == (
        "create",
        "u1",
        "mine",
        "09:00-17:00, Mon-Tue",
    )
    assert [one.url for one in airflow_records.read_origins("d", "r2")] == ["u2"]
    assert airflow_records.read_origins("e") == []


@pytest.mark.parametrize(
    ("contacts", "follows"),
    [
        ({"kind": "truedy.contacts", "source": "unanswered of batch_1"}, "batch_1"),
        ({"kind": "truedy.contacts", "source": "SELECT 1"}, None),
        ({"source": 3}, None),
        ("unanswered of batch_1", None),
        (None, None),
    ],
)
def test_an_origin_tells_which_campaign_it_follows(database: Database, contacts: Any, follows: str | None) -> None:
    database.xcom(URL, "u1")
    database.rendered({"contacts": contacts})
    (origin,) = airflow_records.read_origins()
    assert origin.follows == follows


def test_a_campaign_is_found_by_the_digits_of_its_key_alone(database: Database) -> None:
    database.xcom(URL, "u1", index=3)
    origins = Origins(airflow_records.read_origins())
    found = origins.of(CampaignKey(default_key("d", "create", "r1", 3)).short, "elsewhere")
    assert found is not None
    assert found.path == "dags/d/runs/r1/tasks/create/mapped/3"
    assert origins.of(CampaignKey(default_key("d", "create", "r1", 2)).short, "elsewhere") is None
    # A campaign without a tag was made by nobody here, whatever its address.
    assert origins.of(None, "u1") is None


def test_what_the_tasks_of_a_run_returned(database: Database) -> None:
    database.xcom("return_value", {"a": 1}, task="one")
    database.xcom("return_value", [1], task="two", index=0)
    database.xcom("return_value", [2], task="two", index=1)
    database.xcom("return_value", "x" * 50_000, task="large")
    database.xcom("other", {"b": 1}, task="one")
    database.xcom("return_value", {"c": 1}, task="one", run="r2")
    read = airflow_records.read_returned
    assert [each.value for each in read("d", "r1")] == [{"a": 1}, [1], [2]]
    assert [each.value for each in read("d", "r1", "two")] == [[1], [2]]
    assert [each.value for each in read("d", "r1", "two", 1)] == [[2]]
    assert read("d", "r1", "one", 1) == read("e", "r1") == []


def test_connections_in_the_database_and_in_the_environment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for conn_id, conn_type in (("stored", "truedy"), ("web", "http")):
        database.add(Connection, conn_id=conn_id, conn_type=conn_type, is_encrypted=False, is_extra_encrypted=False)
    monkeypatch.setenv("AIRFLOW_CONN_AS_JSON", '{"conn_type": "truedy", "password": "k"}')
    monkeypatch.setenv("AIRFLOW_CONN_AS_URI", "truedy://:k@host")
    for name, value in (("A", "http://x"), ("B", "[1]"), ("C", '{"conn_type": "http"}'), ("D", "truedy")):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", value)
    assert airflow_records.truedy_connections() == ["as_json", "as_uri", "stored"]
