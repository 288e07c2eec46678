"""Bring the results of a batch call back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.operators.batch_call_ids import batch_call_id_of
from airflow_truedy.operators.templating import number, restored, restored_text
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_truedy.operators.results_table import ResultsTable
    from airflow_truedy.results.fetch import Reading, ResultsReader
    from airflow_truedy.results.staging import Spool


class BatchCallResultsOperator(BaseOperator):
    """
    Write what became of each contact of a batch call into a file or a table, one row a contact.

    Columns: ``batch_call_id``, ``contact_id``, ``phone_number``, ``first_name``, ``call_status``, ``call_id``,
    ``called_at`` (UTC), ``duration_seconds``, ``cost_credits``, ``summary``, ``transcript`` (JSON), ``details``
    (``none``, ``complete`` or ``missing``). ``call_status`` is ``pending``, ``in_progress``, ``completed``,
    ``no_answer``, ``busy``, ``voicemail``, ``failed``, ``cancelled``, or what else the server says.

    Memory does not grow with the campaign. Requests: one page per 100 contacts, and at most about one per call that has
    details to read; where it pays, a hundred calls at once. Running it twice gives the same rows, and reads only what
    changed: from a table by itself, for files from ``previous``.

    :param batch_call_id: the batch call, or the dict that ``CreateBatchCallOperator`` returns.
    :param to: path or URI of a file that ends in ``.jsonl``, ``.csv`` (also with ``.gz``) or ``.parquet`` (needs
        ``pyarrow``), on anything that ``ObjectStoragePath`` reaches. It appears whole or not at all.
    :param to_conn_id: Airflow connection of the object storage.
    :param table: instead of a file, a table: rows are inserted or, by batch call and contact, replaced.
    :param conn_id: database connection of the table, of any type with a ``DbApiHook``.
    :param create_table: create the table if it is not there; the statement is
        :data:`airflow_truedy.operators.results_table.DDL`. Default: it must be there.
    :param hook_params: for the database hook.
    :param previous: results of an earlier run in a file, by path, URI or manifest; calls that are complete in it are
        not read again.
    :param details: read length, cost and summary of each call. Default: yes.
    :param transcripts: read what was said too: one more request for each answered call. Default: no.
    :param settle_time: seconds to wait, in all, for details of calls that ended a moment ago. Default: 120.
    :param threads: requests under way at once; the connection's ``requests_per_minute`` still holds. Default: 4.
    :param truedy_conn_id: connection of type ``truedy``.
    :raises AirflowFailException: for errors that no retry can help.
    """

    template_fields: Sequence[str] = (
        "batch_call_id",
        "to",
        "to_conn_id",
        "table",
        "conn_id",
        "create_table",
        "hook_params",
        "previous",
        "details",
        "transcripts",
        "settle_time",
        "threads",
        "truedy_conn_id",
    )
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
        details: bool = True,
        transcripts: bool = False,
        settle_time: float | str = 120,
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
        self.details = details
        self.transcripts = transcripts
        self.settle_time = settle_time
        self.threads = threads
        self.truedy_conn_id = truedy_conn_id
        self._manifest: dict[str, Any] | None = None
        self._check_where()

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

        :return: a manifest: ``batch_call_id``, ``status``, ``contacts``, ``called``, ``by_outcome``, totals, and
            ``uri`` with ``sha256`` or ``table`` with ``rows_written`` and ``rows_unchanged``.
        """
        from airflow_truedy.assets import record_outlets
        from airflow_truedy.hooks.truedy import TruedyHook
        from airflow_truedy.results.fetch import ResultsReader
        from airflow_truedy.results.staging import Spool

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook, Spool() as spool:
            reader = ResultsReader(hook.client, self._reading())
            batch_call_id = batch_call_id_of(self.batch_call_id)
            if self.table is not None:
                manifest = self._into_table(reader, spool, batch_call_id, self._table())
            else:
                manifest = self._into_file(reader, spool, batch_call_id)
        self._manifest = manifest
        self.log.info("Results of batch call %s: %s", batch_call_id, manifest["by_outcome"])
        record_outlets(context, self.outlets, manifest)
        return manifest

    def _reading(self) -> Reading:
        from airflow_truedy.results.fetch import Reading

        return Reading(
            details=bool(restored(self.details)),
            transcripts=bool(restored(self.transcripts)),
            settle_seconds=float(number("settle_time", self.settle_time, at_least=0)),
            threads=int(number("threads", self.threads, at_least=1)),
        )

    def _into_table(
        self, reader: ResultsReader, spool: Spool, batch_call_id: str, table: ResultsTable
    ) -> dict[str, Any]:
        from airflow_truedy.results.results_manifest import manifest_of

        if restored(self.create_table):
            table.create()
        batch = reader.read(batch_call_id, spool, lambda rows: table.recall(rows, batch_call_id))
        counts = spool.counts()
        written = table.write(spool, batch_call_id)
        where = {"conn_id": self.conn_id, "table": self.table}
        if hook_params := restored(self.hook_params):
            where["hook_params"] = hook_params
        rows = {"rows_written": written, "rows_unchanged": counts.contacts - written}
        return manifest_of(batch, counts, reader.requests, {**where, **rows})

    def _into_file(self, reader: ResultsReader, spool: Spool, batch_call_id: str) -> dict[str, Any]:
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.results.result_files import format_of, write_results
        from airflow_truedy.results.results_manifest import manifest_of

        path = ObjectStoragePath(str(self.to), conn_id=restored_text(self.to_conn_id))
        format_of(path.name)
        earlier = self._previous()
        batch = reader.read(batch_call_id, spool, None if earlier is None else lambda rows: rows.recall(earlier))
        counts = spool.counts()
        return manifest_of(batch, counts, reader.requests, write_results(spool, batch_call_id, path))

    def _previous(self) -> Any:
        from airflow_truedy.operators.results_sources import rows_of
        from airflow_truedy.results.result_files import known_of

        previous = restored(self.previous)
        return None if previous is None else known_of(rows_of(previous, restored_text(self.to_conn_id)))

    def _table(self) -> ResultsTable:
        from airflow_truedy.operators.databases import hook_of
        from airflow_truedy.operators.results_table import ResultsTable

        return ResultsTable(hook_of(str(self.conn_id), restored(self.hook_params)), str(self.table))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Batch call in, results out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import results_lineage
        from airflow_truedy.operators.databases import hook_of

        if self._manifest is None:
            return None
        hook = hook_of(str(self.conn_id), restored(self.hook_params)) if self.conn_id else None
        return results_lineage(self._manifest, hook)
