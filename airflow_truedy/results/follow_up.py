"""The people that a campaign did not reach, as the contacts of the next one, with a cap on attempts per person."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.status import IN_PROGRESS, call_status
from airflow_truedy.contacts.contacts_file import ContactsFile, Manifest, line_of
from airflow_truedy.contacts.number_set import NumberSet
from airflow_truedy.contacts.rules import region_to_dict
from airflow_truedy.files.paths import publish
from airflow_truedy.files.writer import escaped
from airflow_truedy.formats import is_e164
from airflow_truedy.masking import mask_number
from airflow_truedy.results.columns import ResultsError
from airflow_truedy.results.history import History
from airflow_truedy.results.outcomes import is_refusal, was_reached

if TYPE_CHECKING:
    from airflow_truedy.contacts.lists import ContactList
    from airflow_truedy.contacts.suppression import Suppressed

#: Outcomes that are called again by default: nobody was spoken to, and the number works.
NOT_REACHED = ("no_answer", "busy", "voicemail")

REACHED = "reached"
_ENDING = ".jsonl.gz"
_REJECTS = ("row_number", "reason", "masked_number", "call_status", "contact_key")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class FollowUpRules:
    """
    Which people of a campaign are called again. Checked when it is made.

    :param max_attempts: a person who was called this often is not called again.
    :param outcomes: the ``call_status`` words to call again, one or several. Words for people who were reached, are
        being called or refused for ever are not allowed.
    :param since: calls before this instant do not count, see :class:`~airflow_truedy.results.history.History`.
    :raises ResultsError: naming the rule that makes no sense.
    """

    max_attempts: int
    outcomes: Collection[str] | str = NOT_REACHED
    since: datetime | None = None

    def __post_init__(self) -> None:
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise ResultsError(f"max_attempts={self.max_attempts!r} must be a whole number, 1 or more.")
        words = (self.outcomes,) if isinstance(self.outcomes, str) else self.outcomes
        if not isinstance(words, Collection) or not words or not all(isinstance(word, str) and word for word in words):
            raise ResultsError("outcomes must be words such as no_answer, at least one.")
        normal = frozenset(map(call_status, words))
        if never := sorted(word for word in normal if was_reached(word) or is_refusal(word) or word == IN_PROGRESS):
            raise ResultsError(f"outcomes={never} are people who were reached, are being called, or refused for ever.")
        object.__setattr__(self, "outcomes", normal)
        if self.since is not None and (not isinstance(self.since, datetime) or self.since.utcoffset() is None):
            raise ResultsError(
                "since must be a datetime with its zone, such as datetime(2026, 3, 1, tzinfo=timezone.utc) or "
                "data_interval_start; without one each worker would read it on its own clock."
            )


def follow_up(
    rows: Callable[[], Iterable[Row]],
    to: Any,
    rules: FollowUpRules,
    *,
    batch_call_id: str,
    history: Iterable[Iterable[Row]] = (),
    contacts: ContactList | None = None,
    taken: Iterable[ContactList] = (),
    suppressed: Suppressed | None = None,
    is_over: bool = True,
    source: str = "results",
    created_at: datetime | None = None,
) -> Manifest:
    """
    Write the contacts of the next campaign, and a rejects file with the reason for everybody else.

    People who were reached are in the rejects file (``reached``) but not in the manifest's counts: they need no further
    call. The reasons are listed in ``docs/results.md``.

    :param rows: yields the results of the campaign, from the beginning each time it is called.
    :param to: where the contacts file goes, a path or ``ObjectStoragePath`` that ends in ``.jsonl.gz``.
    :param history: results of other campaigns, in any order; those of this one may be among them.
    :param contacts: the list that the campaign was made from: last name, e-mail address, custom fields and the
        customer's own key come from there, because results have the first name alone, and so do the calling hours that
        bind the next campaign too.
    :param taken: contacts of other follow-ups that no results tell of yet: their people are left out.
    :param suppressed: numbers that asked not to be called, maybe since the campaign.
    :param is_over: whether the campaign has ended.
    :param created_at: an instant before ``suppressed`` was read, for the age of the list. Default: now.
    :raises ResultsError: if a person in the results is not in ``contacts``.
    """
    if not to.name.endswith(_ENDING):
        raise ResultsError(f"The name of a contacts file ends in {_ENDING}; {to.name!r} does not.")
    rejects_to = to.parent / f"{to.name.removesuffix(_ENDING)}.rejects.csv"
    created_at = created_at or datetime.now(timezone.utc)
    counted: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="truedy-followup-") as folder,
        History(batch_call_id, rules.since, is_over=is_over, people=_numbers_in(rows())) as known,
    ):
        known.add(rows())
        for others in history:
            known.add(others)
        staged, staged_rejects = Path(folder) / "contacts", Path(folder) / "rejects"
        file = ContactsFile(staged)
        with staged_rejects.open("w", encoding="utf-8", errors="backslashreplace", newline="") as rejects:
            selection = _Selection(rules, known, _numbers_in(chain.from_iterable(taken)), suppressed)
            chosen = _chosen(rows(), selection, counted, rejects)
            for contact, key in _as_contacts(chosen) if contacts is None else _from_list(chosen, contacts):
                file.add(line_of(contact, key))
        file.close()
        publish(staged_rejects, rejects_to)
        publish(staged, to)
    rows_read = counted.pop("rows") - counted.pop(REACHED, 0)
    duplicates, held_back = counted.pop("duplicate", 0), counted.pop("suppressed", 0)
    return Manifest(
        uri=str(to),
        rejects_uri=str(rejects_to),
        rows_read=rows_read,
        contacts=file.count,
        duplicates=duplicates,
        suppressed=held_back,
        rejected=sum(counted.values()),
        rejected_by_reason=dict(sorted(counted.items())),
        sha256=file.sha256,
        size=file.size,
        fingerprint=file.fingerprint,
        region=region_to_dict(None),
        source=source,
        created_at=created_at.isoformat(timespec="seconds"),
        calling_hours=contacts.manifest.calling_hours if contacts and contacts.manifest else None,
    )


def check_history(history: Any, *, in_table: bool) -> None:
    """
    Refuse a follow-up for which nobody knows where earlier attempts are counted.

    :param history: results of other campaigns; ``None`` where they are not stated.
    :param in_table: whether the results are in a table, which has those of all campaigns.
    :raises ResultsError: saying what to state.
    """
    if in_table and history is not None:
        raise ResultsError("Results in a table are their own history: leave history out.")
    if not in_table and history is None:
        raise ResultsError(
            "Where are earlier attempts counted? Give history: the results of the earlier campaigns, or [] if this was "
            "the first."
        )
    if isinstance(history, str) or hasattr(history, "keys"):
        raise ResultsError("history is a list of results: put the one that there is into a list.")


@dataclass(frozen=True)
class _Selection:
    rules: FollowUpRules
    known: History
    taken: NumberSet
    suppressed: Suppressed | None

    def reason(self, row: Row) -> str | None:
        """Return why the person of a row is not called again, ``None`` if they are."""
        number, status = row.get("phone_number"), call_status(row["call_status"])
        if not number:
            return "no_number"
        if not is_e164(number):
            # Without a country it is nobody's for certain, and no do-not-call list would hold it back.
            return "bad_number"
        if status not in self.rules.outcomes:
            return REACHED if was_reached(status) else "outcome"
        person, digits = self.known.of(number), int(number[1:])
        reasons = {
            "refused": person.refused,
            "reached_before": person.reached,
            "open_elsewhere": person.open_elsewhere,
            "max_attempts": person.attempts >= self.rules.max_attempts,
            "called_later": person.called_later,
            "last_call_unknown": person.last_call_unknown,
            "taken": digits in self.taken,
            "suppressed": self.suppressed is not None and self.suppressed.holds(digits),
        }
        return next((reason for reason, applies in reasons.items() if applies), None)


def _numbers_in(rows: Iterable[Row]) -> NumberSet:
    numbers = NumberSet()
    for row in rows:
        if is_e164(row.get("phone_number") or ""):
            numbers.add(int(row["phone_number"][1:]))
    return numbers


def _chosen(rows: Iterable[Row], selection: _Selection, counted: Counter[str], rejects: Any) -> Iterator[Row]:
    """Yield the people to call again, each number once; everybody else is counted and written down."""
    writer = csv.writer(rejects)
    writer.writerow(_REJECTS)
    taken = NumberSet()
    row_number = 0
    for row_number, row in enumerate(rows, 1):
        reason = selection.reason(row)
        if reason is None and not taken.add(int(row["phone_number"][1:])):
            reason = "duplicate"
        if reason is None:
            yield row
            continue
        counted[reason] += 1
        number, key = mask_number(row.get("phone_number") or ""), escaped(str(row.get("contact_key") or ""))
        writer.writerow([row_number, reason, number, row["call_status"], key])
    counted["rows"] = row_number


def _as_contacts(rows: Iterable[Row]) -> Iterator[tuple[dict[str, Any], str]]:
    for row in rows:
        contact = {"phone_number": row["phone_number"]}
        if row.get("first_name"):
            contact["first_name"] = row["first_name"]
        yield contact, str(row.get("contact_key") or "")


def _from_list(rows: Iterable[Row], contacts: ContactList) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the contacts of the original list whose number was chosen."""
    wanted, found = _numbers_in(rows), 0
    for contact, key in contacts.entries():
        if int(contact["phone_number"][1:]) in wanted:
            found += 1
            yield contact, key
    if found < len(wanted):
        raise ResultsError(
            f"{len(wanted) - found} people to be called again are not in the list given as contacts. Give the list "
            "that the campaign was made from, or none."
        )
