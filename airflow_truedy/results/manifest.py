"""
Where results are: the manifest that goes into XCom (under 2 KB, without phone numbers), and files of results.

Files are JSON Lines, CSV or Parquet, written whole or not at all, and read back row by row.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.bound_hours import hours_of
from airflow_truedy.campaigns.status import State, call_status
from airflow_truedy.files.errors import FileError, RowsFileError
from airflow_truedy.files.paths import digest_of
from airflow_truedy.files.reader import read_rows
from airflow_truedy.files.rows import BrokenRow
from airflow_truedy.files.writer import write_rows
from airflow_truedy.results.columns import COLUMNS, Details, ResultsError, instant_text, known_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.results.fetch import ResultsReader
    from airflow_truedy.results.staging import Staging
    from airflow_truedy.results.table import ResultsTable

log = logging.getLogger(__name__)

KIND = "truedy.results"
VERSION = 1
#: How the source of a follow-up's contacts file begins; the batch call's id follows.
UNANSWERED_OF = "unanswered of "

#: Opens a path or address, e.g. as ``ObjectStoragePath``.
OpenPath = Callable[[str], Any]
#: Opens the table that a manifest names.
OpenTable = Callable[[Mapping[str, Any]], "ResultsTable"]
_TYPES = {"called_at": "time", "outside_hours": "truth", "duration_seconds": "number", "cost_credits": "number"}
_TRUTHS = {"true": True, "false": False}
_ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".csv", ".csv.gz", ".parquet")
_LISTS = ("custom_fields", "transcript")
#: A long talk is longer than what a CSV cell of anybody else's file may hold.
_LONGEST_CELL = 1 << 30
_DETAILS = frozenset(each.value for each in Details)


def followed_by(source: Any) -> str | None:
    """Return the batch call whose unanswered people a contacts file holds, by the manifest's ``source``."""
    return source.removeprefix(UNANSWERED_OF) if str(source).startswith(UNANSWERED_OF) else None


def deliver(
    reader: ResultsReader,
    staging: Staging,
    batch_call_id: str,
    people: ContactList | None,
    *,
    known: Iterable[Mapping[str, Any]],
    write: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
    """
    Read the results of a batch call, let them be written, and return their manifest.

    :param people: the list that the campaign was made from: keys and custom fields come from there, and the hours with
        which every call is compared.
    :param known: rows of the batch call from earlier readings.
    :param write: writes what is staged, and returns ``uri``, ``format``, ``sha256`` and ``size`` of a file, or
        ``conn_id``, ``table`` and counts of rows.
    :raises IncompleteResultsError: if contacts are missing; nothing is written then.
    """
    staging.remember(known)
    batch = reader.read(batch_call_id, staging)
    staging.join_people(() if people is None else people.entries())
    hours = hours_of(people)
    outside = None if hours is None else staging.called_outside(hours)
    where = write()
    return {
        "kind": KIND,
        "version": VERSION,
        "batch_call_id": batch.id,
        "name": batch.name,
        "status": State.of(batch.status).value,
        "contacts_missing": reader.missing,
        **asdict(staging.totals()),
        "requests": reader.requests,
        **where,
        "called_outside_hours": outside,
    }


def checked_manifest(value: Any) -> dict[str, Any]:
    """
    Return a manifest as it came out of XCom.

    :raises ResultsError: if it is something else, or of a version that cannot be read.
    """
    if not isinstance(value, Mapping) or value.get("kind") != KIND or not isinstance(value.get("batch_call_id"), str):
        raise ResultsError(f'This is not a manifest of results: its "kind" is not "{KIND}".')
    if value.get("version") != VERSION:
        raise ResultsError(f"This manifest has version {value.get('version')!r}; this package reads {VERSION}.")
    place = ("conn_id", "table") if value.get("table") else ("uri", "sha256")
    if not all(isinstance(value.get(name), str) for name in place):
        raise ResultsError(f"This manifest of results is not complete: it lacks {' or '.join(place)}.")
    return dict(value)


def cost_in_words(manifest: Mapping[str, Any]) -> str:
    """Return what the calls cost, and of how many that may still come."""
    late = manifest["details_missing"]
    told = f"{manifest['cost_credits']} credits"
    return f"{told}, without those of {late} calls whose details may still come" if late else told


def has_ended(manifest: Mapping[str, Any], *, may_go_on: bool) -> bool:
    """
    Whether the campaign had ended when its results were read.

    :param may_go_on: whether one that had not is taken as well.
    :raises ResultsError: if it is not.
    """
    is_over = State.of(manifest.get("status")).is_terminal
    if not is_over and not may_go_on:
        raise ResultsError(
            f"Batch call {manifest['batch_call_id']} was {manifest['status']} when its results were read: it may "
            "still call these people. Read the results again at its end, or state allow_unfinished=True."
        )
    return is_over


def rows_of(source: Any, open_path: OpenPath, open_table: OpenTable) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of earlier results.

    :param source: the manifest that ``BatchCallResultsOperator`` returned, or the path or URI of its file.
    :raises ResultsError: if there are no results, or the file is not the one that the manifest describes.
    """
    if isinstance(source, Mapping):
        manifest = checked_manifest(source)
        if manifest.get("table"):
            return open_table(manifest).rows(manifest["batch_call_id"])
        path = open_path(manifest["uri"])
        if not path.exists() or digest_of(path).sha256 != manifest["sha256"]:
            raise ResultsError(f"The results file {path} is gone or not the one that its manifest describes.")
        return read_results(path)
    if not isinstance(source, str) and not hasattr(source, "open"):
        raise ResultsError(f"Results are named by a manifest, a path or a URI, not by {type(source).__name__}.")
    return read_results(open_path(str(source)))


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
