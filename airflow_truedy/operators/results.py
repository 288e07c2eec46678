"""Bring the results of a batch call back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.contact_source import contact_list_of
from airflow_truedy.parameters.private_fields import PrivateField, PrivateFieldsOperator, holds_people
from airflow_truedy.parameters.table import Parameter, Parameters
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.results.fetch import ResultsReader
    from airflow_truedy.results.staging import Staging
    from airflow_truedy.results.table import ResultsTable

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
            write = self._into_file if self.table is None else self._into_table
            manifest = write(ResultsReader(hook.client, reading), staging, given, context)
        self._manifest = manifest
        cost = _cost(manifest) if given["details"] else "cost not read (details=False)"
        self.log.info("Results of batch call %s: %s; %s.", manifest["batch_call_id"], manifest["by_outcome"], cost)
        record_outlets(context, self.outlets, manifest)
        return manifest

    def _into_table(
        self, reader: ResultsReader, staging: Staging, given: dict[str, Any], context: Context
    ) -> dict[str, Any]:
        from airflow_truedy.results.manifest import manifest_of

        batch_call_id = given["batch_call_id"]
        where = {"conn_id": given["conn_id"], "table": given["table"] or ""}
        if given["hook_params"]:
            where["hook_params"] = given["hook_params"]
        table = table_of(where)
        if given["create_table"]:
            table.create()
        staging.remember(table.known(batch_call_id))
        people = contact_list_of(given["contacts"])
        batch = reader.read(batch_call_id, staging)
        staging.join_people(() if people is None else people.entries())
        audit = _audit(staging, people)
        staging.fit(*table.limits())
        totals, written = staging.totals(), table.write(staging, batch_call_id)
        if reader.is_complete:
            table.mark_gone(batch_call_id, staging.gone())
        place = {
            **where,
            "rows_written": written,
            "rows_unchanged": totals.contacts - written,
            **audit,
        }
        return manifest_of(batch, totals, place, requests=reader.requests, missing=reader.missing)

    def _into_file(
        self, reader: ResultsReader, staging: Staging, given: dict[str, Any], context: Context
    ) -> dict[str, Any]:
        from airflow_truedy.results.columns import ResultsError
        from airflow_truedy.results.files import check_name, read_results, write_results
        from airflow_truedy.results.manifest import manifest_of, rows_of

        batch_call_id, open_path = given["batch_call_id"], path_opener(given["to_conn_id"])
        path = open_path(_own_name(str(given["to"]), context))
        check_name(path.name)
        if given["previous"] is not None:
            rows = rows_of(_source(given["previous"]), open_path, table_of)
            staging.remember(row for row in rows if row["batch_call_id"] == batch_call_id)
        if path.exists():
            # Of an earlier try, maybe, which saw what this one's server does not show yet.
            try:
                staging.remember(row for row in read_results(path) if row["batch_call_id"] == batch_call_id)
            except ResultsError as unreadable:
                self.log.warning("%s will be replaced, and nothing is taken over from it: %s", path, unreadable)
        people = contact_list_of(given["contacts"])
        batch = reader.read(batch_call_id, staging)
        staging.join_people(() if people is None else people.entries())
        audit = _audit(staging, people)
        where = {**write_results(staging, batch_call_id, path), **audit}
        return manifest_of(batch, staging.totals(), where, requests=reader.requests, missing=reader.missing)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Batch call in, results out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import results_lineage
        from airflow_truedy.operators.databases import hook_of

        if self._manifest is None:
            return None
        hook = hook_of(str(self.conn_id), kinds.mapping(self.hook_params)) if self.conn_id else None
        return results_lineage(self._manifest, hook)


def _cost(manifest: Mapping[str, Any]) -> str:
    late = manifest["details_missing"]
    told = f"{manifest['cost_credits']} credits"
    return f"{told}, without those of {late} calls whose details may still come" if late else told


def _audit(staging: Staging, people: ContactList | None) -> dict[str, Any]:
    """Compare every call with the hours that the list carries."""
    from airflow_truedy.campaigns.bound_hours import hours_of

    hours = hours_of(people)
    return {"called_outside_hours": None if hours is None else staging.called_outside(hours)}


def _source(previous: Any) -> Any:
    """Return a manifest as a mapping, also one that rendered as text, and a path or URI as it is."""
    return kinds.mapping(previous) if isinstance(previous, str) and previous.lstrip().startswith("{") else previous


def path_opener(conn_id: str | None) -> Callable[[str], Any]:
    """Return what opens a path or URI with this Airflow connection."""
    from airflow.sdk import ObjectStoragePath

    return lambda path: ObjectStoragePath(path, conn_id=conn_id)


def table_of(where: Mapping[str, Any]) -> ResultsTable:
    """
    Return a table of results.

    :param where: ``conn_id``, ``table`` and ``hook_params``, as a manifest of results has them.
    :raises NotADatabaseError: if the connection is not one of an SQL database, or SQLAlchemy has no dialect for it.
    """
    from airflow_truedy.operators.databases import engine_of
    from airflow_truedy.results.table import ResultsTable

    return ResultsTable(engine_of(str(where["conn_id"]), where.get("hook_params")), str(where["table"]))


def _own_name(to: str, context: Context) -> str:
    """Return a name that no other task instance of a mapped task writes to."""
    map_index = getattr(context["ti"], "map_index", None)
    if map_index in (None, -1) or _is_mapped("to", context):
        return to
    folder, slash, name = to.rpartition("/")
    stem, dot, ending = name.partition(".")
    return f"{folder}{slash}{stem}-{map_index}{dot}{ending}"


def _is_mapped(parameter: str, context: Context) -> bool:
    """Whether each instance of a mapped task has a value of its own for this parameter."""
    mapped = getattr(context.get("dag"), "task_dict", {}).get(context["ti"].task_id)
    values = getattr(getattr(mapped, "expand_input", None), "value", None)
    if isinstance(values, (list, tuple)):  # expand_kwargs
        return any(parameter in each for each in values)
    # What expand_kwargs takes from another task is not known; each mapping there should name its own file.
    return parameter in values if isinstance(values, dict) else values is not None
