"""
Rows -> contacts file, rejects file and manifest, in one pass and in memory that does not grow with the list.

::

    rows -> convert -> drop duplicates -> drop suppressed -> consent -> calling hours, caps -> files of each part
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.placement import Placer
from airflow_truedy.contacts.contacts_file import with_consent
from airflow_truedy.contacts.convert import RowOutcome, begin, convert
from airflow_truedy.contacts.duplicates import drop_duplicates
from airflow_truedy.contacts.errors import DuplicateContactError, EmptyListError, TooManyRejectedError
from airflow_truedy.contacts.output import Output
from airflow_truedy.contacts.placing import hold_back, place
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import region_to_dict
from airflow_truedy.contacts.suppression import suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_truedy.contacts.consent import Consent
    from airflow_truedy.contacts.contacts_file import Manifest
    from airflow_truedy.contacts.rules import ContactRules
    from airflow_truedy.files.rows import Row

log = logging.getLogger(__name__)

#: More refused rows than this share are worth a warning.
_LOUD_FROM = 0.1


def prepare_contacts(
    rows: Iterable[Row],
    to: Any,
    rules: ContactRules,
    *,
    source: str = "rows",
    made_by: Mapping[str, Any] | None = None,
) -> list[Manifest]:
    """
    Turn rows into a contacts file, a rejects file next to it, and the manifest of both.

    Every row ends as a contact, or in the rejects file with its reason. The files appear when the last row is done, or
    not at all.

    :param rows: mappings from column to value; read once.
    :param to: where the contacts file goes, a path or ``ObjectStoragePath`` that ends in ``.jsonl.gz``. The rejects
        file is named alike and ends in ``.rejects.csv``.
    :param rules: what decides which rows become contacts.
    :param source: what the rows come from, for the manifest; no secrets.
    :param made_by: Dag, task and run, for the manifest.
    :return: one manifest; with ``rules.split_by`` one for each value of that column, and with ``rules.calling_hours``
        one for each part that has hours of its own. A number is in one of the files only, whatever the values of its
        rows; counts are those of the rows with its value. Refused rows have no hours: the first part counts them, and
        they are in a rejects file that all parts share.
    :raises ContactsError: a column or a do-not-call list cannot be used, or there is more of something than the rules
        allow; see :mod:`~airflow_truedy.contacts.errors`.
    :raises CallingHoursError: the rules of ``rules.calling_hours`` cannot be used, or are too old.
    """
    now = datetime.now(timezone.utc)
    rows, rules = begin(rows, rules)
    placer = Placer(rules.calling_hours, now) if rules.calling_hours else None
    about = {
        "region": region_to_dict(rules.region),
        "source": source,
        "created_at": now.isoformat(timespec="seconds"),
        "made_by": dict(made_by or {}),
    }
    with tempfile.TemporaryDirectory(prefix="contacts-") as folder:
        output = Output(Path(folder), to, rules, about, placer)
        output.take(accounted(rows, rules, now, placer))
        manifests = output.publish()
    _log(manifests)
    _check_limits(manifests, rules)
    return manifests


def accounted(
    rows: Iterable[Row], rules: ContactRules, now: datetime, placer: Placer | None = None
) -> Iterator[RowOutcome]:
    """
    Yield what became of each row, after :func:`~airflow_truedy.contacts.convert.begin`.

    :param now: the instant at which the list is made.
    :param placer: places contacts by ``rules.calling_hours``. Default: nobody is placed.
    """
    sources = (rules.suppression,) if hasattr(rules.suppression, "open") else tuple(rules.suppression)
    by_caps = [each for each in sources if placer and getattr(each, "by_caps", False)]
    suppressed = suppressed_numbers([each for each in sources if each not in by_caps], now)
    outcomes = drop_duplicates(convert(rows, rules), rules.duplicates)
    if suppressed:
        outcomes = suppressed.drop(outcomes)
    if rules.consent:
        outcomes = _consenting(outcomes, rules.consent, now)
    if placer:
        outcomes = place(outcomes, placer)
    return hold_back(outcomes, by_caps, placer) if placer and by_caps else outcomes


def _consenting(outcomes: Iterable[RowOutcome], consent: Consent, now: datetime) -> Iterator[RowOutcome]:
    """Add to every contact the consent that is relied on, or refuse it if there is none."""
    consent_of = consent.reader(now)
    for outcome in outcomes:
        if outcome.reason is not None:
            yield outcome
            continue
        found = consent_of(outcome.row)
        if isinstance(found, Reason):
            yield outcome._replace(reason=found)
        else:
            yield outcome._replace(line=with_consent(outcome.line, found))


def _log(manifests: list[Manifest]) -> None:
    """Log what became of the rows, as a warning if many were refused: a campaign must not shrink unnoticed."""
    for one in manifests:
        log.info(
            "%d rows read: %d contacts, %d duplicates, %d suppressed, %d refused %s. Contacts: %s Rejects: %s",
            one.rows_read,
            one.contacts,
            one.duplicates,
            one.suppressed,
            one.rejected,
            dict(one.rejected_by_reason) or "",
            one.uri,
            one.rejects_uri,
        )
    rejected, rows_read = _rejected(manifests)
    if rejected > _LOUD_FROM * rows_read:
        log.warning(
            "%d of %d rows (%.0f %%) were refused. Mostly: %s. max_rejected would fail the task; see %s",
            rejected,
            rows_read,
            100 * rejected / rows_read,
            "; ".join(f"{count} {code} ({Reason(code).advice})" for code, count in _reasons(manifests)[:3]),
            _rejects_of(manifests),
        )


def _rejected(manifests: list[Manifest]) -> tuple[int, int]:
    return sum(one.rejected for one in manifests), sum(one.rows_read for one in manifests)


def _reasons(manifests: list[Manifest]) -> list[tuple[str, int]]:
    reasons: Counter[str] = Counter()
    for manifest in manifests:
        reasons.update(manifest.rejected_by_reason)
    return reasons.most_common()


def _check_limits(manifests: list[Manifest], rules: ContactRules) -> None:
    repeated = sum(manifest.duplicates for manifest in manifests)
    if rules.duplicates == "fail" and repeated:
        raise DuplicateContactError(
            f"{repeated} rows hold a number that another row holds; the rejects file names them "
            f'("duplicate"): {_rejects_of(manifests)}'
        )
    rejected, rows_read = _rejected(manifests)
    limit = rules.max_rejected
    if limit is not None and rejected > (limit * rows_read if isinstance(limit, float) else limit):
        raise TooManyRejectedError(
            f"{rejected} of {rows_read} rows were refused, max_rejected is {limit}: "
            f"{dict(_reasons(manifests))}. See {_rejects_of(manifests)}"
        )
    if rules.on_empty == "fail" and not any(one.contacts for one in manifests):
        raise EmptyListError(f"None of {rows_read} rows became a contact. See {_rejects_of(manifests)}")


def _rejects_of(manifests: list[Manifest]) -> str:
    first, *others = dict.fromkeys(one.rejects_uri for one in manifests) or ["nothing: there were no rows"]
    return f"{first} and {len(others)} more" if others else first
