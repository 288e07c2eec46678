"""What goes into XCom about results: where they are and what they add up to. Under 2 KB, nobody's number in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.status import State
from airflow_truedy.results.columns import ResultsError

if TYPE_CHECKING:
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.results.staging import Counts

KIND = "truedy.results"
VERSION = 1


def manifest_of(batch: BatchCall, counts: Counts, requests: int, where: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the manifest of results.

    :param where: ``uri``, ``format``, ``sha256`` and ``size`` of a file, or ``conn_id``, ``table`` and counts of rows.
    """
    return {
        "kind": KIND,
        "version": VERSION,
        "batch_call_id": batch.id,
        "name": batch.name,
        "status": State.of(batch.status).value,
        "contacts": counts.contacts,
        "called": counts.called,
        "by_outcome": counts.by_outcome,
        "details_missing": counts.details_missing,
        "duration_seconds": counts.duration_seconds,
        "cost_credits": counts.cost_credits,
        "requests": requests,
        **where,
    }


def checked_manifest(value: Any) -> dict[str, Any]:
    """
    Return a manifest as it came out of XCom.

    :raises ResultsError: if it is something else, or of a version that cannot be read.
    """
    if not isinstance(value, Mapping) or value.get("kind") != KIND or not value.get("batch_call_id"):
        raise ResultsError(f'This is no manifest of results: its "kind" is not "{KIND}".')
    if value.get("version") != VERSION:
        raise ResultsError(f"This manifest has version {value.get('version')!r}; this package reads {VERSION}.")
    return dict(value)
