from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_truedy.lineage import NAMESPACE, campaign_lineage, contacts_lineage, results_lineage
from tests import services

MANIFEST = {"uri": "s3://aws_default@bucket/lists/people.jsonl.gz", "contacts": 7}
RESULTS = {"batch_call_id": "batch_1", "contacts": 7, "uri": "file:///data/results.csv"}


@pytest.fixture
def installed() -> None:
    pytest.importorskip("airflow.providers.openlineage")


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(each.namespace, each.name) for each in datasets]


@pytest.mark.usefixtures("installed")
def test_the_chain_from_file_to_results_hangs_together() -> None:
    contacts = contacts_lineage(MANIFEST, source_uri="gs://lake/crm.csv")
    campaign = campaign_lineage("batch_1", MANIFEST, 7)
    results = results_lineage(RESULTS)
    assert contacts is not None
    assert campaign is not None
    assert results is not None
    assert names(contacts.inputs) == [("gs://lake", "crm.csv")]
    assert names(contacts.outputs) == names(campaign.inputs) == [("s3://bucket", "lists/people.jsonl.gz")]
    assert names(campaign.outputs) == names(results.inputs) == [(NAMESPACE, "batch-calls/batch_1")]
    assert names(results.outputs) == [("file", "/data/results.csv")]
    assert results.outputs[0].outputFacets["outputStatistics"].rowCount == 7


@pytest.mark.usefixtures("installed")
def test_people_given_inline_are_no_dataset() -> None:
    for contacts in (None, [{"phone_number": "+12125550100"}], '[{"phone_number": "+12125550100"}]'):
        lineage = campaign_lineage("batch_1", contacts)
        assert lineage is not None
        assert lineage.inputs == []


@pytest.mark.usefixtures("installed")
def test_a_statement_leads_back_to_its_tables(
    postgres_database: services.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    monkeypatch.setenv("AIRFLOW_CONN_CRM", postgres_database.airflow_uri)
    sql = "SELECT phone FROM customers JOIN plans USING (id)"
    lineage = contacts_lineage([MANIFEST, MANIFEST], sql=(PostgresHook("crm"), sql))
    assert lineage is not None
    server = postgres_database.server.rpartition("@")[2]
    assert sorted(names(lineage.inputs)) == [
        (f"postgres://{server}", f"{postgres_database.name}.public.customers"),
        (f"postgres://{server}", f"{postgres_database.name}.public.plans"),
    ]
    assert len(lineage.outputs) == 2


@pytest.mark.usefixtures("installed")
def test_a_database_that_tells_nothing_is_no_error() -> None:
    hook = SimpleNamespace(
        get_connection=lambda _: None, get_conn_id=lambda: "x", get_openlineage_database_info=lambda _: None
    )
    lineage = contacts_lineage(MANIFEST, sql=(hook, "SELECT 1"))
    assert lineage is not None
    assert lineage.inputs == []


def test_without_the_provider_there_is_no_lineage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert contacts_lineage(MANIFEST) is campaign_lineage("batch_1") is results_lineage(RESULTS) is None
