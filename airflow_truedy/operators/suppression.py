"""Where do-not-call lists come from: a query or a file, stated in a Dag and read when the task runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_truedy.contacts.errors import ContactsError, MissingColumnError
from airflow_truedy.contacts.rules import check_list_region, column_called
from airflow_truedy.files.rows import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from airflow_truedy.contacts.suppression import Suppression


@dataclass(kw_only=True)
class ListSource:
    """
    What do-not-call lists have in common, wherever they come from.

    :param region: see :class:`~airflow_truedy.contacts.suppression.Suppression`, as for ``hashed``, ``max_age``,
        ``max_unreadable`` and ``allow_empty``. Must be stated, unless ``hashed``.
    :param column: the column that holds the entries; upper and lower case may differ. Default: the first one.
    :param salt: see there; one whose template renders to nothing fails the task. (templated)
    """

    region: str | None = ""
    column: str | None = None
    hashed: bool = False
    salt: str = field(default="", repr=False)
    max_age: timedelta | None = None
    max_unreadable: int | float = 0
    allow_empty: bool = False

    def __post_init__(self) -> None:
        check_list_region(self.region, self.hashed)
        self._has_salt = bool(self.salt)

    def _suppression(self, name: str, rows: Iterable[Mapping[str, Any]], as_of: datetime | None) -> Suppression:
        from airflow_truedy.contacts.suppression import Suppression

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
        from airflow_truedy.operators.parameters import VANISHED, text

        salt = text(self.salt)
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

    template_fields: ClassVar[Sequence[str]] = ("sql", "conn_id", "parameters", "as_of", "salt")

    def open(self) -> Suppression:
        """Return the list, ready to be read."""
        from airflow_truedy.operators.databases import sql_rows

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

    template_fields: ClassVar[Sequence[str]] = ("path", "salt")

    def open(self) -> Suppression:
        """Return the list, ready to be read."""
        from airflow.sdk import ObjectStoragePath

        from airflow_truedy.contacts.suppression import changed_at
        from airflow_truedy.files.reader import read_rows

        path = ObjectStoragePath(self.path)
        rows = read_rows(path, ReadOptions(self.format, self.encoding, self.delimiter, self.sheet))
        return self._suppression(f"do-not-call list {self.path}", rows, changed_at(path) if self.max_age else None)


def _cells(rows: Iterable[Mapping[str, Any]], column: str | None, name: str) -> Iterator[Any]:
    from airflow_truedy.files.rows import BrokenRow

    found = None
    for row in rows:
        if isinstance(row, BrokenRow):
            yield "unreadable row"  # counts as an entry that cannot be read
        elif column is None:
            yield next(iter(row.values()), None)
        else:
            if found is None or found not in row:
                found = column_called(column, row)
            if found is None:
                raise MissingColumnError(f"{name}: no column {column!r}; there are {sorted(row)}")
            yield row[found]


def _moment(value: datetime | str | None) -> datetime | None:
    from airflow_truedy.formats import moment_of

    if not isinstance(value, str):
        return value
    try:
        return moment_of(value)
    except ValueError:
        raise ContactsError(f"as_of={value!r} is not an ISO 8601 date and time") from None
