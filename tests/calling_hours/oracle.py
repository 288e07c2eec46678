"""
A second, slow opinion on whether a call is allowed, written without the code it checks: no bits, no merging of rules,
no steps; each rule by itself, each minute by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from airflow_truedy.calling_hours.policy import CallingHours
from airflow_truedy.calling_hours.rules import Rule, RuleSet
from airflow_truedy.calling_hours.zones import zone_of

UTC = timezone.utc
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def may_call(
    instant: datetime,
    zones: Iterable[str],
    jurisdictions: Iterable[str],
    policy: CallingHours,
    rules: RuleSet,
    first: date,
    last: date,
) -> bool:
    """Whether every rule allows a call at an instant, in every zone."""
    zones, places = list(zones), set(jurisdictions)
    countries = {place[:2] for place in places}
    applying = [rule for rule in rules.rules if policy.kind in rule.kinds and rule.jurisdiction in places | countries]
    for name in zones:
        wall = instant.astimezone(zone_of(name))
        if not first <= wall.date() <= last:
            return False
        if not own_limits_allow(wall, policy, places, rules):
            return False
    for rule in applying:
        for name in zones if rule.basis == "recipient" else [rule.basis]:
            if not rule_allows(instant, zone_of(name), rule, policy.margin, rules):
                return False
    return bool(zones)


def own_limits_allow(wall: datetime, policy: CallingHours, places: set[str], rules: RuleSet) -> bool:
    for minutes in range(-policy.margin, policy.margin + 1):
        moved = wall.replace(tzinfo=None) + timedelta(minutes=minutes)
        text = f"{moved:%H:%M}"
        if moved.isoweekday() not in policy.days:
            return False
        if not (policy.earliest or "00:00") <= text < (policy.latest or "24:00"):
            return False
    for blackout in policy.blackout:
        if blackout.jurisdictions and not places & set(blackout.jurisdictions):
            continue
        for name in blackout.holidays:
            if wall.date() in rules.book.dates(name, wall.year):
                return False
        for text in map(str, blackout.dates):
            begin, _, end = text.partition("/")
            if begin <= wall.date().isoformat() <= (end or begin):
                return False
    return True


def rule_allows(instant: datetime, zone: ZoneInfo, rule: Rule, margin: int, rules: RuleSet) -> bool:
    wall = instant.astimezone(zone)
    today = wall.date().isoformat()
    if (rule.valid_from and today < rule.valid_from) or (rule.valid_to and today > rule.valid_to):
        return True
    if rule.holidays:
        off = rules.book.dates(rule.holidays.set, wall.year) if rule.holidays.set else {}
        closed = wall.date() in off and today not in rule.holidays.removed
        if closed or today in rule.holidays.added:
            return False
    moments = (wall.replace(tzinfo=None) + timedelta(minutes=minutes) for minutes in range(-margin, margin + 1))
    return all(inside(moment, rule) for moment in moments)


def inside(moment: datetime, rule: Rule) -> bool:
    text = f"{moment:%H:%M}"
    for names, windows in rule.hours.items():
        first, _, last = names.partition("-")
        if NAMES.index(first) <= moment.weekday() <= NAMES.index(last or first):
            return any(window[:5] <= text < window[6:] for window in windows)
    return False
