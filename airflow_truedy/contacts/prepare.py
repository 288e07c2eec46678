"""
Rows -> contacts file, rejects file and manifest, in one pass and in memory that does not grow with the list.

::

    rows -> convert -> drop duplicates -> drop suppressed -> one contacts file and rejects file per part
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.convert import Outcome, Recipe, convert
from airflow_truedy.contacts.duplicates import POLICIES, Duplicates, drop_duplicates
from airflow_truedy.contacts.errors import (
    DuplicateContactError,
    TooManyRejectedError,
)
from airflow_truedy.contacts.parts import Parts
from airflow_truedy.contacts.policy import NumberPolicy
from airflow_truedy.contacts.region import UNSAID, Region, Unsaid, said
from airflow_truedy.contacts.suppression import Suppression, suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_truedy.contacts.manifest import Manifest
    from airflow_truedy.files.rows import Row


def prepare_contacts(
    rows: Iterable[Row],
    to: Any,
    *,
    region: Region | Unsaid = UNSAID,
    columns: Columns | None = None,
    policy: NumberPolicy | None = None,
    duplicates: Duplicates = "first",
    suppression: Sequence[Suppression] = (),
    max_rejected: int | float | None = None,
    source: str = "rows",
    made_by: Mapping[str, Any] | None = None,
) -> Manifest:
    """
    Turn rows into a contacts file, a rejects file next to it, and the manifest of both.

    Every row ends as a contact, or in the rejects file with its reason. The files appear when the last row is
    done, or not at all.

    :param rows: mappings from column to value; read once.
    :param to: where the contacts file goes, a path or ``ObjectStoragePath`` that ends in ``.jsonl.gz``. The
        rejects file is named alike and ends in ``.rejects.csv``.
    :param region: in which region numbers without ``+`` are read: an ISO 3166 code, a :class:`RegionColumn`,
        or ``None`` (only numbers with ``+`` are taken). Must be stated.
    :param columns: which columns become which fields. Default: the number alone, from ``phone_number``.
    :param policy: which kinds of numbers are taken. Default: landlines, mobiles, VoIP numbers.
    :param duplicates: which row stays when several have one number: ``"first"`` (default), ``"last"``, or
        ``"fail"``: the files are written and the call fails.
    :param suppression: do-not-call lists. Default: none.
    :param max_rejected: fail, after the files are written, when more rows than this are refused (duplicates
        and suppressed rows do not count): an ``int`` is a number of rows, a ``float`` a share of the rows
        read. Default: no limit.
    :param source: what the rows come from, for the manifest; no secrets.
    :param made_by: Dag, task and run, for the manifest.
    :raises MissingRegionError: no region was stated.
    :raises MissingColumnError: a mapped column does not exist.
    :raises TooManyRejectedError: see ``max_rejected``.
    :raises DuplicateContactError: see ``duplicates``.
    :raises StaleSuppressionError: a do-not-call list is too old.
    """
    recipe = Recipe(said(region), columns or Columns(), policy or NumberPolicy())
    with tempfile.TemporaryDirectory(prefix="contacts-") as folder:
        parts = Parts(Path(folder), to, recipe, source, made_by)
        parts.take(_account(rows, recipe, duplicates, suppression))
        (manifest,) = parts.publish(at_least_one=True)
    _check_limits([manifest], duplicates, max_rejected)
    return manifest


def prepare_split(
    rows: Iterable[Row],
    to: Any,
    *,
    split_by: str,
    max_splits: int = 50,
    region: Region | Unsaid = UNSAID,
    columns: Columns | None = None,
    policy: NumberPolicy | None = None,
    duplicates: Duplicates = "first",
    suppression: Sequence[Suppression] = (),
    max_rejected: int | float | None = None,
    source: str = "rows",
    made_by: Mapping[str, Any] | None = None,
) -> list[Manifest]:
    """
    As :func:`prepare_contacts`, with one contacts file, rejects file and manifest for each value of a column.

    A number is in one of the files only, whatever the values of its rows. Counts in a manifest are those of
    the rows with its value; ``max_rejected`` looks at all of them together.

    :param split_by: the column; rows where it is empty are a part of their own. A row whose value is no text, or
        longer than 200 characters, is refused.
    :param max_splits: how many values there may be. Each takes about 0.3 MB of memory. Default 50.
    :raises TooManySplitsError: there are more values.
    :raises MissingColumnError: the column does not exist.
    """
    recipe = Recipe(said(region), columns or Columns(), policy or NumberPolicy(), split_by)
    with tempfile.TemporaryDirectory(prefix="contacts-") as folder:
        parts = Parts(Path(folder), to, recipe, source, made_by, max_splits)
        parts.take(_account(rows, recipe, duplicates, suppression))
        manifests = parts.publish(at_least_one=False)
    _check_limits(manifests, duplicates, max_rejected)
    return manifests


def _account(
    rows: Iterable[Row],
    recipe: Recipe,
    duplicates: Duplicates,
    suppression: Sequence[Suppression],
) -> Iterator[Outcome]:
    if duplicates not in POLICIES:
        raise ValueError(f"duplicates={duplicates!r} is none of {POLICIES}")
    suppressed = suppressed_numbers(suppression)
    outcomes = drop_duplicates(convert(rows, recipe), duplicates)
    return suppressed.drop(outcomes) if suppressed else outcomes


def _check_limits(manifests: list[Manifest], duplicates: Duplicates, max_rejected: int | float | None) -> None:
    repeated = sum(manifest.duplicates for manifest in manifests)
    if duplicates == "fail" and repeated:
        raise DuplicateContactError(
            f"{repeated} rows hold a number that another row holds; the rejects file names them "
            f'("duplicate"): {_rejects_of(manifests)}'
        )
    rejected, rows_read = sum(m.rejected for m in manifests), sum(m.rows_read for m in manifests)
    if max_rejected is not None and _is_too_many(rejected, rows_read, max_rejected):
        reasons: Counter[str] = Counter()
        for manifest in manifests:
            reasons.update(manifest.rejected_by_reason)
        raise TooManyRejectedError(
            f"{rejected} of {rows_read} rows were refused, max_rejected is {max_rejected}: "
            f"{dict(reasons.most_common())}. See {_rejects_of(manifests)}"
        )


def _is_too_many(rejected: int, rows_read: int, limit: int | float) -> bool:
    return rejected > limit * rows_read if isinstance(limit, float) else rejected > limit


def _rejects_of(manifests: list[Manifest]) -> str:
    others = f" and {len(manifests) - 1} more" if len(manifests) > 1 else ""
    return f"{manifests[0].rejects_uri}{others}"
