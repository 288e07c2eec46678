"""
What goes into XCom about results: where they are and what they add up to. Under 2 KB, without phone numbers.

And the way back: the rows of results behind a manifest, a path or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.bound_hours import hours_of
from airflow_truedy.campaigns.status import State
from airflow_truedy.files.paths import digest_of
from airflow_truedy.results.columns import ResultsError
from airflow_truedy.results.files import read_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.results.fetch import ResultsReader
    from airflow_truedy.results.staging import Staging
    from airflow_truedy.results.table import ResultsTable

KIND = "truedy.results"
VERSION = 1
#: How the source of a follow-up's contacts file begins; the batch call's id follows.
UNANSWERED_OF = "unanswered of "

#: Opens a path or address, e.g. as ``ObjectStoragePath``.
OpenPath = Callable[[str], Any]
#: Opens the table that a manifest names.
OpenTable = Callable[[Mapping[str, Any]], "ResultsTable"]


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
