"""When the people of one place may be called: exactly at an instant, and as one daily window safe on all days."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from airflow_truedy.calling_hours.rules import RECIPIENT, Cap, HolidayDays, RuleSet
from airflow_truedy.calling_hours.weekly import (
    A_DAY,
    ALWAYS,
    DailyWindow,
    best_window,
    clock_text,
    days_text,
    earlier,
    holds,
    minutes_of,
    shrunk,
)
from airflow_truedy.calling_hours.zones import UTC, Span, clock_of, distances, noon, offset_at, rank, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from airflow_truedy.calling_hours.holiday_sets import HolidayBook
    from airflow_truedy.calling_hours.policy import CallingHours

_A_DAY = timedelta(days=1)
_A_MINUTE = timedelta(minutes=1)
_ALWAYS = (date.min, date.max)
#: No clock change is longer, so no step over closed hours may come closer to their end.
_LONGEST_CHANGE = 180


class Window(NamedTuple):
    """
    Hours that one batch call can have.

    :ivar zone: IANA zone whose wall clock counts.
    :ivar start: ``HH:MM``, included.
    :ivar end: ``HH:MM``, excluded.
    :ivar days: 1 = Monday to 7 = Sunday.
    """

    zone: str
    start: str
    end: str
    days: tuple[int, ...]

    @classmethod
    def of(cls, zone: str, daily: DailyWindow) -> Window:
        """Return a daily window by the clock of a zone."""
        return cls(zone, clock_text(daily.start), clock_text(daily.end), daily.days)

    def daily(self) -> DailyWindow:
        """Return hours and days in minutes."""
        return DailyWindow(*minutes_of(f"{self.start}-{self.end}"), self.days)

    def __str__(self) -> str:
        return f"{self.start}-{self.end} {self.zone}, {days_text(self.days)}"


class _Limit(NamedTuple):
    """Minutes of the week, by a zone's clock, in which a rule allows calls, and dates on which it allows none."""

    zone: ZoneInfo
    week: int
    closed: frozenset[date]
    first: date
    last: date

    def closed_for(self, instant: datetime) -> int:
        """Return for how many minutes at least, from an instant on, it allows no call; 0 if it allows one then."""
        wall = instant.astimezone(self.zone)
        today, minute = wall.date(), wall.weekday() * A_DAY + wall.hour * 60 + wall.minute
        if not self.first <= today <= self.last:
            return 0
        if today in self.closed:
            wait = A_DAY - minute % A_DAY
        elif holds(self.week, minute):
            return 0
        else:
            rest = earlier(self.week, minute)
            wait = (rest & -rest).bit_length() - 1 if rest else A_DAY
            if self.last != date.max:
                wait = min(wait, A_DAY - minute % A_DAY)  # tomorrow it may hold no more
        return max(1, wait - _LONGEST_CHANGE)


