"""Results that were brought back before: read again from the file or table that a manifest names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.results.columns import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.operators.results_table import ResultsTable


def rows_of(source: Any, to_conn_id: str | None = None) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of earlier results.

    :param source: the manifest that ``BatchCallResultsOperator`` returned, or the path or URI of its file.
    :param to_conn_id: Airflow connection of the object storage.
    :raises ResultsError: if there are no results, or the file is not the one that the manifest describes.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_truedy.results.result_files import read_results, sha256_of
    from airflow_truedy.results.results_manifest import checked_manifest

    if not isinstance(source, Mapping):
        return read_results(ObjectStoragePath(str(source), conn_id=to_conn_id))
    manifest = checked_manifest(source)
    if manifest.get("table"):
        return table_of(manifest).rows(manifest["batch_call_id"])
    path = ObjectStoragePath(manifest["uri"], conn_id=to_conn_id)
    if not path.exists() or sha256_of(path) != manifest["sha256"]:
        raise ResultsError(f"The results file {path} is gone or not the one that its manifest describes.")
    return read_results(path)


def table_of(manifest: Mapping[str, Any]) -> ResultsTable:
    """Return the table that a manifest names."""
    from airflow_truedy.operators.databases import hook_of
    from airflow_truedy.operators.results_table import ResultsTable

    return ResultsTable(hook_of(manifest["conn_id"], manifest.get("hook_params")), manifest["table"])
