"""The chain file -> contacts -> batch call, as lineage and assets see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.bases.operator import ExecutorSafeguard
from truedy_sandbox.process import SandboxProcess

from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import FileToContactsOperator, SqlToContactsOperator
from tests.support.contexts import context_of

ASSET = Asset("truedy://sales/renewals")


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    pytest.importorskip("airflow.providers.openlineage")
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    with SandboxProcess(rate_limit=0) as process:
        monkeypatch.setenv("AIRFLOW_CONN_TRUEDY_DEFAULT", process.connection())
        yield process


def names(datasets: list[Any]) -> list[str]:
    return [f"{dataset.namespace} {dataset.name}" for dataset in datasets]


def launch(contacts: Any) -> CreateBatchCallOperator:
    return CreateBatchCallOperator(
        task_id="launch",
        name="Renewals",
        agent_id="agt_f9447372",
        contacts=contacts,
        schedule_type="immediate",
        timezone="UTC",
        start_time="00:00",
        end_time="23:59",
        outlets=[ASSET],
    )


def test_a_file_becomes_contacts_and_contacts_a_batch_call(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("phone,first_name\n(212) 555-0100,Ann\n212 555 0101,Bob\n")
    extract = FileToContactsOperator(
        task_id="extract",
        path=str(tmp_path / "people.csv"),
        output_path=str(tmp_path / "contacts.jsonl.gz"),
        region="US",
        columns={"phone_number": "phone", "first_name": "first_name"},
    )
    manifest = extract.execute(context_of(extract))
    told = extract.get_openlineage_facets_on_complete(None)
    assert names(told.inputs) == [f"file {tmp_path}/people.csv"]
    assert names(told.outputs) == [f"file {tmp_path}/contacts.jsonl.gz"]

    create = launch(manifest)
    context = context_of(create)
    summary = create.execute(context)
    told = create.get_openlineage_facets_on_complete(None)
    assert names(told.inputs) == [f"file {tmp_path}/contacts.jsonl.gz"]
    assert names(told.outputs)[0].endswith(f"batch-calls/{summary['batch_call_id']}")
    assert context["outlet_events"][ASSET].extra["batch_call_id"] == summary["batch_call_id"]
    assert "2125550" not in json.dumps(context["outlet_events"][ASSET].extra)


def test_inline_people_are_no_dataset() -> None:
    create = launch([{"phone_number": "+12125550100", "first_name": "Ann"}])
    create.execute(context_of(create))
    assert create.get_openlineage_facets_on_complete(None).inputs == []


def test_a_query_becomes_contacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    database = tmp_path / "people.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE people (phone TEXT)")
        connection.execute("INSERT INTO people VALUES ('+12125550100')")
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE", json.dumps({"conn_type": "sqlite", "host": str(database)}))
    extract = SqlToContactsOperator(
        task_id="extract",
        sql="SELECT phone FROM people",
        conn_id="people",
        output_path=str(tmp_path / "contacts.jsonl.gz"),
        region=None,
        columns={"phone_number": "phone"},
    )
    extract.execute(context_of(extract))
    told = extract.get_openlineage_facets_on_complete(None)
    assert names(told.outputs) == [f"file {tmp_path}/contacts.jsonl.gz"]
