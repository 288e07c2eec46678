"""
When a campaign may call: in its own window, and never outside the hours that the manifest of its contacts carries.

The hours of a manifest are the default of the window, and bind it. Truedy knows one window for all days, so days on
which nobody may be called have to be avoided, or held by a pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import ceil
from typing import TYPE_CHECKING

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.timing import UTC, CallingWindow, in_words, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from airflow_truedy.calling_hours.part_hours import PartHours
    from airflow_truedy.contacts.lists import ContactList

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)


def hours_of(contacts: ContactList | None) -> PartHours | None:
    """
    Return the hours that the contacts' manifest carries; ``None`` if there are none.

    :raises RulesError: if they cannot be read.
    """
    if contacts is None or contacts.manifest is None or contacts.manifest.calling_hours is None:
        return None
    from airflow_truedy.calling_hours.part_hours import PartHours

    return PartHours.from_dict(contacts.manifest.calling_hours)


@dataclass(frozen=True)
class BoundHours:
    """
    When calls of one campaign may be placed.

    :param window: its own window, which lies within the hours of its people.
    :param people: these hours; ``None`` where nobody asked for them.
    :param held_on_blocked_days: whether something else pauses it on days on which nobody of its people may be called.
    """

    window: CallingWindow
    people: PartHours | None = None
    held_on_blocked_days: bool = False

    def allow(self, instant: datetime) -> bool:
        """Whether a call may be placed at an instant."""
        return self.window.is_open(instant) and (self.people is None or self.people.allows(instant))

    def next_opening(self, instant: datetime) -> datetime:
        """
        Return the instant if a call may be placed then, else the next one.

        :raises TimingError: if there is none, or nothing is known of the days from then on.
        """
        at = self.window.next_opening(instant)
        while self.people is not None and not self.people.allows(at):
            following = self.people.next_opening(at)
            if following is None:
                raise TimingError(
                    f"From {in_words(instant, self.window.zone)} on nobody of this list may be called: its hours are "
                    f"known to {self.people.last_day}. Make the list again."
                )
            at = self.window.next_opening(following)
        return at

    def opening_on(self, day: date) -> datetime:
        """Return the first instant on or after a date at which a call may be placed; see :meth:`next_opening`."""
        return self.next_opening(self._midnight(day))

    def blocked_days(self, start: datetime, days: int | None) -> Iterator[date]:
        """
        Yield the days, by the clock of the window, on which the campaign would call and nobody may be called.

        On them something holds it, so it calls for a day more. The last one is the first of which nothing is known.

        :param days: on how many days it calls; ``None`` where nobody knows.
        """
        day, counted = start.astimezone(zone_of(self.window.zone)).date(), 0
        while self.people is not None and (days is None or counted < days):
            opening = max(start, self.window.next_opening(self._midnight(day)))
            day = opening.astimezone(zone_of(self.window.zone)).date()
            if self.people.allows(opening):
                counted += 1
            else:
                yield day
            if str(day) > self.people.last_day:
                return
            day += _A_DAY

    def resume_opening(self, instant: datetime, contacts: int | None, per_day: int | None) -> datetime:
        """
        Return when a paused campaign may go on: from then on it calls on no day on which nobody may be called.

        :raises TimingError: if there is no such moment in the days that are known.
        """
        at = self.next_opening(instant)
        while not self.held_on_blocked_days:
            blocked = next(self.blocked_days(at, self.calling_days(at, contacts, per_day)), None)
            if blocked is None:
                break
            at = self.opening_on(blocked + _A_DAY)
        return at

    def calling_days(self, at: datetime, contacts: int | None, per_day: int | None) -> int | None:
        """
        Return on how many days it calls; ``None`` without a limit. A first day that has begun is one more.

        :param at: the instant from which on it calls.
        :param contacts: how many people it calls; ``None`` where only the server knows.
        :param per_day: at most so many calls a day; ``None`` for no limit.
        """
        is_late = self.window.is_open(at - _A_MINUTE)
        return None if contacts is None or per_day is None else ceil(contacts / per_day) + is_late

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), zone_of(self.window.zone)).astimezone(UTC)