class PlaceHours:
    """
    When the people of one place may be called, under one policy and for the days of one span.

    :param zones: every zone they may be in.
    :param jurisdictions: countries and states whose rules count.
    :param policy: the user's decisions.
    :param rules: the rules of the policy.
    :param span: the days; on no other day a call is allowed.
    """

    def __init__(
        self, zones: Iterable[str], jurisdictions: frozenset[str], policy: CallingHours, rules: RuleSet, span: Span
    ) -> None:
        self.zones = sorted(zones, key=rank)
        self.jurisdictions = jurisdictions
        self.rules = rules.applying_to(jurisdictions, policy.kind)
        self._policy, self._span, self._book = policy, span, rules.book

    @cached_property
    def uncovered(self) -> list[str]:
        """Countries that no rule covers on some day of the span: of them it is unknown when they may be called."""

        def is_covered(country: str, day: date) -> bool:
            return any(rule.jurisdiction == country and rule.span.first <= day <= rule.span.last for rule in self.rules)

        countries = sorted({each.partition("-")[0] for each in self.jurisdictions})
        return [country for country in countries if not all(is_covered(country, day) for day in self._around)]

    @cached_property
    def caps(self) -> list[Cap]:
        """How often a person may be called, by all rules that apply."""
        return sorted({cap for rule in self.rules for cap in rule.caps}, key=lambda cap: (cap.hours, cap.calls))

    def may_call(self, instant: datetime) -> bool:
        """Tell whether a call may be placed at an instant; outside the span of days it may not."""
        if self.uncovered or not self.zones or not self._is_inside(instant):
            return False
        return not any(limit.closed_for(instant) for limit in self._limits)

    def next_allowed(self, instant: datetime) -> datetime | None:
        """Return the first instant, from this one on, at which a call may be placed; ``None`` if the span has none."""
        if self.uncovered or not self.zones:
            return None
        at = max(instant.astimezone(UTC), noon(self._span.first) - 3 * _A_DAY / 2)
        while at < noon(self._span.last) + _A_DAY:
            wait = max(limit.closed_for(at) for limit in self._limits)
            if not wait and self._is_inside(at):
                return at
            at = at.replace(second=0, microsecond=0) + max(wait, 1) * _A_MINUTE
        return None

    @cached_property
    def window(self) -> Window | None:
        """The daily window with the most minutes in which calls are allowed on all days but :attr:`blocked`."""
        found = []
        for zone in () if self.uncovered else self.zones:
            if daily := best_window(self._week_on_clock(zone_of(zone))):
                found.append(Window.of(zone, daily))
        if not found:
            return None
        window = max(found, key=lambda each: each.daily().minutes)
        return window if len(self.blocked_in(window)) < len(self._days_of(window)) else None

    @cached_property
    def blocked(self) -> tuple[date, ...]:
        """Dates of the span, by the clock of the window, on which its hours are not allowed."""
        return self.blocked_in(self.window) if self.window else ()

    def blocked_in(self, window: Window) -> tuple[date, ...]:
        """
        Return the dates, by the clock of a window, on which its hours are not allowed.

        :param window: this place's, or one within it (:func:`~airflow_truedy.calling_hours.part_hours.fewest_parts`).
        """
        zone, daily = zone_of(window.zone), window.daily()
        uneven = self._uneven_days(window.zone)
        return tuple(day for day in self._days_of(window) if day in uneven and not self._is_safe(day, daily, zone))

    def _days_of(self, window: Window) -> list[date]:
        return [day for day in self._span.days() if day.isoweekday() in window.days]

    def _week_on_clock(self, zone: ZoneInfo) -> int:
        """All limits together by the clock of one zone; where its distance to another changes, both count."""
        week = ALWAYS
        for limit in self._limits:
            if limit.first <= self._around.last and self._around.first <= limit.last:
                for distance in distances(limit.zone.key, zone.key, self._around):
                    week &= earlier(limit.week, distance)
        return week

    def _uneven_days(self, zone: str) -> set[date]:
        """Days that may differ from others of their weekday: near closed days, clock changes and the ends of rules."""
        found = {self._span.first, self._span.last}
        for limit in self._limits:
            found.update(limit.closed, {limit.first, limit.last} - {date.min, date.max})
        for name in {zone, *(limit.zone.key for limit in self._limits)}:
            found.update(instant.date() for instant, _ in clock_of(name, self._around)[1:])
        return {day + offset * _A_DAY for day in found for offset in (-1, 0, 1)}

    def _is_safe(self, day: date, daily: DailyWindow, zone: ZoneInfo) -> bool:
        """Tell whether all limits allow the whole window on a day."""
        midnight = datetime.combine(day, time())
        start, end = (
            (midnight + minutes * _A_MINUTE).replace(tzinfo=zone).astimezone(UTC)
            for minutes in (daily.start, daily.end)
        )
        clocks = {zone, *(limit.zone for limit in self._limits)}
        before, after = start - _A_DAY / 4, end + _A_DAY / 4
        if all(offset_at(before, each) == offset_at(after, each) for each in clocks):
            return all(self.may_call(instant) for instant in (start, end - _A_MINUTE))
        return all(map(self.may_call, _instants(day, daily, zone)))

    @cached_property
    def _limits(self) -> list[_Limit]:
        """All rules and own limits; those of one clock that hold all the time are one."""
        always: dict[str, tuple[int, frozenset[date]]] = {}
        sometimes = []
        for limit in self._all_limits():
            if limit.first <= self._around.first and self._around.last <= limit.last:
                week, closed = always.get(limit.zone.key, (ALWAYS, frozenset()))
                always[limit.zone.key] = (week & limit.week, closed | limit.closed)
            else:
                sometimes.append(limit._replace(week=shrunk(limit.week, self._policy.margin)))
        margin = self._policy.margin
        merged = [
            _Limit(zone_of(key), shrunk(week, margin), closed, *_ALWAYS) for key, (week, closed) in always.items()
        ]
        return [*merged, *sometimes]

    def _all_limits(self) -> Iterator[_Limit]:
        own = self._policy.own_week()
        blackouts = frozenset(self._blackout_days())
        for name in self.zones:
            yield _Limit(zone_of(name), own, blackouts, *_ALWAYS)
        for rule in self.rules:
            closed = frozenset(_days_without_calls(rule.holidays, self._book, self._around))
            for name in self.zones if rule.basis == RECIPIENT else [rule.basis]:
                yield _Limit(zone_of(name), rule.week, closed, *rule.span)

    def _blackout_days(self) -> Iterator[date]:
        for blackout in self._policy.blackout:
            if blackout.concerns(self.jurisdictions):
                yield from blackout.days
                for name in blackout.holidays:
                    yield from _days_without_calls(HolidayDays(name), self._book, self._around)

    @cached_property
    def _around(self) -> Span:
        """The span and a day on both sides: somewhere it is yesterday or tomorrow."""
        return Span(self._span.first - _A_DAY, self._span.last + _A_DAY)

    def _is_inside(self, instant: datetime) -> bool:
        return all(
            self._span.first <= instant.astimezone(zone_of(name)).date() <= self._span.last for name in self.zones
        )

    def closed_dates(self) -> frozenset[date]:
        """Return the dates of the span, where the person is, that are closed as holidays or by a blackout."""
        return frozenset(
            day for limit in self._limits for day in limit.closed if limit.first <= day <= limit.last
        ).intersection(self._span.days())


def _days_without_calls(holidays: HolidayDays | None, book: HolidayBook, span: Span) -> Iterator[date]:
    if holidays is None:
        return
    removed = {date.fromisoformat(text) for text in holidays.removed}
    for year in range(span.first.year, span.last.year + 1):
        yield from (day for day in (book.dates(holidays.set, year) if holidays.set else ()) if day not in removed)
    yield from map(date.fromisoformat, holidays.added)


def _instants(day: date, daily: DailyWindow, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield every minute at which a zone's clock shows a time in the window on a day, also those that come twice."""
    at = noon(day - _A_DAY) - _A_DAY / 2
    for _ in range(3 * A_DAY):
        wall = at.astimezone(zone)
        if wall.date() == day and daily.start <= wall.hour * 60 + wall.minute < daily.end:
            yield at
        at += _A_MINUTE
