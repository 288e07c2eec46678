"""Operators that turn rows into contacts files. The rules are in :mod:`airflow_truedy.contacts`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_truedy.contacts.rules import ContactRules, allowed, check_suppression, columns_of
from airflow_truedy.files.rows import NULLS, ReadOptions
from airflow_truedy.operators.contact_import import ImportContactsOperator
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.suppression_lists import FileSuppression, RecentlyCalled, SqlSuppression, recently_called
from airflow_truedy.parameters.table import Parameter, Parameters, naming_task
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_truedy.calling_hours.policy import CallingHours
    from airflow_truedy.contacts.columns import Columns
    from airflow_truedy.contacts.consent import Consent
    from airflow_truedy.contacts.rules import Duplicates, OnEmpty, Region

    _List = SqlSuppression | FileSuppression | RecentlyCalled

__all__ = [
    "FileSuppression",
    "FileToContactsOperator",
    "ImportContactsOperator",
    "SqlSuppression",
    "SqlToContactsOperator",
    "contacts_from_rows",
    "recently_called",
]

_COMMON = Parameters(Parameter("output_path", kinds.text, required=True), Parameter("suppression", kinds.anything))
_SQL = Parameters(
    Parameter("sql", kinds.text, required=True),
    Parameter("conn_id", kinds.text, required=True),
    Parameter("parameters", kinds.anything),
    Parameter("hook_params", kinds.mapping, templated=False),
    _COMMON,
)
_FILE = Parameters(Parameter("path", kinds.place, required=True), _COMMON)


def contacts_from_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    output_path: str,
    source: str = "rows",
    context: Context | None = None,
    **rules: Any,
) -> dict[str, Any] | list[dict[str, Any]]:
    """
    Turn rows into a contacts file from a task's own Python code; return its result from the task.

    ::

        @task
        def people():
            return contacts_from_rows(read_crm(), output_path="s3://aws@bucket/contacts", region="US")

    :param rows: mappings from column to value; a generator is best.
    :param output_path: see :class:`ContactsOperator`, as for what is returned. Of a split list, no path of one try.
    :param source: what the rows come from, without secrets, for the manifest.
    :param context: the task's context. Default: that of the running task.
    :param rules: those of :class:`~airflow_truedy.contacts.rules.ContactRules`, with ``region`` at least.
    """
    return _written(rows, ContactRules(**rules), output_path, source, context)


def _written(
    rows: Iterable[Mapping[str, Any]], rules: ContactRules, output_path: str, source: str, context: Context | None
) -> dict[str, Any] | list[dict[str, Any]]:
    from airflow.sdk import ObjectStoragePath, get_current_context

    from airflow_truedy.contacts.output import file_in
    from airflow_truedy.contacts.prepare import prepare_contacts

    instance = (context or get_current_context())["ti"]
    made_by = {name: getattr(instance, name) for name in ("dag_id", "task_id", "run_id", "map_index", "try_number")}
    with failing_fast():
        to = ObjectStoragePath(file_in(output_path, made_by))
        manifests = prepare_contacts(rows, to, rules, source=source, made_by=made_by)
    if rules.on_empty == "skip" and not any(manifest.contacts for manifest in manifests):
        raise AirflowSkipException("No row became a contact")
    if not rules.is_split:
        return manifests[0].to_dict()
    return [manifest.to_dict() for manifest in manifests if manifest.contacts]


class ContactsOperator(BaseOperator):
    """
    What all operators that make contacts files have in common.

    Every row ends as a contact in the contacts file, or with its reason in the rejects file next to it. The
    files appear when the last row is done, or not at all; a retry replaces them. XCom gets the manifest
    (addresses, counts, checksum), nothing of a person.

    :param output_path: where the files go, a path or URI of any ``ObjectStoragePath``: a folder, in which
        each run, task and map index gets a file of its own, or the file itself when it ends in ``.jsonl.gz``. That of
        a split list must be the same in every try of a run, else one person may be called by two parts. (templated)
    :param suppression: do-not-call lists: :class:`SqlSuppression`, :class:`FileSuppression`, :func:`recently_called`,
        or one of them. (their queries and paths are templated)
    :param region: see :class:`~airflow_truedy.contacts.rules.ContactRules`, as for ``columns``, ``allow``,
        ``duplicates``, ``max_rejected``, ``on_empty``, ``consent`` and ``max_splits``. There is no default.
    :param calling_hours: see there. XCom is then a list of manifests, each of which carries zone, hours and days of its
        people, ready for ``CreateBatchCallOperator.partial(...).expand(contacts=...)``.
    :param split_by: see there. XCom is then a list of manifests too. Parts without contacts are left out of it.
    :raises AirflowFailException: for errors that no retry can help.
    :raises AirflowSkipException: no row became a contact, and ``on_empty`` is ``"skip"``.
    """

    _parameters: ClassVar[Parameters] = _COMMON
    template_fields: Sequence[str] = _COMMON.template_fields
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        output_path: str,
        region: Region,
        columns: Columns | Mapping[str, Any] | None = None,
        allow: Sequence[str] = (),
        duplicates: Duplicates = "first",
        suppression: Sequence[_List] | _List = (),
        max_rejected: int | float | None = None,
        on_empty: OnEmpty | None = None,
        consent: Consent | None = None,
        calling_hours: CallingHours | None = None,
        split_by: str | None = None,
        max_splits: int = 50,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.suppression = suppression
        with naming_task(self):
            check_suppression(suppression)
            self.rules = ContactRules(
                region=region,
                columns=columns_of(columns),
                allow=allowed(allow),
                duplicates=duplicates,
                max_rejected=max_rejected,
                on_empty=on_empty,
                consent=consent,
                calling_hours=calling_hours,
                split_by=split_by,
                max_splits=max_splits,
            )
            if self.rules.is_split:
                from airflow_truedy.contacts.output import check_is_of_a_run

                check_is_of_a_run(output_path)
        self._manifests: dict[str, Any] | list[dict[str, Any]] | None = None
        self._stated = _COMMON.check(self)

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows, read when they are asked for."""

    @abstractmethod
    def source(self) -> str:
        """Return what the rows come from, without secrets, for the manifest."""

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Make the files and return their manifest, or the list of manifests."""
        with failing_fast():
            self._parameters.read(self, self._stated)
        rules = replace(self.rules, suppression=self.suppression)
        self._manifests = _written(self.rows(), rules, self.output_path, self.source(), context)
        return self._manifests

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return rows in, contacts files out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import contacts_lineage

        return None if self._manifests is None else contacts_lineage(self._manifests, **self.lineage_source())

    def lineage_source(self) -> dict[str, Any]:
        """Return what the rows come from, as :func:`~airflow_truedy.lineage.contacts_lineage` takes it."""
        return {}


class SqlToContactsOperator(ContactsOperator):
    """
    Turn the rows of a query into a contacts file. Rows are streamed; memory does not grow with the list.

    :param sql: the query, or the name of a ``.sql`` file. On PostgreSQL a single ``SELECT``, ``VALUES`` or
        ``WITH``. Add an ``ORDER BY`` so that the same rows make the same file again. (templated)
    :param conn_id: connection of any database whose hook is a ``DbApiHook``. (templated)
    :param parameters: for the query, as its driver takes them; shown in the UI, so no place for a number or name.
        (templated)
    :param hook_params: keyword arguments of the hook.

    All other parameters are those of :class:`ContactsOperator`.
    """

    _parameters = _SQL
    template_fields: Sequence[str] = _SQL.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}

    def __init__(
        self,
        *,
        sql: str,
        conn_id: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        hook_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters
        self.hook_params = hook_params
        self._stated = _SQL.check(self)
        self.hook_params = self._stated.known["hook_params"]

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the query."""
        from airflow_truedy.hooks.databases import sql_rows

        return sql_rows(self.conn_id, self.sql, self.parameters, self.hook_params)

    def source(self) -> str:
        """Return connection and a hash of the query: the text may hold what is not for XCom."""
        return f"connection {self.conn_id}, query {sha256(self.sql.encode()).hexdigest()[:12]}"

    def lineage_source(self) -> dict[str, Any]:
        """Return the hook and the query."""
        from airflow_truedy.hooks.databases import hook_of

        return {"sql": (hook_of(self.conn_id, self.hook_params), self.sql)}


