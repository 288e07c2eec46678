"""Bring the results of a batch call back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.compat import is_mapped_by
from airflow_truedy.hooks.databases import hook_of, table_of
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.contact_source import contact_list_of
from airflow_truedy.parameters.private_fields import PrivateField, PrivateFieldsOperator, holds_people
from airflow_truedy.parameters.table import Parameter, Parameters
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_truedy.results.fetch import ResultsReader
    from airflow_truedy.results.staging import Staging

_PARAMETERS = Parameters(
    Parameter("batch_call_id", kinds.batch_call),
    Parameter("to", kinds.anything, may_vanish=False),
    Parameter("to_conn_id", kinds.text),
    Parameter("table", kinds.text, may_vanish=False),
    Parameter("conn_id", kinds.text, may_vanish=False),
    Parameter("create_table", kinds.truth),
    Parameter("hook_params", kinds.mapping),
    Parameter("previous", kinds.anything),
    Parameter("contacts", kinds.contacts),
    Parameter("details", kinds.truth),
    Parameter("transcripts", kinds.truth),
    Parameter("settle_time", kinds.number(0)),
    Parameter("on_incomplete", kinds.one_of("fail", "warn")),
    Parameter("threads", kinds.whole(1)),
    Parameter("truedy_conn_id", kinds.text),
)


class BatchCallResultsOperator(PrivateFieldsOperator):
    """
    Write what became of each contact of a batch call into a file or a table, one row a contact.

    Columns: ``batch_call_id``, ``contact_id``, ``contact_key`` (your own key), ``phone_number``, ``first_name``,
    ``custom_fields`` (JSON), ``call_status``, ``call_id``, ``called_at`` (UTC),
    ``outside_hours`` (whether that was outside the hours of ``contacts``; empty where these are not known),
    ``duration_seconds``,
    ``cost_credits``, ``summary``, ``transcript`` (JSON), ``details`` (``none``, ``complete``, ``partial`` or
    ``missing`` while cost or summary may still come, ``gone`` for a contact that the server no longer lists),
    ``cleaned`` (names of columns whose text had to be cut or cleaned). ``call_status`` is ``pending``,
    ``in_progress``, ``completed``, ``no_answer``, ``busy``, ``voicemail``, ``failed``, ``cancelled``, or another word
    of the server's. A call that has ended never becomes pending again, whichever of two runs is the later one.

    Memory does not grow with the campaign. Requests: one page per 100 contacts, and at most about one per call that has
    details to read; where it pays, a hundred calls at once. Running it twice gives the same rows, and reads only what
    changed: from the table, or the file that is there, by itself; from another file by ``previous``.

    :param batch_call_id: the batch call, or the dict that ``CreateBatchCallOperator`` returns.
    :param to: path or URI of a file that ends in ``.jsonl``, ``.csv`` (also with ``.gz``) or ``.parquet`` (needs
        ``pyarrow``), on anything that ``ObjectStoragePath`` reaches. It appears whole or not at all. In a mapped task
        the map index is put into the name, unless ``to`` is mapped itself.
    :param to_conn_id: Airflow connection of the object storage.
    :param table: instead of a file, a table: rows are inserted or, by batch call and contact, updated. Columns of your
        own survive. It must have a key of ``batch_call_id`` and ``contact_id``.
    :param conn_id: database connection of the table: PostgreSQL, MariaDB, MySQL, SQLite, or another with a
        ``DbApiHook`` and an SQLAlchemy dialect.
    :param create_table: create the table if it is not there; the statement is what
        :func:`airflow_truedy.results.table.create_statement` returns. Default: it must be there.
    :param hook_params: for the database hook.
    :param previous: results of an earlier run in a file, by path, URI or manifest; calls that are complete in it are
        not read again.
    :param contacts: the list that the campaign was made from (a contacts manifest, path or URI): ``contact_key`` and
        ``custom_fields`` come from there, by number. Default: both stay empty. Where its manifest carries calling
        hours, every call is compared with them: a ``called_at`` outside is flagged, counted and warned of.
    :param details: read length, cost and summary of each call. Default: yes.
    :param transcripts: read what was spoken too: one more request for each answered call. Default: no.
    :param settle_time: seconds to wait, in all, for details of calls that ended a moment ago. Default: 120.
    :param on_incomplete: what it means that the server lists fewer contacts than the batch call has, also when asked
        again: ``fail`` (default; nothing is written, and a retry may find them), or ``warn`` and write what there is
        (``contacts_missing`` in the manifest).
    :param threads: requests under way at once; the connection's ``requests_per_minute`` still holds. Default: 4.
    :param truedy_conn_id: connection of type ``truedy``.
    :raises AirflowFailException: for errors that no retry can help.
    :raises IncompleteResultsError: if contacts are missing.
    """

    contacts = PrivateField(holds_people)
    template_fields: Sequence[str] = _PARAMETERS.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {"previous": "json", "hook_params": "json"}
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        batch_call_id: Any,
        to: Any = None,
        to_conn_id: str | None = None,
        table: str | None = None,
        conn_id: str | None = None,
        create_table: bool = False,
        hook_params: dict[str, Any] | None = None,
        previous: Any = None,
        contacts: Any = None,
        details: bool = True,
        transcripts: bool = False,
        settle_time: float | str = 120,
        on_incomplete: str = "fail",
        threads: int | str = 4,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_call_id = batch_call_id
        self.to = to
        self.to_conn_id = to_conn_id
        self.table = table
        self.conn_id = conn_id
        self.create_table = create_table
        self.hook_params = hook_params
        self.previous = previous
        self.contacts = contacts
        self.details = details
        self.transcripts = transcripts
        self.settle_time = settle_time
        self.on_incomplete = on_incomplete
        self.threads = threads
        self.truedy_conn_id = truedy_conn_id
        self._manifest: dict[str, Any] | None = None
        self._check_where()
        self._stated = _PARAMETERS.check(self)

    def _check_where(self) -> None:
        """Refuse while the Dag is parsed results that would go nowhere, or nobody knows where."""
        rule = None
        if (self.to is None) == (self.table is None):
            rule = "give to (a file) or table (with conn_id), one of them"
        elif (self.table is None) != (self.conn_id is None):
            rule = "table and conn_id need each other"
        elif self.table is not None and self.previous is not None:
            rule = "previous is for files; a table knows what it holds"
        if rule:
            raise InvalidPayloadError("invalid parameter", problems=[("to, table", "", rule)])

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Read and write the results.

        :return: a manifest: ``batch_call_id``, ``status``, ``contacts``, ``contacts_missing``, ``called``,
            ``by_outcome``, totals, ``called_outside_hours`` (``None`` where the hours are not known), and ``uri`` with
            ``sha256`` or ``table`` with ``rows_written`` and ``rows_unchanged``.
        """
        from airflow_truedy.assets import record_outlets
        from airflow_truedy.hooks.truedy import TruedyHook
        from airflow_truedy.results.fetch import Reading, ResultsReader
        from airflow_truedy.results.manifest import cost_in_words
        from airflow_truedy.results.staging import Staging

        with failing_fast(), Staging() as staging, TruedyHook(self.truedy_conn_id) as hook:
            given = _PARAMETERS.read(self, self._stated)
            if given["batch_call_id"] == kinds.ONLY_PLANNED:
                raise AirflowSkipException("The batch call was only planned by a dry run: it has no results.")
            reading = Reading(
                details=given["details"],
                transcripts=given["transcripts"],
                settle_seconds=given["settle_time"],
                threads=given["threads"],
                may_be_incomplete=given["on_incomplete"] == "warn",
            )
            into = self._into_file if self.table is None else self._into_table
            manifest = into(ResultsReader(hook.client, reading), staging, given, context)
        self._manifest = manifest
        cost = cost_in_words(manifest) if given["details"] else "cost not read (details=False)"
        self.log.info("Results of batch call %s: %s; %s.", manifest["batch_call_id"], manifest["by_outcome"], cost)
        record_outlets(context, self.outlets, manifest)
        return manifest

    def _into_table(
        self, reader: ResultsReader, staging: Staging, given: dict[str, Any], context: Context
    ) -> dict[str, Any]:
        from airflow_truedy.results.manifest import deliver

        batch_call_id = given["batch_call_id"]
        where = {"conn_id": given["conn_id"], "table": given["table"] or ""}
        if given["hook_params"]:
            where["hook_params"] = given["hook_params"]
        table = table_of(where)
        if given["create_table"]:
            table.create()

        def write() -> dict[str, Any]:
            written = table.write(staging, batch_call_id)
            if reader.is_complete:
                table.mark_gone(batch_call_id, staging.gone())
            return {**where, "rows_written": written, "rows_unchanged": staging.count() - written}

        people = contact_list_of(given["contacts"])
        return deliver(reader, staging, batch_call_id, people, known=table.known(batch_call_id), write=write)

    def _into_file(
        self, reader: ResultsReader, staging: Staging, given: dict[str, Any], context: Context
    ) -> dict[str, Any]:
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.results.manifest import check_name, deliver, known_before, own_name, rows_of, write_results

        batch_call_id, open_path = given["batch_call_id"], partial(ObjectStoragePath, conn_id=given["to_conn_id"])
        to, map_index = str(given["to"]), getattr(context["ti"], "map_index", None)
        # No other task instance of a mapped task writes to it.
        path = open_path(to if map_index in (None, -1) or is_mapped_by("to", context) else own_name(to, map_index))
        check_name(path.name)
        others = () if given["previous"] is None else rows_of(_source(given["previous"]), open_path, table_of)
        return deliver(
            reader,
            staging,
            batch_call_id,
            contact_list_of(given["contacts"]),
            known=known_before(path, batch_call_id, others),
            write=partial(write_results, staging, batch_call_id, path),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Batch call in, results out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import results_lineage

        if self._manifest is None:
            return None
        hook = hook_of(str(self.conn_id), kinds.mapping(self.hook_params)) if self.conn_id else None
        return results_lineage(self._manifest, hook)


def _source(previous: Any) -> Any:
    """Return a manifest as a mapping, also one that rendered as text, and a path or URI as it is."""
    return kinds.mapping(previous) if isinstance(previous, str) and previous.lstrip().startswith("{") else previous
