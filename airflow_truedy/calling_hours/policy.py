"""What a user decides about calling hours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.errors import RulesError, StaleRulesError
from airflow_truedy.calling_hours.places import Place, PlaceColumns
from airflow_truedy.calling_hours.rules import KINDS, Rule, RuleSet
from airflow_truedy.calling_hours.weekly import A_DAY, every_day, minutes_of
from airflow_truedy.calling_hours.zones import Span, zone_of
from airflow_truedy.formats import is_clock_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)

_EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
_LONGEST_MARGIN = 12 * 60


@dataclass(frozen=True)
class Blackout:
    """
    Dates on which nobody is called.

    :param dates: dates, or from one to another with both included: ``"2026-12-24"``, ``"2026-12-24/2027-01-02"``. They
        are dates where the person is. Default: none.
    :param holidays: holiday sets by name: of the rules (``us-federal``), or of the package ``holidays``
        (``holidays:US-AL``). Default: none.
    :param jurisdictions: only people under one of these, e.g. ``["US-LA"]`` in an emergency. Default: all.
    :raises RulesError: a date cannot be read, or neither dates nor holidays are given.
    """

    dates: Sequence[str | date] = ()
    holidays: Sequence[str] = ()
    jurisdictions: Sequence[str] = ()
    days: frozenset[date] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("dates", "holidays", "jurisdictions"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, (str, date)) else tuple(value))
        if not self.dates and not self.holidays:
            raise RulesError("A Blackout needs dates= or holidays=")
        object.__setattr__(self, "days", frozenset(day for text in self.dates for day in _days_of(text)))

    def concerns(self, jurisdictions: Iterable[str]) -> bool:
        """Tell whether it is for somebody under these jurisdictions."""
        return not self.jurisdictions or not set(self.jurisdictions).isdisjoint(jurisdictions)


def _read(rules: RuleSet | Any) -> RuleSet:
    return rules if isinstance(rules, RuleSet) else RuleSet.load(rules)


def _days_of(text: str | date) -> list[date]:
    try:
        span = Span.of(str(text))
    except ValueError:
        raise RulesError(f"{text!r} is not a date, or dates, such as '2026-12-24' or '2026-12-24/2027-01-02'") from None
    if span.first > span.last:
        raise RulesError(f"The blackout {text!r} ends before it begins")
    return span.days()


@dataclass(frozen=True)
class CallingHours:
    """
    When people may be called: rules of law, and limits of the user's own. The tightest of all of them counts; a person
    is refused if the place, or its rules, are unknown. Not legal advice: the user chooses the rules and answers for
    them.

    :param columns: columns that say where a person is. Default: none, so that the area code alone counts.
    :param rules: a :class:`RuleSet`, or the path of a rule file. Default: the rules of this package.
    :param own_rules: rules that are added; one with the id of another replaces it. A list of :class:`Rule`, a
        :class:`RuleSet`, or the path of a rule file.
    :param without_rules: ids of rules that are left out, e.g. because of an exemption.
    :param kind: ``automated`` (default; an AI voice is) or ``live``.
    :param earliest: no call before this time, ``HH:MM`` where the person is. Default: what the rules say.
    :param latest: no call from this time on, ``HH:MM``. Default: what the rules say.
    :param days: days with calls, 1 = Monday to 7 = Sunday. Default: all.
    :param margin: so many minutes are kept clear at both ends of what the rules allow. Default 0.
    :param blackout: dates without calls.
    :param days_ahead: for so many days from the day of the check the hours are to hold. A longer time can make them
        tighter: it may hold a clock change. Default 60.
    :param place_if_unknown: the place assumed for a person whose place is unknown. Default: such people are refused.
    :param warn_after: warn when a rule was looked up more than so many days ago. Default 180.
    :param fail_after: fail when it was looked up more than so many days ago. Default 400.
    :raises RulesError: a value cannot be used.
    """

    columns: PlaceColumns = field(default_factory=PlaceColumns)
    rules: RuleSet | Any = None
    own_rules: Sequence[Rule] | RuleSet | Any = ()
    without_rules: Sequence[str] = ()
    kind: str = "automated"
    earliest: str | None = None
    latest: str | None = None
    days: Sequence[int] = _EVERY_DAY
    margin: int = 0
    blackout: Sequence[Blackout] = ()
    days_ahead: int = 60
    place_if_unknown: Place | None = None
    warn_after: int = 180
    fail_after: int = 400

    def __post_init__(self) -> None:
        for name in ("without_rules", "days"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.own_rules, list):
            object.__setattr__(self, "own_rules", tuple(self.own_rules))
        blackout = (self.blackout,) if isinstance(self.blackout, Blackout) else tuple(self.blackout)
        object.__setattr__(self, "blackout", blackout)
        self._check()

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise RulesError(f"kind={self.kind!r} is none of {KINDS}")
        for name in ("earliest", "latest"):
            value = getattr(self, name)
            if value is not None and not is_clock_time(value):
                raise RulesError(f"{name}={value!r} must be a time of day as HH:MM")
        if self.earliest and self.latest and self.earliest >= self.latest:
            raise RulesError(f"latest={self.latest!r} must be after earliest={self.earliest!r}")
        if not self.days or not all(type(day) is int and 1 <= day <= 7 for day in self.days):
            raise RulesError(f"days={self.days!r} must be days from 1 (Monday) to 7 (Sunday), at least one")
        if not 0 <= self.margin <= _LONGEST_MARGIN or self.days_ahead < 1:
            raise RulesError(f"margin={self.margin!r} must be 0 to {_LONGEST_MARGIN} minutes, days_ahead at least 1")
        if self.fail_after < self.warn_after:
            raise RulesError(f"fail_after={self.fail_after!r} must not be less than warn_after={self.warn_after!r}")
        for name in self.place_if_unknown.zones if self.place_if_unknown else ():
            zone_of(name)

    def own_week(self) -> int:
        """Return the minutes of a week that the user's own limits leave."""
        start, _ = minutes_of(f"{self.earliest}-24:00") if self.earliest else (0, A_DAY)
        _, end = minutes_of(f"00:00-{self.latest}") if self.latest else (0, A_DAY)
        return every_day(start, end, self.days)

    def rule_set(self) -> RuleSet:
        """
        Return the rules that count.

        :raises RulesError: they cannot be read, or ``without_rules`` names one that does not exist.
        """
        rules = RuleSet.shipped() if self.rules is None else _read(self.rules)
        if isinstance(self.own_rules, tuple):
            own = RuleSet("own", self.own_rules, rules.holiday_sets)
        else:
            own = _read(self.own_rules)
        if own.rules:
            rules = rules.joined(own)
        return rules.without(self.without_rules) if self.without_rules else rules

    def check_age(self, today: date) -> None:
        """
        Check that the rules were not looked up too long ago.

        :raises StaleRulesError: they were.
        """
        rules = self.rule_set()
        age = (today - rules.oldest).days
        told = f"The oldest rule of {rules.name!r} was looked up on {rules.oldest}, {age} days ago"
        if age > self.fail_after:
            raise StaleRulesError(
                f"{told}; fail_after is {self.fail_after}. Install a newer version of this package, or "
                "look the rules up and state your own"
            )
        if age > self.warn_after:
            log.warning("%s. Laws may have changed since; install a newer version, or state rules of your own.", told)
