"""Rows of files that hold typed values: Parquet and Excel."""

from __future__ import annotations

import io
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from airflow_truedy.extras import missing
from airflow_truedy.files.csv_rows import header_of
from airflow_truedy.files.errors import RowsFileError
from airflow_truedy.files.rows import BrokenRow, as_integer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_truedy.files.rows import Row

_ROWS_AT_ONCE = 1_000


def parquet_rows(path: Any, stream: IO[bytes]) -> Iterator[Row]:
    """
    Yield the rows of a Parquet file; one with a value that Python cannot hold as :class:`BrokenRow` without it.

    :raises RowsFileError: it is not one, or pyarrow is missing.
    """
    parquet = _library("pyarrow.parquet", "Reading Parquet", "pyarrow")
    try:
        file = parquet.ParquetFile(stream)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise RowsFileError(f"{path} has two columns of one name")
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            try:
                rows = batch.to_pylist()
            except Exception:  # in one of them, perhaps; which exception depends on the type
                rows = [_parquet_row(batch, index) for index in range(batch.num_rows)]
            yield from rows
    except (import_module("pyarrow").ArrowException, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise  # of the disk or store, not of the file
        raise RowsFileError(f"{path} cannot be read as Parquet: {type(error).__name__}") from None


def _parquet_row(batch: Any, index: int) -> Row:
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = _parquet_value(column[index])
        except Exception:  # noqa: S112 - the row is refused, and says so
            continue
    return BrokenRow(row) if len(row) < len(batch.columns) else row


def _parquet_value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except ValueError:
        if not str(scalar.type).startswith("timestamp"):
            raise
        # Finer than a microsecond, which is all that a datetime holds.
        return scalar.cast("string").as_py().replace(" ", "T")


def excel_rows(path: Any, stream: IO[bytes], sheet: str | None) -> Iterator[Row]:
    """
    Yield the rows of a sheet of a workbook. The sheet is in memory while it is read.

    :param sheet: its name. Default: the only one that is visible.
    :raises RowsFileError: it is not a workbook, has no such sheet or several, or python-calamine is missing.
    """
    calamine = _library("python_calamine", "Reading Excel workbooks", "python-calamine")
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        visible = [each.name for each in book.sheets_metadata if each.visible == calamine.SheetVisibleEnum.Visible]
        if sheet is None and len(visible) != 1:
            raise RowsFileError(f"{path} has the sheets {visible}; state which one with sheet=")
        if sheet is not None and sheet not in book.sheet_names:
            raise RowsFileError(f"{path} has no sheet {sheet!r}; it has {book.sheet_names}")
        rows = iter(book.get_sheet_by_name(sheet or visible[0]).to_python(skip_empty_area=True))
    except calamine.CalamineError as error:
        raise RowsFileError(f"{path} cannot be read as an Excel workbook: {type(error).__name__}") from None
    header = header_of(path, [str(cell) for cell in next(rows, ())])
    for cells in rows:
        if any(cell != "" for cell in cells):
            yield dict(zip(header, map(as_integer, cells), strict=True))


def _library(module: str, what: str, library: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise RowsFileError(missing(what, library)) from None
