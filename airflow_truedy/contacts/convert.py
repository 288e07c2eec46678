"""Rows -> what became of each, in the order of the rows. Each row by itself: no other row matters here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.region import Region, RegionColumn, require_known
from airflow_truedy.contacts.wire import line_of

if TYPE_CHECKING:
    from airflow_truedy.contacts.policy import NumberPolicy

Row = Mapping[str, Any]

#: In so many rows at the beginning a column of the mapping must stand once; rows of JSON Lines may leave
#: keys out.
_ROWS_LOOKED_AT = 1_000


class BrokenRow(dict[str, Any]):
    """
    A row which its file did not hold properly: cells do not match the header, or a line is no JSON object.
    """


@dataclass(frozen=True)
class Recipe:
    """All that decides what becomes of one row by itself."""

    region: Region
    columns: Columns
    policy: NumberPolicy


class Outcome(NamedTuple):
    """
    What became of a row so far.

    :ivar row_number: the first row is 1.
    :ivar row: the row.
    :ivar number: the digits of the E.164 number; 0 if the row was refused here.
    :ivar line: the contact as one line of a contacts file, without its end.
    :ivar reason: why it is no contact; ``None`` while it is one.
    """

    row_number: int
    row: Row
    number: int
    line: bytes
    reason: Reason | None


def convert(rows: Iterable[Row], recipe: Recipe) -> Iterator[Outcome]:
    """
    Turn rows into outcomes, one by one and in order.

    :param rows: mappings from column to value.
    :param recipe: region, mapping and policy.
    :raises UnknownRegionError: the stated region has no phone numbers.
    :raises MissingColumnError: a column of the mapping is in none of the first 1,000 rows.
    """
    if isinstance(recipe.region, str):
        require_known(recipe.region)
    iterator = iter(rows)
    first = list(islice(iterator, _ROWS_LOOKED_AT))
    if first:
        _check_columns(first, recipe)
    result_of = _converter(recipe)
    for row_number, row in enumerate(chain(first, iterator), 1):
        result = result_of(row)
        if isinstance(result, Reason):
            yield Outcome(row_number, row, 0, b"", result)
        else:
            yield Outcome(row_number, row, result[0], result[1], None)


def _converter(recipe: Recipe) -> Callable[[Row], tuple[int, bytes] | Reason]:
    """The function from a row to its number and line, or to the reason why it has none."""
    from airflow_truedy.contacts.numbers import normaliser

    verdict_of = normaliser(recipe.policy)
    fields_of = recipe.columns.reader()
    phone_column = recipe.columns.phone_number
    region_of = _region_reader(recipe.region)

    def result_of(row: Row) -> tuple[int, bytes] | Reason:
        if type(row) is BrokenRow:
            return Reason.UNREADABLE_ROW
        region, without_region = region_of(row)
        verdict = verdict_of(row.get(phone_column), region)
        if isinstance(verdict, Reason):
            return without_region if verdict is Reason.NO_COUNTRY_CODE else verdict
        fields = fields_of(row)
        if isinstance(fields, Reason):
            return fields
        try:
            return int(verdict), line_of({"phone_number": verdict, **fields})
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
    from phonenumbers import SUPPORTED_REGIONS

    column = region.name

    def read(row: Row) -> tuple[str | None, Reason]:
        code = str(row.get(column) or "").strip().upper()
        if code in SUPPORTED_REGIONS:
            return code, Reason.NO_COUNTRY_CODE
        return None, Reason.REGION_UNKNOWN if code else Reason.REGION_MISSING

    return read


def _check_columns(rows: list[Row], recipe: Recipe) -> None:
    present = {name for row in rows for name in row}
    recipe.columns.check(present)
    if isinstance(recipe.region, RegionColumn):
        Columns(phone_number=recipe.region.name).check(present)
