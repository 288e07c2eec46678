"""Operators that turn rows into contacts files. The rules live in :mod:`airflow_truedy.contacts`."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.policy import NumberPolicy
from airflow_truedy.contacts.region import UNSAID, said
from airflow_truedy.operators.contact_import import ImportContactsOperator
from airflow_truedy.operators.contacts_task import contacts_from_rows
from airflow_truedy.operators.suppression import FileSuppression, SqlSuppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_truedy.contacts.duplicates import Duplicates
    from airflow_truedy.contacts.region import Region, Unsaid

__all__ = [
    "FileSuppression",
    "FileToContactsOperator",
    "ImportContactsOperator",
    "SqlSuppression",
    "SqlToContactsOperator",
    "contacts_from_rows",
]


class ContactsOperator(BaseOperator):
    """
    What all operators that make contacts files have in common.

    Every row ends as a contact in the contacts file, or with its reason in the rejects file next to it. The
    files appear when the last row is done, or not at all; a retry replaces them. XCom gets the manifest
    (addresses, counts, checksum), nothing of a person.

    :param output_path: where the files go, a path or URI of any ``ObjectStoragePath``: a folder, in which
        each run, task and map index gets a file of its own, or the file itself when it ends in ``.jsonl.gz``.
        (templated)
    :param region: in which region numbers without ``+`` are read: an ISO 3166 code such as ``"US"``, a
        ``RegionColumn("country")``, or ``None``: only numbers with ``+`` are taken. There is no default.
    :param columns: which columns become which fields: a ``Columns``, or its fields as a mapping such as
        ``{"phone_number": "mobile", "first_name": "given_name", "custom_fields": ["plan"]}``. Default: the
        number alone, from ``phone_number``.
    :param policy: which kinds of numbers are taken: a ``NumberPolicy``, or the codes to allow such as
        ``["toll_free"]``. Default: landlines, mobiles and VoIP numbers.
    :param duplicates: which row stays when several have one number: ``"first"`` (default), ``"last"`` or
        ``"fail"``.
    :param suppression: do-not-call lists: :class:`SqlSuppression`, :class:`FileSuppression`, or one of them.
        (their queries and paths are templated)
    :param max_rejected: fail, after the files are written, when more rows than this are refused: an ``int``
        is a number of rows, a ``float`` a share of the rows read. Default: no limit.
    :param split_by: column by whose values the list is split. XCom is then a list of manifests, those of
        parts without contacts left out, ready for
        ``CreateBatchCallOperator.partial(...).expand(contacts=...)``.
    :param max_splits: how many parts there may be. Default 50.
    :raises MissingRegionError: no region was stated; when the Dag is parsed.
    :raises AirflowFailException: for errors that no retry can help.
    """

    template_fields: Sequence[str] = ("output_path", "suppression")
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e6f4ea"

    def __init__(
        self,
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.region = said(region)
        self.columns = columns if columns is None or isinstance(columns, Columns) else Columns(**columns)
        self.policy = policy if policy is None or isinstance(policy, NumberPolicy) else NumberPolicy(policy)
        self.duplicates = duplicates
        self.suppression = suppression
        self.max_rejected = max_rejected
        self.split_by = split_by
        self.max_splits = max_splits
        self._manifests: dict[str, Any] | list[dict[str, Any]] | None = None

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows, read when they are asked for."""

    @abstractmethod
    def source(self) -> str:
        """What the rows come from, without secrets, for the manifest."""

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Make the files and return their manifest, or the list of manifests."""
        self._manifests = contacts_from_rows(
            self.rows(),
            output_path=self.output_path,
            region=self.region,
            columns=self.columns,
            policy=self.policy,
            duplicates=self.duplicates,
            suppression=self.suppression,
            max_rejected=self.max_rejected,
            split_by=self.split_by,
            max_splits=self.max_splits,
            source=self.source(),
            context=context,
        )
        return self._manifests

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Rows in, contacts files out. Called by the OpenLineage provider, where it is installed."""
        from airflow_truedy.lineage import contacts_lineage

        return None if self._manifests is None else contacts_lineage(self._manifests, **self.lineage_source())

    def lineage_source(self) -> dict[str, Any]:
        """What the rows come from, as :func:`~airflow_truedy.lineage.contacts_lineage` takes it."""
        return {}


class SqlToContactsOperator(ContactsOperator):
    """
    Turn the rows of a query into a contacts file. Rows are streamed; memory does not grow with the list.

    :param sql: the query, or the name of a ``.sql`` file. On PostgreSQL a single ``SELECT``, ``VALUES`` or
        ``WITH``. Add an ``ORDER BY`` when the same rows shall make the same file again. (templated)
    :param conn_id: connection of any database whose hook is a ``DbApiHook``. (templated)
    :param parameters: for the query, as its driver takes them; shown in the UI, so no place for a number or name.
        (templated)
    :param hook_params: keyword arguments of the hook.

    All other parameters are those of :class:`ContactsOperator`.
    """

    template_fields: Sequence[str] = ("sql", "conn_id", "parameters", *ContactsOperator.template_fields)
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

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows of the query."""
        from airflow_truedy.operators.sql_rows import sql_rows

        return sql_rows(self.conn_id, self.sql, self.parameters, self.hook_params)

    def source(self) -> str:
        """Connection and a hash of the query: the text may hold what is not for XCom."""
        return f"connection {self.conn_id}, query {sha256(self.sql.encode()).hexdigest()[:12]}"

    def lineage_source(self) -> dict[str, Any]:
        """The hook and the query."""
        from airflow_truedy.operators.databases import hook_of

        return {"sql": (hook_of(self.conn_id, self.hook_params), self.sql)}


class FileToContactsOperator(ContactsOperator):
    """
    Turn the rows of a file into a contacts file.

    :param path: path or URI of a CSV, JSON Lines or Parquet file, on a disk or any object store. (templated)
    :param format: ``"csv"``, ``"jsonl"`` or ``"parquet"``. Default: by the name's ending.
    :param encoding: of a text file. Default: detected (byte order mark, UTF-8, else Windows-1252).
    :param delimiter: of a CSV file. Default: detected.

    All other parameters are those of :class:`ContactsOperator`.
    """

    template_fields: Sequence[str] = ("path", *ContactsOperator.template_fields)

    def __init__(
        self,
        *,
        path: str,
        format: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.format = format
        self.encoding = encoding
        self.delimiter = delimiter

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows of the file."""
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.files.reader import read_rows

        path = ObjectStoragePath(self.path)
        return read_rows(path, format=self.format, encoding=self.encoding, delimiter=self.delimiter)

    def source(self) -> str:
        """The path."""
        return f"file {self.path}"

    def lineage_source(self) -> dict[str, Any]:
        """The file."""
        return {"source_uri": self.path}
