"""
Rows into contacts files from a task's own Python code; the operators of :mod:`.contacts` do their work with
it.
"""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.policy import NumberPolicy
from airflow_truedy.contacts.region import UNSAID, Region, Unsaid, said
from airflow_truedy.operators.suppression import FileSuppression, SqlSuppression, opened
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_truedy.contacts.duplicates import Duplicates
    from airflow_truedy.contacts.manifest import Manifest

log = logging.getLogger(__name__)

_ENDING = ".jsonl.gz"


def contacts_from_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    output_path: str,
    region: Region | Unsaid = UNSAID,
    columns: Columns | Mapping[str, Any] | None = None,
    policy: NumberPolicy | Sequence[str] | None = None,
    duplicates: Duplicates = "first",
    suppression: Sequence[SqlSuppression | FileSuppression] | SqlSuppression | FileSuppression = (),
    max_rejected: int | float | None = None,
    split_by: str | None = None,
    max_splits: int = 50,
    source: str = "rows",
    context: Context | None = None,
) -> dict[str, Any] | list[dict[str, Any]]:
    """
    Turn rows into a contacts file from a task's own Python code; return its result from the task.

    ::

        @task
        def people():
            return contacts_from_rows(read_crm(), output_path="s3://aws@bucket/contacts", region="US")

    :param rows: mappings from column to value; a generator is best.
    :param source: what the rows come from, without secrets, for the manifest.
    :param context: the task's context. Default: that of the running task.

    All other parameters, and what is returned, are those of :class:`ContactsOperator`.
    """
    from airflow.sdk import ObjectStoragePath, get_current_context

    from airflow_truedy.contacts.prepare import prepare_contacts, prepare_split

    made_by = _made_by(context or get_current_context())
    options: dict[str, Any] = {
        "region": said(region),
        "columns": columns if columns is None or isinstance(columns, Columns) else Columns(**columns),
        "policy": policy if policy is None or isinstance(policy, NumberPolicy) else NumberPolicy(policy),
        "duplicates": duplicates,
        "max_rejected": max_rejected,
        "source": source,
        "made_by": made_by,
    }
    to = ObjectStoragePath(_file_in(output_path, made_by))
    with failing_fast():
        options["suppression"] = opened(suppression)
        if split_by is None:
            manifest = prepare_contacts(rows, to, **options)
            _log(manifest)
            return manifest.to_dict()
        manifests = prepare_split(rows, to, split_by=split_by, max_splits=max_splits, **options)
    for manifest in manifests:
        _log(manifest)
    return [manifest.to_dict() for manifest in manifests if manifest.contacts]


def _log(manifest: Manifest) -> None:
    log.info(
        "%d rows read: %d contacts, %d duplicates, %d suppressed, %d refused %s. Contacts: %s Rejects: %s",
        manifest.rows_read,
        manifest.contacts,
        manifest.duplicates,
        manifest.suppressed,
        manifest.rejected,
        dict(manifest.rejected_by_reason) or "",
        manifest.uri,
        manifest.rejects_uri,
    )


def _made_by(context: Context) -> dict[str, Any]:
    instance = context["ti"]
    return {
        "dag_id": instance.dag_id,
        "task_id": instance.task_id,
        "run_id": instance.run_id,
        "map_index": instance.map_index,
        "try_number": instance.try_number,
    }


def _file_in(output_path: str, made_by: Mapping[str, Any]) -> str:
    """The output itself if it is a file, else a file in it that no other task instance has."""
    if output_path.endswith(_ENDING):
        return output_path
    task = made_by["task_id"] if made_by["map_index"] in (None, -1) else f"{made_by['task_id']}-{made_by['map_index']}"
    parts = (output_path.rstrip("/"), made_by["dag_id"], _file_name(made_by["run_id"]), task + _ENDING)
    return "/".join(parts)


def _file_name(run_id: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", run_id)
    return safe if safe == run_id else f"{safe}-{sha256(run_id.encode()).hexdigest()[:8]}"
