"""
``python -m airflow_truedy.contacts FILE --region US``: what would become of a file's rows; nothing is
written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.convert import RowOutcome, begin
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.contacts.output import written
from airflow_truedy.contacts.prepare import accounted
from airflow_truedy.contacts.reasons import ALLOWABLE, Reason
from airflow_truedy.contacts.rules import ContactRules, Region, RegionColumn
from airflow_truedy.contacts.suppression import Suppression
from airflow_truedy.files.errors import FileError
from airflow_truedy.files.formats import FORMATS
from airflow_truedy.files.paths import open_local
from airflow_truedy.files.reader import read_rows
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SECONDS_BEFORE_PROGRESS = 1.0
_ROWS_BETWEEN_LOOKS = 5_000


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line. Default: those of this process.
    :return: 0, or 1 when the file or an option cannot be used.
    """
    options = _parser().parse_args(arguments)
    try:
        report = _report(options)
    except (ContactsError, FileError) as error:
        sys.stderr.write(f"Cannot do that: {error}\n")
        return 1
    sys.stdout.write(f"{report}\n")
    return 0


def _report(options: argparse.Namespace) -> str:
    region = _region(options)
    fields = {name: getattr(options, name) for name in ("first_name", "last_name", "full_name", "email")}
    rules = ContactRules(
        region=region,
        columns=Columns(options.phone, custom_fields=OTHERS, **fields),
        allow=options.allow,
        duplicates=options.keep,
        suppression=[_suppression(path, _suppress_region(options, region)) for path in options.suppress],
    )
    stated = {name: getattr(options, name) for name in ("format", "encoding", "delimiter", "sheet")}
    rows, rules = begin(read_rows(options.file, **stated), rules)
    counts: Counter[Reason | None] = Counter()
    examples: list[RowOutcome] = []
    for outcome in _with_progress(accounted(rows, rules, datetime.now(timezone.utc))):
        counts[outcome.reason] += 1
        if outcome.reason is not None and len(examples) < options.show:
            examples.append(outcome)
    return "\n".join([*_summary(counts), *_examples(examples, rules.columns.phone_number)])


def _summary(counts: Counter[Reason | None]) -> Iterator[str]:
    total = sum(counts.values())
    yield f"{total:>12,} rows read"
    yield f"{counts[None]:>12,} contacts{_share(counts[None], total)}"
    for reason, count in counts.most_common():
        if reason is not None:
            yield f"{count:>12,} {reason.value}{_share(count, total)}: {reason.explanation}"


def _examples(outcomes: list[RowOutcome], phone_column: str) -> Iterator[str]:
    if outcomes:
        yield f"First {len(outcomes)} rejected rows (numbers masked):"
    for outcome in outcomes:
        assert outcome.reason is not None
        masked = mask_number(written(outcome.row.get(phone_column)).strip()) or "(empty)"
        yield f"  row {outcome.row_number:<9,} {masked:<24} {outcome.reason.value}"


def _share(count: int, total: int) -> str:
    return f" ({count / total:.1%})" if total else ""


def _with_progress(outcomes: Iterable[RowOutcome]) -> Iterator[RowOutcome]:
    """On a terminal, and when it takes longer: how many rows are done and how fast."""
    started, is_shown = time.monotonic(), False
    on_terminal = sys.stderr.isatty()
    for count, outcome in enumerate(outcomes, 1):
        yield outcome
        if on_terminal and count % _ROWS_BETWEEN_LOOKS == 0:
            seconds = time.monotonic() - started
            if seconds > _SECONDS_BEFORE_PROGRESS:
                sys.stderr.write(f"\r{count:>12,} rows, {count / seconds:,.0f} a second")
                sys.stderr.flush()
                is_shown = True
    if is_shown:
        sys.stderr.write("\r" + " " * 50 + "\r")


def _region(options: argparse.Namespace) -> Region:
    if options.region_column:
        return RegionColumn(options.region_column)
    return None if options.plus_only else str(options.region)


def _suppress_region(options: argparse.Namespace, region: Region) -> str | None:
    """A do-not-call list has no column of regions; where the rows have one, an option tells the list's."""
    if options.suppress_region:
        return str(options.suppress_region)
    return None if isinstance(region, RegionColumn) else region


def _suppression(path: str, region: str | None) -> Suppression:
    """Entries of a text file with one number on each line, or of the first column of a CSV file."""
    cells: Iterable[Any]
    if path.endswith((".csv", ".csv.gz", ".parquet")):
        cells = (next(iter(row.values()), None) for row in read_rows(path))
    else:
        cells = open_local(path).read_text(encoding="utf-8-sig").splitlines()
    return Suppression(cells, name=path, region=region)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_truedy.contacts",
        description="Show what would become of a file's rows: contacts, duplicates, refused rows by reason. "
        "Writes nothing and shows no number in full.",
    )
    add = parser.add_argument
    add("file", help="CSV, JSON Lines, Parquet or Excel")
    region = parser.add_mutually_exclusive_group(required=True)
    region.add_argument("--region", metavar="US", help="ISO 3166 code in which numbers without + are read")
    region.add_argument("--region-column", metavar="NAME", help="column that holds such codes")
    region.add_argument("--plus-only", action="store_true", help="take only numbers that start with +")
    add("--phone", metavar="NAME", default="phone_number", help="column of the number (default: %(default)s)")
    for field in ("first-name", "last-name", "full-name", "email"):
        add(f"--{field}", metavar="NAME", help=f"column of the {field.replace('-', ' ')}")
    kinds = sorted(reason.value for reason in ALLOWABLE)
    add("--allow", nargs="+", default=[], choices=kinds, metavar="KIND", help=f"take also: {', '.join(kinds)}")
    add("--keep", choices=("first", "last"), default="first", help="which of the rows with one number stays")
    add("--suppress", action="append", default=[], metavar="FILE", help="do-not-call list; may be repeated")
    add("--suppress-region", metavar="US", help="region of the do-not-call lists, where it is not that of the rows")
    add("--format", choices=FORMATS, help="default: by the name's ending")
    add("--encoding", help="default: detected")
    add("--delimiter", help="default: detected")
    add("--sheet", help="of an Excel workbook; default: the only visible one")
    add("--show", type=int, default=10, metavar="N", help="refused rows to show (default: %(default)s)")
    return parser
