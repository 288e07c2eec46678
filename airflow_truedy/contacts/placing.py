"""
Contacts to the hours in which they may be called, and hours to parts of the list.

Which hours go together is known only when the last row is placed, so contacts wait on disk in the order of the rows.
"""

from __future__ import annotations

import logging
import pickle
from array import array
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.calling_hours.part_hours import PartHours, fewest_parts, minutes
from airflow_truedy.calling_hours.placement import Placement
from airflow_truedy.contacts.contacts_file import ContactsFile
from airflow_truedy.contacts.convert import RowOutcome
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.suppression import suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from airflow_truedy.calling_hours.place_hours import Window
    from airflow_truedy.calling_hours.placement import Placer

log = logging.getLogger(__name__)

_LINES_AT_ONCE = 1_000


def place(outcomes: Iterable[RowOutcome], placer: Placer) -> Iterator[RowOutcome]:
    """Add to every contact where it is and when it may be called, or refuse it if that is not known."""
    place_contact = placer.place_contact
    for outcome in outcomes:
        if outcome.reason is not None:
            yield outcome
            continue
        placed = place_contact(outcome.row, f"+{outcome.number}")
        if isinstance(placed, Placement):
            yield RowOutcome(*outcome[:-1], placed)
        else:
            yield outcome._replace(reason=Reason(placed.value))


def hold_back(outcomes: Iterable[RowOutcome], sources: Sequence[Any], placer: Placer) -> Iterator[RowOutcome]:
    """
    Mark every placed contact who was called as often as the caps allow where it is.

    :param sources: lists whose ``within`` returns the people who were called so often in a period.
    :param placer: placed the contacts.
    """
    kind = placer.policy.kind
    caps = {cap for rule in placer.rules.rules if kind in rule.kinds for cap in rule.caps}
    called = {
        cap: suppressed_numbers([each.within(cap.calls, timedelta(hours=cap.hours)) for each in sources])
        for cap in caps
    }
    for outcome in outcomes:
        caps_here = outcome.placed.hours.caps if outcome.placed else ()
        if any((held := called[cap]) and held.holds(outcome.number) for cap in caps_here):
            yield outcome._replace(reason=Reason.SUPPRESSED)
        else:
            yield outcome


class PlacedPart(NamedTuple):
    """People who are called in the same hours."""

    hours: PartHours
    file: ContactsFile


class PlacedContacts:
    """
    Contacts that were placed, until it is known which of them are called together.

    :param placer: which placed them.
    :param folder: a local folder of its own, made here.
    """

    def __init__(self, placer: Placer, folder: Path) -> None:
        folder.mkdir()
        self._placer, self._folder = placer, folder
        self._waiting = (folder / "waiting").open("w+b")
        self._lines: list[bytes] = []
        self._groups_of_lines = array("H")
        #: The placer returns one object for all people with the same place and hours.
        self._group_of: dict[int, int] = {}
        self._groups: dict[Window, _Group] = {}
        self._people: Counter[int] = Counter()

    def add(self, outcome: RowOutcome) -> None:
        """Add a contact that was placed."""
        assert outcome.placed is not None
        group = self._group_of.get(id(outcome.placed))
        if group is None:
            group = self._group_of[id(outcome.placed)] = self._new_place(outcome.placed)
        self._groups_of_lines.append(group)
        self._lines.append(outcome.line)
        if len(self._lines) >= _LINES_AT_ONCE:
            self._write()

    def parts(self, most: int) -> list[PlacedPart]:
        """
        Write the contacts into one open file for each part, in the order of the rows; return the parts by their hours.

        :param most: merge parts until there are no more than so many, as far as they have an hour in common.
        """
        self._write()
        people_of = {window: self._people[group.number] for window, group in self._groups.items()}
        windows = fewest_parts(people_of, self._placer.span, most)
        squeezed = sum(people for window, people in people_of.items() if 2 * minutes(windows[window]) < minutes(window))
        if squeezed:
            log.warning(
                "%d people are called in less than half of the hours in which they may be called, because there are no "
                "more than %d parts. Raise max_splits to give them their own hours.",
                squeezed,
                most,
            )
        parts = {}
        for at, window in enumerate(sorted(set(windows.values()))):
            groups = [group for each, group in self._groups.items() if windows[each] == window]
            people = [placed for group in groups for placed in group.places.values()]
            hours = PartHours.gather(window, people, self._placer)
            parts[window] = PlacedPart(hours, ContactsFile(self._folder / f"{at}.contacts"))
        adders = [parts[windows[window]].file.add for window in self._groups]
        with closing(self._waiting):
            for numbers, block in self._blocks():
                for number, line in zip(numbers, block.split(b"\n"), strict=True):
                    adders[number](line)
        return list(parts.values())

    def _new_place(self, placed: Placement) -> int:
        group = self._groups.setdefault(placed.window, _Group(len(self._groups), {}))
        group.places.setdefault((id(placed.hours), placed.place.jurisdictions), placed)
        return group.number

    def _write(self) -> None:
        if self._lines:
            pickle.dump((self._groups_of_lines, b"\n".join(self._lines)), self._waiting, pickle.HIGHEST_PROTOCOL)
            self._people.update(self._groups_of_lines)
            self._lines, self._groups_of_lines = [], array("H")

    def _blocks(self) -> Iterator[tuple[array[int], bytes]]:
        self._waiting.seek(0)
        while True:
            try:
                yield pickle.load(self._waiting)  # noqa: S301 - our own file
            except EOFError:
                return


class _Group(NamedTuple):
    """The people of one window: its number, and each kind of place that they are in once."""

    number: int
    places: dict[tuple[int, frozenset[str]], Placement]
