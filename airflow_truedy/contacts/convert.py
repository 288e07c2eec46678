"""Turn each row into a contact or a reason, in order. Each row is judged by itself, whatever the others hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.contacts.contacts_file import line_of
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.regions import REGIONS
from airflow_truedy.contacts.rules import Region, RegionColumn
from airflow_truedy.contacts.values import UnreadableTextError, key_of, text_of
from airflow_truedy.files.rows import BrokenRow, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_truedy.calling_hours.placement import Placement
    from airflow_truedy.contacts.rules import ContactRules

#: In so many rows at the beginning a column of the mapping must occur once; rows of JSON Lines may leave keys out.
_ROWS_LOOKED_AT = 1_000
#: A value to split by gets into XCom, and there is one for each part.
_LONGEST_PART = 200


class RowOutcome(NamedTuple):
    """
    What became of a row so far.

    :ivar row_number: the first row is 1.
    :ivar row: the row.
    :ivar number: the digits of the E.164 number; 0 if the row was refused here.
    :ivar line: the contact as one line of a contacts file, without its end.
    :ivar reason: why the row was rejected; ``None`` while it is a contact.
    :ivar part: the value to split by; nothing if the list is not split by a column.
    :ivar placed: where the contact is and when it may be called; ``None`` until that is known.
    """

    row_number: int
    row: Row
    number: int
    line: bytes
    reason: Reason | None
    part: str = ""
    placed: Placement | None = None


def begin(rows: Any, rules: ContactRules) -> tuple[Iterator[Row], ContactRules]:
    """
    Look at the first rows for the names of the columns.

    :param rows: an iterable of mappings from column to value, or a data frame.
    :return: all rows, and the rules with the columns named as the rows have them.
    :raises ContactsError: these are not rows.
    :raises UnknownRegionError: the stated region has no phone numbers.
    :raises MissingColumnError: a column of the rules is in none of the first 1,000 rows.
    """
    first, others = _begun(_mappings(rows))
    present = {name for row in first for name in row} if first else rules.named()
    return chain(first, others), rules.found_in(present)


def convert(rows: Iterable[Row], rules: ContactRules) -> Iterator[RowOutcome]:
    """
    Turn rows into outcomes, one by one and in order.

    :param rows: mappings from column to value, as :func:`begin` returns them.
    """
    result_of, split_by = _converter(rules), rules.split_by
    for row_number, row in enumerate(rows, 1):
        result = result_of(row)
        if isinstance(result, Reason):
            outcome = RowOutcome(row_number, row, 0, b"", result)
        else:
            outcome = RowOutcome(row_number, row, result[0], result[1], None)
        yield outcome if split_by is None else _in_part(outcome, split_by)


def _in_part(outcome: RowOutcome, split_by: str) -> RowOutcome:
    """Add to which part the row belongs, or refuse it if that cannot be known."""
    try:
        part = text_of(outcome.row.get(split_by))
    except UnreadableTextError:
        part = None
    if part is None or len(part) > _LONGEST_PART:
        return outcome._replace(number=0, line=b"", reason=outcome.reason or Reason.UNREADABLE_TEXT)
    return outcome._replace(part=part)


def _mappings(rows: Any) -> Iterator[Row]:
    """
    Yield the rows of anything that holds some: an iterable of mappings, or a table of pandas, polars, pyarrow or Spark.

    :raises ContactsError: it holds none, or has two columns of one name: which is meant would be a guess.
    """
    if hasattr(rows, "itertuples") or hasattr(rows, "to_batches") or hasattr(rows, "toLocalIterator"):
        names: Any = getattr(rows, "column_names", None) or getattr(rows, "columns", ())
        _check_names(names)
    if hasattr(rows, "itertuples"):
        return (dict(zip(names, values, strict=True)) for values in rows.itertuples(index=False, name=None))
    if hasattr(rows, "iter_rows"):
        return iter(rows.iter_rows(named=True))
    if hasattr(rows, "to_batches"):
        return (row for batch in rows.to_batches() for row in batch.to_pylist())
    if hasattr(rows, "toLocalIterator"):
        return (row.asDict() for row in rows.toLocalIterator())
    if isinstance(rows, (Mapping, str, bytes)) or not hasattr(rows, "__iter__"):
        raise ContactsError(f"rows is {type(rows).__name__}: give an iterable of mappings from column to value")
    return iter(rows)


def _check_names(names: Iterable[Any]) -> None:
    twice = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ContactsError(f"rows has two columns of one name: {twice}; name them apart")


def _begun(rows: Iterator[Row]) -> tuple[list[Row], Iterator[Row]]:
    """Return the first rows and the others; copies, where the source fills one mapping again for each row."""
    first: list[Row] = []
    fills_again, last = False, None
    checked = map(_mapping, rows, count(1))
    for row in islice(checked, _ROWS_LOOKED_AT):
        fills_again = fills_again or row is last or not isinstance(row, Mapping)
        last = row
        first.append(row if type(row) is BrokenRow else dict(row))
    return first, map(dict, checked) if fills_again else checked


def _mapping(row: Any, at: int) -> Row:
    if not hasattr(row, "keys"):
        raise ContactsError(f"Row {at} is {type(row).__name__}, not a mapping from column to value")
    return row  # type: ignore[no-any-return]


def _converter(rules: ContactRules) -> Callable[[Row], tuple[int, bytes] | Reason]:
    """Return the function from a row to its number and line, or to the reason why it has none."""
    from airflow_truedy.contacts.numbers import normaliser

    verdict_of = normaliser(rules.allow)
    fields_of = rules.columns.reader()
    phone_column, key_column = rules.columns.phone_number, rules.columns.contact_key
    region_of = _region_reader(rules.region)

    def result_of(row: Row) -> tuple[int, bytes] | Reason:
        if type(row) is BrokenRow:
            return Reason.UNREADABLE_ROW
        try:
            "".join(row)  # the fastest way to learn whether all keys are text
        except TypeError:
            return Reason.UNREADABLE_ROW
        region, without_region = region_of(row)
        verdict = verdict_of(row.get(phone_column), region)
        if isinstance(verdict, Reason):
            return without_region if verdict is Reason.NO_COUNTRY_CODE else verdict
        fields = fields_of(row)
        if isinstance(fields, Reason):
            return fields
        try:
            key = key_of(row.get(key_column)) if key_column else ""
            return int(verdict), line_of({"phone_number": verdict, **fields}, key)
        except ValueError:  # half of a surrogate pair, or a NUL character
            return Reason.UNREADABLE_TEXT

    return result_of


def _region_reader(region: Region) -> Callable[[Row], tuple[str | None, Reason]]:
    """
    The function from a row to its region and to the reason to give when a number would need one and has none.
    """
    if not isinstance(region, RegionColumn):
        fixed = (region, Reason.NO_COUNTRY_CODE)
        return lambda _: fixed
    column = region.name

    def read(row: Row) -> tuple[str | None, Reason]:
        try:
            code = text_of(row.get(column)).upper()
        except UnreadableTextError:
            return None, Reason.REGION_UNKNOWN
        if code in REGIONS:
            return code, Reason.NO_COUNTRY_CODE
        return None, Reason.REGION_UNKNOWN if code else Reason.REGION_MISSING

    return read