class FileToContactsOperator(ContactsOperator):
    """
    Turn the rows of a file into a contacts file.

    :param path: path or URI of a CSV, JSON Lines, Parquet or Excel file, on a disk or any object store; or a folder or
        pattern (``people/*.parquet``) of files with the same columns. (templated)
    :param format: see :class:`~airflow_truedy.files.rows.ReadOptions`, as for ``encoding``, ``delimiter`` and
        ``sheet``. Default: found out from the file.
    :param nulls: texts that mean "no value" in a CSV file. Default: ``NULL``, ``null``, ``\\N``, ``nan``, ``NaN``,
        ``None``, ``NaT`` and ``<NA>``; ``()`` takes every text as it is.

    All other parameters are those of :class:`ContactsOperator`.
    """

    _parameters = _FILE
    template_fields: Sequence[str] = _FILE.template_fields

    def __init__(
        self,
        *,
        path: str,
        format: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        sheet: str | None = None,
        nulls: Sequence[str] = tuple(NULLS),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self._stated = _FILE.check(self)
        with naming_task(self):
            self.options = ReadOptions(format, encoding, delimiter, sheet, nulls)

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the file."""
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.files.reader import read_rows

        return read_rows(ObjectStoragePath(self.path), self.options)

    def source(self) -> str:
        """Return the path."""
        return f"file {self.path}"

    def lineage_source(self) -> dict[str, Any]:
        """Return the file."""
        return {"source_uri": str(self.path)}
