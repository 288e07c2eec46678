"""The same number in several rows: keep the first, keep the last, or fail."""

from __future__ import annotations

import copyreg
import pickle
import tempfile
from array import array
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.number_set import NumberSet
from airflow_truedy.contacts.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.contacts.convert import RowOutcome
    from airflow_truedy.contacts.rules import Duplicates

_BLOCK = 1_000


def drop_duplicates(outcomes: Iterable[RowOutcome], keep: Duplicates) -> Iterator[RowOutcome]:
    """
    Mark contacts with the same number as duplicates, except the one that is kept.

    :param outcomes: in the order of the rows; they come out in the same order.
    :param keep: which of the rows with one number stays.
    """
    return _keep_last(outcomes) if keep == "last" else _keep_first(outcomes)


def _keep_first(outcomes: Iterable[RowOutcome]) -> Iterator[RowOutcome]:
    add = NumberSet().add
    for outcome in outcomes:
        if outcome.reason is None and not add(outcome.number):
            yield outcome._replace(reason=Reason.DUPLICATE)
        else:
            yield outcome


def _keep_last(outcomes: Iterable[RowOutcome]) -> Iterator[RowOutcome]:
    """
    Write everything down, read the numbers from the end to learn which row is the last, then read it all
    again.
    """
    with tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as numbers:
        total = _write_down(outcomes, rows, numbers)
        is_last = _mark_last(numbers, total)
        rows.seek(0)
        index = 0
        while index < total:
            for outcome in pickle.load(rows):  # noqa: S301 - our own file without a name
                if outcome.reason is None and not is_last[index >> 3] >> (index & 7) & 1:
                    yield outcome._replace(reason=Reason.DUPLICATE)
                else:
                    yield outcome
                index += 1


def _write_down(outcomes: Iterable[RowOutcome], rows: Any, numbers: Any) -> int:
    total = 0
    iterator = iter(outcomes)
    pickler = pickle.Pickler(rows, pickle.HIGHEST_PROTOCOL)
    # PostgreSQL gives bytes as memoryview, which cannot be pickled.
    pickler.dispatch_table = {**copyreg.dispatch_table, memoryview: lambda view: (bytes, (bytes(view),))}
    while chunk := [_picklable(outcome) for outcome in islice(iterator, _BLOCK)]:
        pickler.dump(chunk)
        pickler.clear_memo()
        array("Q", [outcome.number for outcome in chunk]).tofile(numbers)
        total += len(chunk)
    return total


def _picklable(outcome: RowOutcome) -> RowOutcome:
    return outcome if type(outcome.row) is dict else outcome._replace(row=dict(outcome.row))


def _mark_last(numbers: Any, total: int) -> bytearray:
    """One bit for each row: whether its number comes in no later row."""
    is_last = bytearray(total // 8 + 1)
    seen = NumberSet()
    for start in range((total - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        block = array("Q")
        numbers.seek(start * 8)
        block.frombytes(numbers.read(min(_BLOCK, total - start) * 8))
        for offset in range(len(block) - 1, -1, -1):
            if block[offset] and seen.add(block[offset]):
                index = start + offset
                is_last[index >> 3] |= 1 << (index & 7)
    return is_last
