"""Rules: when a jurisdiction allows calls, with where it says so; and the sets that they come in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from typing import Any

from airflow_truedy.calling_hours.errors import RulesError
from airflow_truedy.calling_hours.holiday_sets import HolidayBook, HolidaySet
from airflow_truedy.calling_hours.weekly import week_of
from airflow_truedy.calling_hours.zones import Span, zone_of
from airflow_truedy.files.paths import open_local

#: An AI voice counts as automated.
KINDS = ("automated", "live")
CONFIDENCES = ("primary", "secondary", "own")
#: ``basis`` of a rule by the clock where the person is; else it is the name of a zone.
RECIPIENT = "recipient"
SHIPPED = ("us-2026-11", "world-2026-11")


@dataclass(frozen=True)
class Cap:
    """
    How often a person may be called.

    :param calls: at most so many calls,
    :param hours: in so many hours,
    :param per: on one ``subject``, or to one ``number`` whatever the subject.
    """

    calls: int
    hours: int
    per: str = "number"


@dataclass(frozen=True)
class HolidayDays:
    """
    Days on which a rule allows no call.

    :param set: name of a holiday set; ``None``: only the added dates.
    :param added: dates without calls besides, ISO 8601.
    :param removed: dates of the set on which calls are allowed.
    """

    set: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """
    One rule of one jurisdiction. All rules that apply hold together, so a rule can only take hours away.

    :param id: its name; a rule of a user with the same id replaces it.
    :param jurisdiction: ISO 3166: a country (``US``), or a part of one (``US-FL``) for a rule that is tighter.
    :param kinds: kinds of calls it is for: ``automated`` (an AI voice is), ``live``.
    :param hours: hours for each day or range of days, e.g. ``{"mon-fri": ["09:00-20:00"]}``; there are no calls on
        days that are not named.
    :param holidays: days without calls. Default: none.
    :param caps: how often a person may be called; ``recently_called`` counts. Default: none.
    :param basis: ``recipient``: by the clock where the person is; else the zone whose clock counts for everybody.
    :param exemption: who is exempt by law; a user who relies on it overrides the rule. Default: none is known.
    :param valid_from: first date it holds, ISO 8601. Default: always.
    :param valid_to: last date it holds. Default: for good.
    :param citation: where it is written.
    :param url: where that can be read. Default: no address is known.
    :param sense: what it says, in our words.
    :param checked_on: the date on which that was looked up, ISO 8601.
    :param confidence: ``primary`` (the text of the law was read), ``secondary`` (somebody reports it), ``own`` (the
        user's own rule).
    :param note: doubts, and what else a user must know.
    :raises RulesError: a field cannot be used.
    """

    id: str
    jurisdiction: str
    hours: Mapping[str, Sequence[str]]
    checked_on: str
    citation: str = "own rule"
    sense: str = ""
    kinds: tuple[str, ...] = KINDS
    holidays: HolidayDays | None = None
    caps: tuple[Cap, ...] = ()
    basis: str = RECIPIENT
    exemption: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    url: str | None = None
    confidence: str = "own"
    note: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))
        try:
            self._check()
        except (RulesError, ValueError, TypeError, AttributeError) as error:
            raise RulesError(f"The rule {self.id!r} cannot be used: {error}") from None

    def _check(self) -> None:
        country, _, part = self.jurisdiction.partition("-")
        if len(country) != 2 or not country.isupper() or "-" in part:
            raise RulesError(f"jurisdiction={self.jurisdiction!r} is not such as 'US' or 'US-FL'")
        if not self.kinds or not set(self.kinds) <= set(KINDS):
            raise RulesError(f"kinds={self.kinds!r} must be some of {KINDS}")
        if self.confidence not in CONFIDENCES:
            raise RulesError(f"confidence={self.confidence!r} is none of {CONFIDENCES}")
        if self.basis != RECIPIENT:
            zone_of(self.basis)
        week_of(self.hours)
        for text in (self.checked_on, self.valid_from or self.checked_on, self.valid_to or self.checked_on):
            date.fromisoformat(text)
        for text in (*self.holidays.added, *self.holidays.removed) if self.holidays else ():
            date.fromisoformat(text)

    @cached_property
    def week(self) -> int:
        """The minutes of a week in which it allows calls; see :mod:`~airflow_truedy.calling_hours.weekly`."""
        return week_of(self.hours)

    @cached_property
    def span(self) -> Span:
        """The dates on which it holds."""
        return Span(
            date.fromisoformat(self.valid_from) if self.valid_from else date.min,
            date.fromisoformat(self.valid_to) if self.valid_to else date.max,
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Rule:
        """
        Read a rule from a rule file.

        :raises RulesError: a field is missing, unknown or cannot be used.
        """
        shown = value.get("id", "without id") if isinstance(value, Mapping) else value
        try:
            caps = tuple(Cap(**each) for each in value.get("caps", ()))
            days = value.get("holidays") or {}
            days = {name: tuple(each) if isinstance(each, list) else each for name, each in days.items()}
            return cls(**{**value, "caps": caps, "holidays": HolidayDays(**days) if days else None})
        except (TypeError, AttributeError) as error:
            raise RulesError(f"The rule {shown!r} cannot be read: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, which :meth:`from_dict` reads."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class RuleSet:
    """
    Rules that are used together, and the holiday sets they name.

    :param name: name and version, which goes into manifests.
    :param rules: the rules; no two with one id.
    :param holiday_sets: the sets.
    :raises RulesError: two rules have one id, or a holiday set is unknown.
    :raises MissingLibraryError: a holiday set needs the package ``holidays``.
    """

    name: str
    rules: tuple[Rule, ...]
    holiday_sets: tuple[HolidaySet, ...] = ()
    book: HolidayBook = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = [rule.id for rule in self.rules]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise RulesError(f"The rules {twice} occur twice in {self.name!r}")
        object.__setattr__(self, "book", HolidayBook(self.holiday_sets))
        for rule in self.rules:
            if rule.holidays and rule.holidays.set:
                self.book.dates(rule.holidays.set, 2028)

    @classmethod
    @cache
    def shipped(cls) -> RuleSet:
        """Return the rules of this package."""
        folder = files("airflow_truedy.calling_hours") / "data"
        first, *others = (cls.from_dict(json.loads((folder / f"{name}.json").read_text("utf-8"))) for name in SHIPPED)
        for other in others:
            first = first.joined(other)
        return first

    @classmethod
    def load(cls, path: Any) -> RuleSet:
        """
        Read a set from a JSON file.

        :param path: a path or ``ObjectStoragePath``.
        :raises RulesError: it cannot be read.
        """
        place = open_local(path) if isinstance(path, str) else path
        try:
            return cls.from_dict(json.loads(place.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RulesError(f"The rule file {path} cannot be used: {error}") from None

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> RuleSet:
        """
        Read a set.

        :raises RulesError: it cannot be read.
        """
        if not isinstance(value, Mapping) or not {"name", "rules"} <= value.keys():
            raise RulesError('A set of rules is an object with "name" and "rules"')
        sets = tuple(HolidaySet.from_dict(name, each) for name, each in value.get("holiday_sets", {}).items())
        return cls(str(value["name"]), tuple(map(Rule.from_dict, value["rules"])), sets)

    def without(self, ids: Iterable[str]) -> RuleSet:
        """
        Return a set that lacks some rules, e.g. because the people consented.

        :raises RulesError: there is no rule with one of the ids.
        """
        left_out = set(ids)
        unknown = sorted(left_out - {rule.id for rule in self.rules})
        if unknown:
            raise RulesError(f"There are no rules {unknown} in {self.name!r} to leave out")
        kept = tuple(rule for rule in self.rules if rule.id not in left_out)
        return replace(self, name=f"{self.name}-{'-'.join(sorted(left_out))}", rules=kept)

    def joined(self, other: RuleSet) -> RuleSet:
        """Return this set and another one together; where names are the same, the other's rules and holidays count."""
        names = {each.name for each in other.holiday_sets}
        sets = (*(each for each in self.holiday_sets if each.name not in names), *other.holiday_sets)
        ids = {rule.id for rule in other.rules}
        kept = tuple(rule for rule in self.rules if rule.id not in ids)
        return RuleSet(f"{self.name}+{other.name}", (*kept, *other.rules), sets)

    def applying_to(self, jurisdictions: Iterable[str], kind: str) -> list[Rule]:
        """Return the rules of jurisdictions and of their countries for one kind of call, whenever they are valid."""
        places = {part for each in jurisdictions for part in (each, each.partition("-")[0])}
        return [rule for rule in self.rules if rule.jurisdiction in places and kind in rule.kinds]

    @cached_property
    def version(self) -> str:
        """Name and digest: rules that differ in anything have another version."""
        held = [rule.to_dict() for rule in self.rules] + [asdict(each) for each in self.holiday_sets]
        return f"{self.name}@{sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:12]}"

    @property
    def oldest(self) -> date:
        """The date on which the rule was looked up that was looked up longest ago."""
        return min(date.fromisoformat(rule.checked_on) for rule in self.rules)
