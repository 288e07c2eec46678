"""
When a campaign starts and when it may call, on the wall clock of its zone.

A stated moment becomes exactly one instant, or an error that says how to state it. Imported while a Dag is parsed: no
model of the API is loaded here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH

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

UTC = timezone.utc

# Airflow's ts_nodash: a UTC time without its mark.
_TS_NODASH = re.compile(r"\d{8}T\d{6}")
# Offsets and other zones move an instant by less than this.
_A_DAY_OFF = timedelta(days=1)
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


def is_same_zone(one: str, other: str) -> bool:
    """Whether two names mean one zone, such as ``US/Eastern`` and ``America/New_York``."""
    if one == other:
        return True
    first, second = _zone_data(one), _zone_data(other)
    return first is not None and first == second


def _zone_data(name: str) -> bytes | None:
    """Return a zone's file: an alias is a copy of it. ``None`` for an unknown zone."""
    try:
        zone_of(name)
        for folder in TZPATH:
            if (path := Path(folder, name)).is_file():
                return path.read_bytes()
        return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    except (TimingError, OSError, ModuleNotFoundError):
        return None


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
        _ = (moment - _A_DAY_OFF, moment + _A_DAY_OFF)
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
