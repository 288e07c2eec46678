"""Results files: JSON Lines, CSV or Parquet, written whole or not at all, and read back row by row."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.status import call_status
from airflow_truedy.files.errors import FileError, RowsFileError
from airflow_truedy.files.reader import read_rows
from airflow_truedy.files.rows import BrokenRow
from airflow_truedy.files.writer import write_rows
from airflow_truedy.results.columns import COLUMNS, Details, ResultsError, instant_text, known_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.results.staging import Staging

log = logging.getLogger(__name__)

_TYPES = {"called_at": "time", "outside_hours": "truth", "duration_seconds": "number", "cost_credits": "number"}
_TRUTHS = {"true": True, "false": False}
_ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".csv", ".csv.gz", ".parquet")
_LISTS = ("custom_fields", "transcript")
#: A long talk is longer than what a CSV cell of anybody else's file may hold.
_LONGEST_CELL = 1 << 30
_DETAILS = frozenset(each.value for each in Details)


def check_name(name: str) -> None:
    """
    Check that a file's name says its format: ``.jsonl``, ``.csv`` (both also with ``.gz``) or ``.parquet``.

    :raises ResultsError: if it does not.
    """
    if not name.lower().endswith(_ENDINGS):
        raise ResultsError(
            f"The name of a results file ends in .jsonl, .csv (with .gz or not) or .parquet, not {name!r}."
        )


def write_results(staging: Staging, batch_call_id: str, to: Any) -> dict[str, Any]:
    """
    Write the staged rows to a file; it appears when it is complete. The same rows give the same bytes.

    :param to: a path or ``ObjectStoragePath``; its name says the format. What is there is replaced.
    :return: ``uri``, ``format``, ``sha256`` and ``size`` of the file.
    """
    check_name(to.name)
    rows = (_row(batch_call_id, values) for values in staging.rows())
    written = write_rows(rows, to, columns=COLUMNS, types=_TYPES)
    return {"uri": written.uri, "format": written.format, "sha256": written.sha256, "size": written.size}


def _row(batch_call_id: str, values: tuple[Any, ...]) -> dict[str, Any]:
    row = dict(zip(COLUMNS, (batch_call_id, *values), strict=True))
    for name in _LISTS:
        if row[name] is not None:
            row[name] = json.loads(row[name])
    if row["outside_hours"] is not None:
        row["outside_hours"] = bool(row["outside_hours"])
    return row


def read_results(path: Any) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of a results file, one after the other, with the columns of :data:`~.columns.COLUMNS`.

    Columns that the file lacks are ``None``; others are left out.

    :param path: a path or ``ObjectStoragePath``.
    :raises ResultsError: if it is not there or not a results file; rows are named by their number, values never shown.
    """
    check_name(path.name)
    try:
        rows = read_rows(path, escaped=True, longest_cell=_LONGEST_CELL, nulls=frozenset())
        yield from _checked(rows, path)
    except FileError as problem:
        raise ResultsError(f"The results file cannot be read: {problem}") from None


def known_before(path: Any, batch_call_id: str, others: Iterable[dict[str, Any]] = ()) -> Iterator[dict[str, Any]]:
    """
    Yield what is known of a batch call before its results are written to a file.

    :param path: of that file, which an earlier try may have written: it saw what this one's server may not show yet.
    :param others: rows of another file.
    """
    yield from (row for row in others if row["batch_call_id"] == batch_call_id)
    if path.exists():
        try:
            yield from (row for row in read_results(path) if row["batch_call_id"] == batch_call_id)
        except ResultsError as unreadable:
            log.warning("%s will be replaced, and nothing is taken over from it: %s", path, unreadable)


def own_name(to: str, map_index: int) -> str:
    """Return the name of a file with the index of a mapped task instance in it."""
    folder, slash, name = to.rpartition("/")
    stem, dot, ending = name.partition(".")
    return f"{folder}{slash}{stem}-{map_index}{dot}{ending}"


def _checked(rows: Iterable[Any], path: Any) -> Iterator[dict[str, Any]]:
    for position, row in enumerate(rows, 1):
        if isinstance(row, BrokenRow):
            raise RowsFileError(f"row {position} of {path} has more or fewer cells than the header, or is damaged")
        values = {name: row.get(name) if row.get(name) != "" else None for name in COLUMNS}
        if wrong := _wrong_column(values):
            raise ResultsError(f"{path} is not a results file: row {position} has no usable {wrong}.")
        yield values


def _wrong_column(values: dict[str, Any]) -> str | None:
    """Return the first column that holds something else than a result does; numbers and times are read on the way."""
    for name in ("batch_call_id", "contact_id", "call_status"):
        if not isinstance(values[name], str):
            return name
    values["call_status"] = call_status(values["call_status"])
    for name in ("duration_seconds", "cost_credits"):
        try:
            values[name] = None if values[name] is None else float(values[name])
        except (TypeError, ValueError):
            return name
    # A file whose cells were shifted by hand has a name or a number here.
    called_at = instant_text(known_instant(values["called_at"]))
    if values["called_at"] is not None and called_at is None:
        return "called_at"
    values["called_at"] = called_at
    if isinstance(outside := values["outside_hours"], str):
        values["outside_hours"] = _TRUTHS.get(outside.lower(), outside)
    if values["outside_hours"] not in (None, True, False):
        return "outside_hours"
    return None if values["details"] in (None, *_DETAILS) else "details"
