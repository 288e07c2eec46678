"""
When a campaign starts and when it may call, as its author states it: one object, checked at parse and again at the run.

What comes of it is one step, which every function from the plan to the comparison with the server passes on. Imported
while a Dag is parsed: no model of the API is loaded here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.errors import TimingError, invalid
from airflow_truedy.campaigns.schedule import CallingWindow, check_window_is_possible, in_words, instant_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from airflow_truedy.calling_hours.part_hours import PartHours

_HOURS = ("timezone", "start_time", "end_time", "working_days")


@dataclass(frozen=True)
class Timing:
    """
    The start, zone and calling window of a campaign; ``None`` for what is left out, or not known yet.

    :param scheduled_at: when calls may begin: ISO 8601 text or a datetime. A naive value is wall time in ``timezone``.
    :param start_on: in place of it a day, on or after which calls begin as soon as they may.
    :param schedule_type: ``immediate`` or ``scheduled``.
    :param timezone: IANA zone of start, window and days.
    :param start_time: daily begin of the window, HH:MM.
    :param end_time: daily end of the window, HH:MM.
    :param working_days: days of the window, 1 = Monday to 7 = Sunday; ``None`` means every day.
    :param start: whether the campaign is to be started; a draft needs less.
    """

    scheduled_at: str | datetime | None = None
    start_on: date | None = None
    schedule_type: str | None = None
    timezone: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    working_days: Collection[int] | None = None
    start: bool = True

    @cached_property
    def moment(self) -> datetime | None:
        """The instant that ``scheduled_at`` means, in UTC."""
        return instant_of(self.scheduled_at, self.timezone) if self.scheduled_at else None

    @property
    def window(self) -> CallingWindow:
        """The daily calling window and working days."""
        return CallingWindow.of(self.timezone or "UTC", self.start_time, self.end_time, self.working_days)

    @property
    def hours(self) -> dict[str, Any]:
        """Zone, window and days as API fields, the zone stated in any case."""
        stated = {name: getattr(self, name) for name in _HOURS if getattr(self, name) is not None}
        return {"timezone": "UTC", **stated}

    def check(self, unknown: Collection[str] = ()) -> None:
        """
        Refuse a start, zone or window that would be left to a silent default, or that cannot be.

        :param unknown: what is stated and not known before the run: templates, and what comes with the contacts.
        :raises TimingError: naming what to state and how.
        :raises InvalidPayloadError: for hours, days or a schedule type that the API would refuse.
        """
        if self.schedule_type not in (None, "immediate", "scheduled"):
            raise invalid("schedule_type", self.schedule_type, "must be one of 'immediate', 'scheduled'")
        self._check_all_is_stated({each.name for each in fields(self) if getattr(self, each.name)} | set(unknown))
        check_window_is_possible(self.start_time, self.end_time, self.working_days)
        if not self.timezone:
            return
        zone_of(self.timezone)
        is_window_known = self.start_time and self.end_time and "working_days" not in unknown
        if self.moment is not None and is_window_known and not self.window.is_open(self.moment):
            opening = self.window.next_opening(self.moment).astimezone(zone_of(self.timezone))
            # Nobody knows whether the server would wait for the window.
            raise TimingError(
                f"scheduled_at is {in_words(self.moment, self.timezone)}, outside the calling window ({self.window}). "
                f"Give a start inside it, such as '{opening:%Y-%m-%dT%H:%M}'."
            )

    def _check_all_is_stated(self, stated: Collection[str]) -> None:
        """Look only at what is given and what is not, whatever its value."""
        moments = [name for name in ("scheduled_at", "start_on") if name in stated]
        later = bool(moments)
        if len(moments) > 1:
            raise TimingError("scheduled_at and start_on: give one of them.")
        if later and self.schedule_type == "immediate":
            raise TimingError(f"schedule_type='immediate' contradicts {moments[0]}: give one of them.")
        if self.schedule_type == "scheduled" and not later:
            raise TimingError("schedule_type='scheduled' needs scheduled_at: the moment at which calls may begin.")
        if self.start and not later and "schedule_type" not in stated:
            raise TimingError(
                "When does the campaign start? Give scheduled_at (and timezone), or say schedule_type='immediate' "
                "to start when the task runs, or start=False to leave a draft."
            )
        has_window = "timezone" in stated and "start_time" in stated and "end_time" in stated
        if "start_on" in stated and not has_window:
            raise TimingError(
                "start_on needs a zone and a daily calling window: timezone, start_time and end_time, or contacts "
                "whose manifest carries calling_hours. The campaign starts when the window opens."
            )
        has_clock = later or any(name in stated for name in ("start_time", "end_time", "working_days"))
        if has_clock and "timezone" not in stated:
            raise TimingError(
                "scheduled_at, start_time, end_time and working_days need timezone: an IANA zone such as "
                "'America/New_York', on whose wall clock they are read. There is no default."
            )
        if self.start and not has_window:
            raise TimingError(
                "A campaign that is started needs a zone and a daily calling window: timezone, start_time and "
                "end_time, such as '09:00' and '17:30'. For calls at any hour state start_time='00:00', "
                "end_time='23:59'."
            )

    def within(self, people: PartHours | None) -> Timing:
        """
        Return this timing, checked, with zone, window and days of the people where they are not stated.

        :param people: the hours in which the people may be called; ``None`` binds nothing.
        :raises TimingError: if the stated ones are wider, or cannot be compared; and as :meth:`check`.
        :raises InvalidPayloadError: if the API would refuse them.
        """
        if people is None:
            self.check()
            return self
        from airflow_truedy.calling_hours.errors import UnknownZoneError

        own = people.to_dict()
        bound = replace(self, **{name: own[name] for name in _HOURS if getattr(self, name) is None})
        bound.check()
        zone, opens, closes, days = (getattr(bound, name) for name in _HOURS)
        try:
            wider = people.why_not(zone, opens, closes, days)
        except UnknownZoneError as unknown:
            wider = (
                f"The hours of this list are in {people.timezone}, with which {zone!r} cannot be compared: {unknown}"
            )
        if wider:
            raise TimingError(
                f"{wider} ({people.rules}). Nothing was sent. Leave timezone, start_time, end_time and working_days "
                "out: those of the list count then. Or state narrower ones."
            )
        return bound


@dataclass(frozen=True)
class StartStep:
    """
    The one step that starts a campaign, as it is to be taken.

    :param at: the instant to start at; ``None`` starts at once.
    :param timezone: zone of window and days; ``None`` sends none, so that the draft keeps its own.
    :param not_after: the last moment at which the request may be sent; ``None`` for any.
    """

    at: datetime | None
    timezone: str | None
    not_after: datetime | None = None
