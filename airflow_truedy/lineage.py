"""
OpenLineage: rows -> contacts file -> batch call -> results.

Each function returns what ``get_openlineage_facets_on_complete`` must, or ``None`` where the OpenLineage provider is
not installed. Nothing of it is imported before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)

#: Namespace of the datasets that live at Truedy.
NAMESPACE = "truedy://api.truedy.ai"


def contacts_lineage(
    manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, source_uri: str | None = None, sql: Any = None
) -> OperatorLineage[Any, Any] | None:
    """
    Rows to contacts files.

    :param manifests: what the task returned: one contacts manifest, or several of a split.
    :param source_uri: the file that the rows came from.
    :param sql: the hook and the statement that the rows came from, as a pair.
    """
    lineage = _lineage()
    if lineage is None:
        return None
    several = [manifests] if isinstance(manifests, Mapping) else manifests
    lineage.outputs += [_file(manifest["uri"], rows=manifest.get("contacts")) for manifest in several]
    if source_uri:
        lineage.inputs.append(_file(source_uri))
    if sql is not None:
        lineage.inputs += _of_sql(*sql).inputs
    return lineage


def campaign_lineage(
    batch_call_id: str, contacts: Any = None, total: int | None = None
) -> OperatorLineage[Any, Any] | None:
    """
    Contacts to a batch call.

    :param contacts: what the operator was given: a contacts manifest or a file's path; anything else is not a dataset.
    :param total: contacts in the batch call.
    """
    lineage = _lineage()
    if lineage is None:
        return None
    uri = contacts.get("uri") if isinstance(contacts, Mapping) else contacts
    if isinstance(uri, str) and uri.strip()[:1] not in ("", "[", "{"):
        lineage.inputs.append(_file(uri))
    lineage.outputs.append(_batch_call(batch_call_id, total))
    return lineage


def results_lineage(manifest: Mapping[str, Any], hook: Any = None) -> OperatorLineage[Any, Any] | None:
    """
    A batch call to its results.

    :param manifest: what ``BatchCallResultsOperator`` returned.
    :param hook: the database hook, for results in a table.
    """
    lineage = _lineage()
    if lineage is None:
        return None
    lineage.inputs.append(_batch_call(manifest["batch_call_id"]))
    if manifest.get("uri"):
        lineage.outputs.append(_file(manifest["uri"], rows=manifest.get("contacts")))
    if manifest.get("table"):
        lineage.outputs.append(_table(hook, manifest["table"], manifest.get("rows_written")))
    return lineage


def _lineage() -> OperatorLineage[Any, Any] | None:
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    return OperatorLineage()


def _batch_call(batch_call_id: str, rows: int | None = None) -> Any:
    return _dataset(NAMESPACE, f"batch-calls/{batch_call_id}", rows)


def _file(uri: str, rows: int | None = None) -> Any:
    """Return a file's dataset by OpenLineage's rules of naming: the bucket, or ``file``, is the namespace."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return _dataset("file", parts.path, rows)
    # ObjectStoragePath writes its connection before an @; that is not part of the file's name.
    place = parts.netloc.rpartition("@")[2]
    return _dataset(f"{parts.scheme}://{place}", parts.path.lstrip("/"), rows)


def _table(hook: Any, table: str, rows: int | None) -> Any:
    connection = hook.get_connection(hook.get_conn_id())
    info = hook.get_openlineage_database_info(connection)
    if info is None:
        return _dataset(f"{connection.conn_type}://{connection.host or ''}", table, rows)
    name = table if "." in table else f"{hook.get_openlineage_default_schema()}.{table}"
    parts = [info.database or connection.schema, name]
    return _dataset(f"{info.scheme}://{info.authority}", ".".join(part for part in parts if part), rows)


def _dataset(namespace: str, name: str, rows: int | None = None) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )

    if rows is None:
        return Dataset(namespace=namespace, name=name)
    statistics = OutputStatisticsOutputDatasetFacet(rowCount=rows)
    return OutputDataset(namespace=namespace, name=name, outputFacets={"outputStatistics": statistics})


def _of_sql(hook: Any, statement: str) -> OperatorLineage[Any, Any]:
    """Return the tables that a statement reads, without asking the database about them."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.sqlparser import SQLParser

    connection = hook.get_connection(hook.get_conn_id())
    info = hook.get_openlineage_database_info(connection)
    if info is None:
        log.debug("%s tells OpenLineage nothing about its database.", type(hook).__name__)
        return OperatorLineage()
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection),
        default_schema=hook.get_openlineage_default_schema(),
    )
    found = parser.generate_openlineage_metadata_from_sql(
        sql=statement, hook=hook, database_info=info, use_connection=False
    )
    return OperatorLineage(inputs=found.inputs)
