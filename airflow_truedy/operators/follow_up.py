"""The unanswered people of one campaign as the contacts of the next: for ``@task`` functions and Python operators."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from airflow_truedy.parameters.suppression_lists import FileSuppression, RecentlyCalled, SqlSuppression

    _List = SqlSuppression | FileSuppression | RecentlyCalled


def failed_contacts(
    results: Mapping[str, Any],
    to: Any,
    *,
    max_attempts: int,
    history: Sequence[Any] | None = None,
    since: datetime | None = None,
    contacts: Any = None,
    outcomes: Collection[str] | str | None = None,
    suppression: Sequence[_List] | _List = (),
    taken: Sequence[Any] = (),
    allow_unfinished: bool = False,
    to_conn_id: str | None = None,
) -> dict[str, Any]:
    """
    Write the people that a campaign did not reach into a contacts file, and return its manifest.

    The manifest is what ``CreateBatchCallOperator`` takes as ``contacts``. Beside the file lies a rejects file that
    tells of everybody else why they are not called again. ::

        @task
        def unanswered(results: dict) -> dict:
            return failed_contacts(results, "s3://bucket/next.jsonl.gz", max_attempts=3, history=[])

    A person who refused, or whose number is invalid, in any row of any campaign is never called again. This follow-up
    also leaves out people who were reached by another campaign, may still be called by it, or were called by it later:
    they belong to that campaign's follow-up.

    :param results: the manifest that ``BatchCallResultsOperator`` returned.
    :param to: path or URI of the contacts file, ending in ``.jsonl.gz``.
    :param max_attempts: a person who was called so often, in all campaigns, is not called again. A result that does
        not tell when the call was counts too, unless it is pending or cancelled and there was no call.
    :param history: for results in files: those of the other campaigns (manifests, paths or URIs), ``[]`` if this was
        the first. For results in a table everything is read there, of all its batch calls, and this must be left out.
    :param since: calls before this instant, a datetime with its zone, count neither as attempts nor as conversations;
        refusals count for ever. Default: all count.
    :param contacts: the list that the campaign was made from (a manifest or file): last name, e-mail address and custom
        fields come from there, and calling hours that its manifest carries, which bind the next campaign too. Default:
        number and first name, which is all that results have.
    :param outcomes: which outcomes are called again, a word or several. Default ``no_answer``, ``busy`` and
        ``voicemail``: every other word, such as one for an opt-out or an invalid number, means that this person is not
        called again.
    :param suppression: do-not-call lists: a person who opted out since the first campaign is not called again.
    :param taken: contacts manifests of other follow-ups that no results tell of yet: their people are left out.
    :param allow_unfinished: take results of a campaign that had not ended when they were read; it may still call
        these people. Default: they are refused.
    :param to_conn_id: Airflow connection of the object storage.
    :raises AirflowFailException: if an argument makes no sense, or the results are not what the manifest describes.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_truedy.contacts.suppression import suppressed_numbers
    from airflow_truedy.hooks.databases import table_of
    from airflow_truedy.parameters.contact_source import contact_list_of
    from airflow_truedy.results.follow_up import NOT_REACHED, FollowUpRules, check_history, follow_up
    from airflow_truedy.results.manifest import UNANSWERED_OF, checked_manifest, has_ended, rows_of

    began = datetime.now(timezone.utc)
    with failing_fast():
        manifest = checked_manifest(results)
        rules = FollowUpRules(max_attempts, NOT_REACHED if outcomes is None else outcomes, since)
        check_history(history, in_table=bool(manifest.get("table")))
        is_over = has_ended(manifest, may_go_on=allow_unfinished is True)
        open_path = partial(ObjectStoragePath, conn_id=to_conn_id)

        def rows(source: Any = manifest) -> Iterator[dict[str, Any]]:
            return rows_of(source, open_path, table_of)

        others = [table_of(manifest).history()] if history is None else map(rows, history)
        made = follow_up(
            rows,
            open_path(str(to)),
            rules,
            batch_call_id=manifest["batch_call_id"],
            history=others,
            contacts=contact_list_of(contacts),
            taken=[found for each in taken if (found := contact_list_of(each)) is not None],
            suppressed=suppressed_numbers(suppression),
            is_over=is_over,
            source=f"{UNANSWERED_OF}{manifest['batch_call_id']}",
            created_at=began,
        )
    return made.to_dict()
