"""
Where do-not-call lists come from: a query, a file, or the results of earlier campaigns; stated in a Dag and read when
the task runs.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta, timezone
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.contacts.errors import ContactsError, MissingColumnError
from airflow_truedy.contacts.rules import check_limit, check_list, check_list_region, column_called
from airflow_truedy.files.formats import told_columns
from airflow_truedy.files.rows import ReadOptions
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import VANISHED, Parameter, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_truedy.contacts.suppression import Suppression

_SQL = Parameters(
    Parameter("sql", kinds.text, required=True),
    Parameter("conn_id", kinds.text, required=True),
    Parameter("parameters", kinds.anything),
    Parameter("as_of", kinds.anything),
)
_FILE = Parameters(Parameter("path", kinds.place, required=True))
_TABLE = Parameters(
    Parameter("conn_id", kinds.text, required=True),
    Parameter("table", kinds.text, required=True),
    Parameter("launched", kinds.text, may_vanish=False),
)


@dataclass(kw_only=True)
class ListSource:
    """
    What do-not-call lists have in common, wherever they come from.

    :param region: see :class:`~airflow_truedy.contacts.suppression.Suppression`, as for ``hashed``, ``max_age``,
        ``max_unreadable`` and ``allow_empty``. Must be stated, unless ``hashed``.
    :param column: the column that holds the entries; upper and lower case may differ. Default: the only one; of several
        it must be stated.
    :param salt: see there; one whose template renders to nothing fails the task. (templated)
    """

    region: str | None = ""
    column: str | None = None
    hashed: bool = False
    salt: str = field(default="", repr=False)
    max_age: timedelta | None = None
    max_unreadable: int | float = 0
    allow_empty: bool = False

    _parameters: ClassVar[Parameters]

    def __post_init__(self) -> None:
        check_list(type(self).__name__, self)
        if self.column is not None and (not isinstance(self.column, str) or not self.column):
            raise ValueError(f"{type(self).__name__}: column={self.column!r} is not the name of a column")
        self._stated = self._parameters.check(self)
        self._has_salt = bool(self.salt)

    def _suppression(self, name: str, rows: Iterable[Mapping[str, Any]], as_of: datetime | None) -> Suppression:
        from airflow_truedy.contacts.suppression import Suppression

        self._parameters.read(self, self._stated)
        return Suppression(
            _cells(rows, self.column, name),
            name=name,
            region=self.region,
            hashed=self.hashed,
            salt=self._rendered_salt(),
            as_of=as_of,
            max_age=self.max_age,
            max_unreadable=self.max_unreadable,
            allow_empty=self.allow_empty,
        )

    def _rendered_salt(self) -> str:
        """Return the salt. With another one than the list was made with, no number is found in it."""
        from airflow_truedy.api.errors import InvalidPayloadError

        salt = kinds.text(self.salt)
        if self._has_salt and salt is None:
            problems = [("salt of a do-not-call list", "(nothing)", VANISHED)]
            raise InvalidPayloadError("invalid parameter", problems=problems)
        return salt or ""


@dataclass
class SqlSuppression(ListSource):
    """
    A do-not-call list that a query gives.

    :param sql: the query; its text, or the name of a ``.sql`` file. (templated)
    :param conn_id: connection of an SQL database. (templated)
    :param parameters: for the query; shown in the UI, so no place for a number or name. (templated)
    :param as_of: when the list was true: a datetime, or ISO 8601 text with an offset; needed with
        ``max_age``. (templated)

    All other parameters are those of :class:`ListSource`.
    """

    sql: str
    conn_id: str
    parameters: Any = None
    as_of: datetime | str | None = None

    _parameters = _SQL
    template_fields: ClassVar[Sequence[str]] = (*_SQL.template_fields, "salt")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_age is not None and self.as_of is None:
            raise ContactsError("SqlSuppression: max_age= needs as_of=, when the list was true")

    def open(self) -> Suppression:
        """Return the list, ready to be read."""
        from airflow_truedy.hooks.databases import sql_rows

        name = f"do-not-call list of connection {self.conn_id}"
        return self._suppression(name, sql_rows(self.conn_id, self.sql, self.parameters), _moment(self.as_of))


@dataclass
class FileSuppression(ListSource):
    """
    A do-not-call list in a file with a header, or in a folder or pattern of such files: CSV, JSON Lines, Parquet or
    Excel, on a disk or an object store. Its age is the time since it was changed; of several files, since the oldest
    was.

    :param path: path or URI. (templated)
    :param format: see :class:`~airflow_truedy.files.rows.ReadOptions`, as for ``encoding``, ``delimiter`` and
        ``sheet``.

    All other parameters are those of :class:`ListSource`.
    """

    path: str
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None

    _parameters = _FILE
    template_fields: ClassVar[Sequence[str]] = (*_FILE.template_fields, "salt")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._options = ReadOptions(self.format, self.encoding, self.delimiter, self.sheet)

    def open(self) -> Suppression:
        """Return the list, ready to be read."""
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.contacts.suppression import changed_at
        from airflow_truedy.files.reader import read_rows

        path = ObjectStoragePath(self.path)
        rows = read_rows(path, self._options)
        return self._suppression(f"do-not-call list {self.path}", rows, changed_at(path) if self.max_age else None)


@dataclass
class RecentlyCalled:
    """
    A list for ``suppression=`` that holds back people who were called often enough, whichever campaigns called.

    Counted are the rows of a results table: each call, one that tells no time, and each person that a campaign in the
    table may still call. A campaign whose results were never read is not in it unless ``launched`` has it, and a single
    call is not.

    :param conn_id: connection of the database with the table of ``BatchCallResultsOperator``. (templated)
    :param table: its name. Default ``results``. (templated)
    :param calls: a person who was called so often
    :param days: in so many days is held back. Default of both: the caps of the rules in ``calling_hours`` that apply
        where the person is; people in places without a cap are not held back.
    :param region: in which region numbers without ``+`` are read. Default: such a number fails the task.
    :param max_unreadable: see :class:`~airflow_truedy.contacts.suppression.Suppression`.
    :param launched: a table of your own beside it, with a row (``batch_call_id``, ``phone_number``, ``starts_at``) for
        everybody in a campaign that you scheduled. They count as calls at that time until the results of their campaign
        are read. Default: there is none. (templated)
    :param hook_params: keyword arguments of the hook.
    :raises ContactsError: only one of ``calls`` and ``days`` is stated, or they hold nobody back.
    """

    conn_id: str
    table: str = "results"
    _: KW_ONLY
    calls: int | None = None
    days: float | None = None
    region: str | None = None
    max_unreadable: int | float = 0
    launched: str | None = None
    hook_params: Mapping[str, Any] | None = field(default=None, repr=False)

    template_fields: ClassVar[Sequence[str]] = _TABLE.template_fields

    def __post_init__(self) -> None:
        if (self.calls is None) != (self.days is None):
            raise ContactsError("recently_called: calls= and days= belong together")
        for name in ("calls", "days"):
            if not isinstance(getattr(self, name), (int, float, NoneType)):
                raise ContactsError(f"recently_called: {name}={getattr(self, name)!r} must be a number")
        if self.calls is not None and self.days is not None and not (self.calls >= 1 and self.days > 0):
            raise ContactsError(f"recently_called: {self.calls!r} calls in {self.days!r} days hold nobody back")
        check_list_region(self.region, hashed=False)
        check_limit("recently_called: max_unreadable", self.max_unreadable, "entries")
        self._stated = _TABLE.check(self)

    @property
    def by_caps(self) -> bool:
        """Tell whether how often is too often depends on where a person is."""
        return self.calls is None

    def open(self) -> Suppression:
        """
        Return the list, ready to be read.

        :raises ContactsError: how often is too often is not stated.
        """
        if self.calls is None or self.days is None:
            raise ContactsError(
                "recently_called takes the caps of the rules in calling_hours=, and there are none here; state calls= "
                "and days="
            )
        return self.within(self.calls, timedelta(days=self.days))

    def within(self, calls: int, period: timedelta) -> Suppression:
        """Return the list of people who were called so often in the period until now."""
        from airflow_truedy.contacts.suppression import Suppression
        from airflow_truedy.hooks.databases import table_of

        _TABLE.read(self, self._stated)
        table = table_of({"conn_id": self.conn_id, "table": self.table, "hook_params": self.hook_params})
        return Suppression(
            table.called_often(calls, datetime.now(timezone.utc) - period, self.launched),
            name=f"people called {calls} times in {period / timedelta(days=1):.3g} days, by table {self.table}",
            region=self.region,
            max_unreadable=self.max_unreadable,
            allow_empty=True,
        )


#: As Dags write it.
recently_called = RecentlyCalled


def _cells(rows: Iterable[Mapping[str, Any]], column: str | None, name: str) -> Iterator[Any]:
    from airflow_truedy.files.rows import BrokenRow

    found = None
    for row in rows:
        if isinstance(row, BrokenRow):
            yield "unreadable row"  # counts as an entry that cannot be read
        elif column is None:
            if len(row) > 1:
                told = told_columns(row)
                raise MissingColumnError(f"{name}: state column=, the one that holds the entries, of {told}")
            yield next(iter(row.values()), None)
        else:
            if found is None or found not in row:
                found = column_called(column, row)
            if found is None:
                raise MissingColumnError(f"{name}: no column {column!r}; there are {told_columns(row)}")
            yield row[found]


def _moment(value: datetime | str | None) -> datetime | None:
    from airflow_truedy.formats import moment_of

    if not isinstance(value, str):
        return value
    try:
        return moment_of(value)
    except ValueError:
        raise ContactsError(f"as_of={value!r} is not an ISO 8601 date and time") from None
