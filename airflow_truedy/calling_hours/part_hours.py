"""The hours of one part of a list, as its manifest carries them to the task that creates the campaign."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.hours import Window
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
        blocked, jurisdictions = set[date](), set[str]()
        for each in people:
            blocked.update(each.hours.blocked_in(window))
            jurisdictions |= each.place.jurisdictions
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
        """Return plain JSON values, which :meth:`from_dict` reads."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PartHours:
        """
        Read the hours from a manifest; keys of later versions are ignored.

        :raises RulesError: something is missing or cannot be read.
        """
        try:
            read = cls(**{item.name: value[item.name] for item in fields(cls) if item.name in value})
            for text in (read.first_day, read.last_day, *read.blocked):
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
