"""
The hours of the parts of a list: as few parts as possible for people with many windows, and what each one's manifest
carries to the task that creates its campaign.

A person may be called in any window that lies within his own. So people whose windows open and close at the same
instants share a part, whatever their zones are called; and if there are still too many parts, those are merged that
cost the fewest hours. Merging only takes hours away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.place_hours import PlaceHours, Window
from airflow_truedy.calling_hours.weekly import ALWAYS, best_window, earlier, every_day
from airflow_truedy.calling_hours.zones import UTC, Span, distances, rank, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_truedy.calling_hours.placement import Placement, Placer

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
#: The window of the merged part, and the two parts.
_Merge = tuple[Window, Window, Window]


def fewest_parts(people: Mapping[Window, int], span: Span, most: int | None = None) -> dict[Window, Window]:
    """
    Return the window of the batch call in which the people of each window are called.

    :param people: how many people have each window.
    :param span: the days on which they are called.
    :param most: merge parts until there are no more than so many, as far as they have an hour in common. Default: merge
        only what costs no hours.
    :return: for each window one that lies within it.
    """
    parts = {window: {window} for window in people}
    merge = _same(parts, span)
    while merge or (most is not None and len(parts) > most):
        merge = merge or _cheapest(parts, people, span)
        if merge is None:
            break
        window, one, other = merge
        together = parts.pop(one) | parts.pop(other)
        parts[window] = parts.get(window, set()) | together
        merge = _same(parts, span)
    return {window: part for part, windows in parts.items() for window in windows}


def _same(parts: Mapping[Window, set[Window]], span: Span) -> _Merge | None:
    """Return two parts that are open at the same instants."""
    for one, other in combinations(sorted(parts, key=lambda part: (rank(part.zone), part)), 2):
        if minutes(one) == minutes(other):
            window = common(one, other, span)
            if window and minutes(window) == minutes(one):
                return window, one, other
    return None


def _cheapest(parts: Mapping[Window, set[Window]], people: Mapping[Window, int], span: Span) -> _Merge | None:
    """Return the smallest part that has an hour in common with another, and the one with which it costs least."""
    size = {part: sum(people[window] for window in windows) for part, windows in parts.items()}
    for one in sorted(parts, key=lambda part: (size[part], part)):
        offers = [
            (
                size[one] * (minutes(one) - minutes(found)) + size[other] * (minutes(other) - minutes(found)),
                found,
                other,
            )
            for other in parts
            if other != one and (found := common(one, other, span))
        ]
        if offers:
            _, window, other = min(offers)
            return window, one, other
    return None


@lru_cache(maxsize=50_000)
def common(one: Window, other: Window, span: Span) -> Window | None:
    """Return the widest window that lies within two windows on every day of a span; ``None`` if there is none."""
    found = []
    for zone in sorted({one.zone, other.zone}, key=rank):
        week = ALWAYS
        for window in (one, other):
            for distance in distances(window.zone, zone, span):
                week &= earlier(every_day(*window.daily()), distance)
        if daily := best_window(week):
            found.append(Window.of(zone, daily))
    return max(found, key=minutes, default=None)


@lru_cache(maxsize=5_000)
def minutes(window: Window) -> int:
    """Return for how many minutes a week a window is open."""
    return window.daily().minutes


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
            days = [day for text in value["blocked"] for day in Span.of(text).days()]
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


def _by_country(jurisdictions: Iterable[str]) -> list[str]:
    """Return one text for each country: its code, which counts wherever one of its states does, and its states."""
    states: dict[str, list[str]] = {}
    for each in sorted(jurisdictions):
        country, _, state = each.partition("-")
        states.setdefault(country, []).extend([state] if state else [])
    return [" ".join([country, *found]) for country, found in states.items()]


def _jurisdictions(country: str, *states: str) -> list[str]:
    return [country, *(f"{country}-{state}" for state in states)]
