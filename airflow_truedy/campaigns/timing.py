"""
When a campaign starts and when it may call, as its author states it: one object, checked at parse and again at the run.

A stated moment becomes exactly one instant, or an error that says how to state it. What comes of a start is one step,
which every function from the plan to the comparison with the server passes on. Imported while a Dag is parsed: no
model of the API is loaded here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pendulum.parsing import parse

from airflow_truedy.campaigns.errors import TimingError, invalid
from airflow_truedy.formats import (
    CLOCK_TIME_RULE,
    WEEKDAYS_RULE,
    are_weekdays,
    broken_window_rule,
    is_clock_time,
    utc_text,
)
from airflow_truedy.zone_data import region_zone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from zoneinfo import ZoneInfo

    from airflow_truedy.calling_hours.part_hours import PartHours

UTC = timezone.utc

_HOURS = ("timezone", "start_time", "end_time", "working_days")
# Airflow's ts_nodash: a UTC time without its mark.
_TS_NODASH = re.compile(r"\d{8}T\d{6}")
_MONTH_OR_WEEK = re.compile(r"\d{4}-\d{2}|\d{4}-?W\d{2}")
_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
# One day a week, and that day's window swallowed whole by a clock change.
_LONGEST_GAP_DAYS = 14


def zone_of(name: str) -> ZoneInfo:
    """
    Return the IANA zone ``name``, by the newer of the system's database and the package ``tzdata``.

    :raises TimingError: if there is no such zone, or it is ``EST``, ``HST``, ``MST`` or not a region's.
    """
    try:
        return region_zone(name)
    except ValueError as problem:
        raise TimingError(f"timezone={name!r} {problem}") from None


def instant_of(value: str | datetime, zone: str | None) -> datetime:
    """
    Turn a stated moment into the instant it means, in UTC.

    An aware value is an instant already. A naive value is the wall time in ``zone``.

    :param value: a datetime (pendulum's are datetimes) or ISO 8601 text with date and time of day.
    :param zone: IANA zone in which a naive value is read.
    :raises TimingError: if the text is no moment or leaves the day open, there is no such zone or none where one is
        needed, or the wall time does not exist or exists twice in that zone (clock changes).
    """
    place = None if zone is None else zone_of(zone)
    moment: object = value
    if isinstance(value, str):
        written = value.strip().upper()
        if _TS_NODASH.fullmatch(written):
            raise TimingError(
                f"scheduled_at={value!s} is Airflow's ts_nodash, a UTC time without its mark. Use ts (with its "
                "offset), or write a wall time such as '2026-03-20T09:30'."
            )
        if _MONTH_OR_WEEK.fullmatch(re.split(r"[T ]", written)[0]):
            raise TimingError(_unreadable(value, kind="a month or week without a day"))
        try:
            moment = parse(written, exact=True)
        except ValueError:
            raise TimingError(_unreadable(value)) from None
    if not isinstance(moment, datetime):
        # A date alone would silently mean midnight.
        is_day = isinstance(moment, date)
        raise TimingError(_unreadable(value, "a date without a time of day" if is_day else "not a moment"))
    try:
        if moment.utcoffset() is not None:
            return moment.astimezone(UTC)
        # Near year 1 or 9999 a zone's offset leads out of what Python can hold.
        _ = (moment - _A_DAY, moment + _A_DAY)
    except (OverflowError, ValueError, TypeError):
        raise TimingError(_unreadable(value)) from None
    if place is None:
        raise TimingError(f"scheduled_at={value!s} has no offset and no timezone says where it is wall time.")
    first = moment.replace(tzinfo=place, fold=0).astimezone(UTC)
    second = moment.replace(tzinfo=place, fold=1).astimezone(UTC)
    if first != second:
        raise TimingError(_in_clock_change(moment, first, second, place))
    return first


def _in_clock_change(wall: datetime, first: datetime, second: datetime, place: ZoneInfo) -> str:
    """Say which of the two kinds of hour it is that a clock change makes: one is skipped, the other comes twice."""
    exists = first.astimezone(place).replace(tzinfo=None, fold=0) == wall.replace(fold=0)
    ways = " or ".join(f"'{at.astimezone(place).isoformat()}' ({utc_text(at)})" for at in (first, second))
    return (
        f"scheduled_at={wall.isoformat(sep=' ')} {'happens twice' if exists else 'does not exist'} in {place} because "
        f"of a clock change. Say which instant is meant by its offset: {ways}."
    )


def _unreadable(shown: object, kind: str = "not a moment") -> str:
    return (
        f"scheduled_at={shown!s} is {kind}. Write ISO 8601 with date and time of day, such as '2026-03-20T09:30' "
        "(wall time in timezone) or '2026-03-20T09:30-04:00' (an instant)."
    )


def in_words(instant: datetime, zone: str | None) -> str:
    """Write an instant for a person: local time in the campaign's zone, and UTC."""
    if zone is None or zone == "UTC":
        return utc_text(instant)
    local = instant.astimezone(zone_of(zone))
    return f"{local.strftime('%a %Y-%m-%d %H:%M %Z')} ({zone}), {utc_text(instant)}"


def check_window_is_possible(
    start_time: str | None, end_time: str | None, working_days: Collection[object] | None
) -> None:
    """
    Refuse hours and days that the API would refuse, without its models: they are too heavy while a Dag is parsed.

    :param start_time: ``None``, as the others, for what is not given or not known yet.
    :raises InvalidPayloadError: naming field, value and rule.
    """
    for field, text in (("start_time", start_time), ("end_time", end_time)):
        if text is not None and not is_clock_time(text):
            raise invalid(field, text, CLOCK_TIME_RULE)
    if rule := broken_window_rule(start_time, end_time):
        raise invalid("end_time", end_time, rule)
    if working_days is not None and not are_weekdays(working_days):
        raise invalid("working_days", working_days, WEEKDAYS_RULE)


@dataclass(frozen=True)
class CallingWindow:
    """
    When calls may be placed.

    :param zone: IANA zone whose wall clock counts.
    :param opens: daily start, inclusive; ``None`` with ``closes`` means all day.
    :param closes: daily end, exclusive here: whether the server includes it is not known.
    :param days: ISO weekdays, 1 = Monday to 7 = Sunday; empty means every day.
    """

    zone: str = "UTC"
    opens: time | None = None
    closes: time | None = None
    days: frozenset[int] = frozenset()

    @classmethod
    def of(cls, zone: str, opens: str | None, closes: str | None, days: Collection[int] | None) -> CallingWindow:
        """Return the window of API fields: times as ``HH:MM``."""
        first, last = (time.fromisoformat(each) if each else None for each in (opens, closes))
        return cls(zone, first, last, frozenset(days or ()))

    def is_open(self, instant: datetime) -> bool:
        """Whether a call may be placed at ``instant``."""
        wall = instant.astimezone(zone_of(self.zone))
        if self.days and wall.isoweekday() not in self.days:
            return False
        if self.opens is None or self.closes is None:
            return True
        return self.opens <= wall.time().replace(tzinfo=None) < self.closes

    def closing(self, instant: datetime) -> datetime | None:
        """
        Return the next instant after ``instant`` at which the open window closes; ``None`` if it never does.

        Where only days are stated it closes at midnight, although the next day may be one of them.
        """
        if self.closes is None and not self.days:
            return None
        day = instant.astimezone(zone_of(self.zone)).date()
        for offset in range(_LONGEST_GAP_DAYS + 1):
            wall = datetime.combine(day + offset * _A_DAY, self.closes or time.min)
            ends = [wall.replace(tzinfo=zone_of(self.zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
            later = [end for end in ends if end > instant]
            if later:
                return min(later)
        return None

    def next_opening(self, instant: datetime) -> datetime:
        """
        Return ``instant`` if the window is open then, else the instant at which it opens next.

        :raises TimingError: if it never opens.
        """
        if self.is_open(instant):
            return instant
        day = instant.astimezone(zone_of(self.zone)).date()
        for offset in range(_LONGEST_GAP_DAYS + 1):
            for candidate in self._openings(day + offset * _A_DAY):
                if candidate > instant and self.is_open(candidate):
                    return candidate
        raise TimingError(f"The calling window {self} never opens.")

    def _openings(self, day: date) -> Iterator[datetime]:
        """Yield the instants at which the window may open on a day, earliest first; clock changes make several."""
        wall = datetime.combine(day, self.opens or time.min)
        one, other = (wall.replace(tzinfo=zone_of(self.zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        yield min(one, other)
        # The opening falls into the hour that clocks skip: the window opens somewhere between, with the jump.
        while other < one:
            yield other
            other += _A_MINUTE
        yield max(one, other)

    def __str__(self) -> str:
        hours = f"{self.opens:%H:%M}-{self.closes:%H:%M}" if self.opens and self.closes else "any hour"
        days = "".join(str(day) for day in sorted(self.days)) or "1234567"
        return f"{hours}, days {days}, {self.zone}"


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
