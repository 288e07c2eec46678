"""The hours of one part of a list, as its manifest carries them to the task that creates the campaign."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.hours import PlaceHours, Window
from airflow_truedy.calling_hours.parts import common, minutes
from airflow_truedy.calling_hours.zones import UTC, Span, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_truedy.calling_hours.placement import Placement, Placer

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class PartHours:
    """
    When the people of one part may be called. Plain values, so that a manifest can hold them.

    :param timezone: zone of the hours.
    :param start_time: ``HH:MM``, included.
    :param end_time: ``HH:MM``, excluded.
    :param working_days: 1 = Monday to 7 = Sunday.
    :param blocked: dates in that zone on which nobody of the part may be called, ISO 8601.
    :param first_day: first date for which all of this holds.
    :param last_day: last date for which it holds. After it nothing is known, so nobody may be called.
    :param rules: version of the rules.
    :param jurisdictions: countries and states whose rules counted for anybody of the part.
    """

    timezone: str
    start_time: str
    end_time: str
    working_days: tuple[int, ...]
    blocked: tuple[str, ...]
    first_day: str
    last_day: str
    rules: str
    jurisdictions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("working_days", "blocked", "jurisdictions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @classmethod
    def gather(cls, window: Window, people: Iterable[Placement], placer: Placer) -> PartHours:
        """
        Return the hours of a part.

        :param window: its window.
        :param people: the placements of all its people, each at least once.
        :param placer: which placed them.
        """
        hours, jurisdictions = set[PlaceHours](), set[str]()
        for each in people:
            hours.add(each.hours)
            jurisdictions |= each.place.jurisdictions
        blocked = {day for each in hours for day in each.blocked_in(window)}
        first, last = placer.span
        return cls(
            *window,
            blocked=tuple(map(str, sorted(blocked))),
            first_day=str(first),
            last_day=str(last),
            rules=placer.rules.version,
            jurisdictions=tuple(sorted(jurisdictions)),
        )

    def to_dict(self) -> dict[str, Any]:
        """
        Return plain JSON values, which :meth:`from_dict` reads. They are short, because XCom holds them: dates in a row
        are one text (``2026-12-24/2027-01-01``), and so are the states of a country (``US AL FL``).
        """
        short = {
            "working_days": list(self.working_days),
            "blocked": _in_rows(map(date.fromisoformat, self.blocked), self.working_days),
            "jurisdictions": _by_country(self.jurisdictions),
        }
        return {**asdict(self), **short}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PartHours:
        """
        Read the hours from a manifest; keys of later versions are ignored.

        :raises RulesError: something is missing or cannot be read.
        """
        try:
            given = {item.name: value[item.name] for item in fields(cls) if item.name in value}
            days = [day for text in value["blocked"] for day in _days_of(text)]
            given["blocked"] = [str(day) for day in days if day.isoweekday() in value["working_days"]]
            countries = [text.split() for text in value.get("jurisdictions", ())]
            given["jurisdictions"] = [each for country in countries for each in _jurisdictions(*country)]
            read = cls(**given)
            for text in (read.first_day, read.last_day):
                date.fromisoformat(text)
            read.window.daily()
            zone_of(read.timezone)
        except (KeyError, TypeError, ValueError) as error:
            raise RulesError(f"The calling hours of this manifest cannot be read: {error}") from None
        return read

    @property
    def window(self) -> Window:
        """Zone, hours and days."""
        return Window(self.timezone, self.start_time, self.end_time, self.working_days)

    @property
    def span(self) -> Span:
        """The days for which this holds."""
        return Span(date.fromisoformat(self.first_day), date.fromisoformat(self.last_day))

    def allows(self, instant: datetime) -> bool:
        """Tell whether a call may be placed at an instant."""
        wall = instant.astimezone(zone_of(self.timezone))
        day = wall.date()
        known = self.first_day <= day.isoformat() <= self.last_day and day.isoformat() not in self.blocked
        return known and day.isoweekday() in self.working_days and self.start_time <= f"{wall:%H:%M}" < self.end_time

    def next_opening(self, instant: datetime) -> datetime | None:
        """
        Return the instant if a call may be placed then, else the next one at which it may; ``None`` if there is none.
        """
        if self.allows(instant):
            return instant
        zone = zone_of(self.timezone)
        opens = time.fromisoformat(self.start_time)
        day = max(instant.astimezone(zone).date(), self.span.first)
        while day <= self.span.last:
            opening = datetime.combine(day, opens, zone).astimezone(UTC)
            # An hour that a clock change skips: the window opens with the jump, at most three hours later.
            for minute in range(181):
                candidate = opening + minute * _A_MINUTE
                if candidate > instant and self.allows(candidate):
                    return candidate
            day += _A_DAY
        return None

    def why_not(
        self, timezone: str, start_time: str, end_time: str, working_days: Sequence[int] = (1, 2, 3, 4, 5, 6, 7)
    ) -> str | None:
        """
        Say why the hours of a campaign are wider than these; ``None`` if they lie within.

        :raises UnknownZoneError: ``timezone`` is not the zone of a place.
        """
        asked = Window(timezone, start_time, end_time, tuple(sorted(working_days)))
        found = common(asked, self.window, self.span)
        if found and minutes(found) == minutes(asked):
            return None
        return f"{asked} is wider than {self.window}, in which the people of this list may be called"


def _in_rows(days: Iterable[date], working_days: Sequence[int]) -> list[str]:
    """Return dates as texts; those with no working day between them as one."""
    rows: list[tuple[date, date]] = []
    for day in sorted(days):
        first, last = rows.pop() if rows else (day, day)
        if any(each.isoweekday() in working_days for each in Span(last, day).days()[1:-1]):
            rows.append((first, last))
            first = day
        rows.append((first, day))
    return [str(first) if first == last else f"{first}/{last}" for first, last in rows]


def _days_of(text: str) -> list[date]:
    first, _, last = text.partition("/")
    return Span(date.fromisoformat(first), date.fromisoformat(last or first)).days()


def _by_country(jurisdictions: Iterable[str]) -> list[str]:
    """Return one text for each country: its code, which counts wherever one of its states does, and its states."""
    states: dict[str, list[str]] = {}
    for each in sorted(jurisdictions):
        country, _, state = each.partition("-")
        states.setdefault(country, []).extend([state] if state else [])
    return [" ".join([country, *found]) for country, found in states.items()]


def _jurisdictions(country: str, *states: str) -> list[str]:
    return [country, *(f"{country}-{state}" for state in states)]
