"""The unanswered people of one campaign as the contacts of the next: for ``@task`` functions and Python operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from airflow_truedy.operators.results_table import ResultsTable
    from airflow_truedy.operators.suppression import FileSuppression, SqlSuppression
    from airflow_truedy.results.follow_up import AttemptsBook


class HistoryError(CampaignError, ValueError):
    """Nobody said where, or from which instant on, earlier attempts are counted."""


def failed_contacts(
    results: Mapping[str, Any],
    to: Any,
    *,
    max_attempts: int,
    history: Sequence[Any] | None = None,
    since: datetime | None = None,
    contacts: Any = None,
    outcomes: Collection[str] | None = None,
    suppression: Sequence[SqlSuppression | FileSuppression] | SqlSuppression | FileSuppression = (),
    to_conn_id: str | None = None,
) -> dict[str, Any]:
    """
    Write the people that a campaign did not reach into a contacts file, and return its manifest.

    The manifest is what ``CreateBatchCallOperator`` takes as ``contacts``. Beside the file lies a rejects file that
    says of everybody else why they are not called again. ::

        @task
        def unanswered(results: dict) -> dict:
            return failed_contacts(results, "s3://bucket/next.jsonl.gz", max_attempts=3, history=[])

    :param results: the manifest that ``BatchCallResultsOperator`` returned.
    :param to: path or URI of the contacts file, ending in ``.jsonl.gz``.
    :param max_attempts: whoever was called in so many campaigns is not called again. A result that does not say when
        the call was counts too, unless it is pending or cancelled and there was no call.
    :param history: for results in files: those of the earlier campaigns (manifests, paths or URIs), ``[]`` if this was
        the first. For results in a table attempts are counted there, over all its batch calls, and this must be left
        out.
    :param since: calls before this instant, a datetime with its zone, do not count as attempts. Default: all count.
    :param contacts: the list that the campaign was made from (a manifest or file): last name, e-mail address and custom
        fields come from there. Default: number and first name, which is all that results have.
    :param outcomes: which outcomes are called again. Default ``no_answer``, ``busy`` and ``voicemail``: every other
        word, such as one for an opt-out or an invalid number, means that this person is not called again.
    :param suppression: do-not-call lists: who opted out since the first campaign is not called again.
    :param to_conn_id: Airflow connection of the object storage.
    :raises HistoryError: if it is not said where attempts are counted, or ``since`` has no zone.
    :raises ResultsError: if the results are not what the manifest says.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_truedy.contacts.suppression import suppressed_numbers
    from airflow_truedy.operators.contact_source import contact_list_of
    from airflow_truedy.operators.results_sources import rows_of, table_of
    from airflow_truedy.results.follow_up import NOT_REACHED, AttemptsBook, follow_up
    from airflow_truedy.results.results_manifest import checked_manifest
    from airflow_truedy.results.staging import moment_text

    manifest = checked_manifest(results)
    in_table = bool(manifest.get("table"))
    _check_history(history, in_table=in_table)
    _check_since(since)
    earliest = moment_text(since)
    with AttemptsBook() as book:
        if not in_table:
            _count(book, manifest, history or (), earliest, to_conn_id)
        manifest_of_contacts = follow_up(
            rows_of(manifest, to_conn_id),
            ObjectStoragePath(str(to), conn_id=to_conn_id),
            max_attempts=max_attempts,
            attempts_of=_from_table(table_of(manifest), earliest) if in_table else book.of,
            outcomes=NOT_REACHED if outcomes is None else outcomes,
            contacts=contact_list_of(contacts),
            suppressed=suppressed_numbers(suppression),
            source=f"unanswered of {manifest['batch_call_id']}",
        )
    return manifest_of_contacts.to_dict()


def _check_history(history: Sequence[Any] | None, *, in_table: bool) -> None:
    if in_table and history is not None:
        raise HistoryError("Results in a table are their own history: leave history out.")
    if not in_table and history is None:
        raise HistoryError(
            "Where are earlier attempts counted? Give history: the results of the earlier campaigns, or [] if this was "
            "the first."
        )


def _check_since(since: datetime | None) -> None:
    if since is not None and since.utcoffset() is None:
        raise HistoryError(
            f"since={since} has no zone, so each worker would read it on its own clock. Give an aware datetime, such "
            "as datetime(2026, 3, 1, tzinfo=timezone.utc) or data_interval_start."
        )


def _count(
    book: AttemptsBook, manifest: Mapping[str, Any], history: Sequence[Any], since: str | None, to_conn_id: str | None
) -> None:
    from airflow_truedy.operators.results_sources import rows_of

    this = manifest["batch_call_id"]
    book.count(rows_of(manifest, to_conn_id), since)
    for source in history:
        # This campaign given as its own history would count twice.
        book.count((row for row in rows_of(source, to_conn_id) if row["batch_call_id"] != this), since)


def _from_table(table: ResultsTable, since: str | None) -> Any:
    from airflow_truedy.results.follow_up import Attempts

    def attempts_of(numbers: Sequence[str]) -> dict[str, Attempts]:
        return {number: Attempts(calls, reached) for number, calls, reached in table.attempts(numbers, since)}

    return attempts_of
