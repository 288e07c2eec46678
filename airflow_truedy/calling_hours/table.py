"""Rules as a table for a person: on the terminal, and in ``docs/calling-hours.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.rules import RECIPIENT
from airflow_truedy.calling_hours.weekly import DAY_NAMES, days_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_truedy.calling_hours.rules import Cap, Rule, RuleSet

HEADER = ("rule", "calls", "hours", "never", "at most", "source", "looked up")
HOLIDAY_HEADER = ("set", "days")


def hours_text(rule: Rule) -> str:
    """Write the hours of a rule, e.g. ``Mon-Fri 09:00-18:00, Sat 10:00-17:00``."""
    parts = [
        f"{' and '.join(windows)}" if days == "mon-sun" else f"{_days(days)} {' and '.join(windows)}"
        for days, windows in rule.hours.items()
    ]
    zone = "" if rule.basis == RECIPIENT else f" by the clock of {rule.basis}"
    return f"{', '.join(parts)}{zone}"


def never_text(rule: Rule) -> str:
    """Write the days on which a rule allows no call, e.g. ``Sun; us-al``."""
    open_days = {day for names in rule.hours for day in days_of(names)}
    closed = [name.capitalize() for day, name in enumerate(DAY_NAMES) if day not in open_days]
    holidays = rule.holidays
    dates = [holidays.set] if holidays and holidays.set else []
    dates += [f"also {day}" for day in holidays.added] if holidays else []
    dates += [f"but not {day}" for day in holidays.removed] if holidays else []
    return "; ".join([*([", ".join(closed)] if closed else []), *dates])


def cap_text(cap: Cap) -> str:
    """Write a cap, e.g. ``3 in 24 hours per subject``."""
    time = f"{cap.hours // 24} days" if cap.hours > 24 and cap.hours % 24 == 0 else f"{cap.hours} hours"
    return f"{cap.calls} in {time} per {cap.per}"


def rule_rows(rules: Sequence[Rule]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each rule, as :data:`HEADER` names them."""
    for rule in rules:
        valid = [f"from {rule.valid_from}"] if rule.valid_from else []
        valid += [f"to {rule.valid_to}"] if rule.valid_to else []
        confidence = "" if rule.confidence == "primary" else f" ({rule.confidence})"
        yield (
            rule.id,
            "all" if len(rule.kinds) > 1 else rule.kinds[0],
            ", ".join([hours_text(rule), *valid]),
            never_text(rule),
            ", ".join(map(cap_text, rule.caps)),
            f"{rule.citation}{confidence}",
            rule.checked_on,
        )


def as_text(rules: RuleSet) -> str:
    """Return the table for a terminal."""
    rows = [HEADER, *rule_rows(rules.rules)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{rules.name}. Not legal advice, and not complete.", "", *lines])


def as_markdown(rules: RuleSet) -> str:
    """Return the tables for the documents: rules, what they say and doubts about them, holiday sets."""
    linked = []
    for rule, row in zip(rules.rules, rule_rows(rules.rules), strict=True):
        source = row[5].replace(rule.citation, f"[{rule.citation}]({rule.url})") if rule.url else row[5]
        linked.append((f"`{row[0]}`", *row[1:5], source, row[6]))
    told = [
        (f"`{rule.id}`", rule.sense, rule.exemption or "", rule.note or "")
        for rule in rules.rules
        if rule.exemption or rule.note
    ]
    sets = [(f"`{each.name}`", _holidays_text(each.of, [day.name for day in each.days])) for each in rules.holiday_sets]
    tables = (
        _markdown(HEADER, linked),
        _markdown(("rule", "in our words", "exempt", "note"), told),
        _markdown(HOLIDAY_HEADER, sets),
    )
    return "\n\n".join(tables)


def _holidays_text(of: Sequence[str], names: Sequence[str]) -> str:
    return ", ".join([*(f"those of `{name}`" for name in of), *names])


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _days(names: str) -> str:
    return "-".join(part.capitalize() for part in names.split("-"))
