"""
``truedy-calling-hours`` (or ``python -m airflow_truedy.calling_hours``): the table of rules, or when one number may be
called and why. Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.errors import CallingHoursError, RulesError
from airflow_truedy.calling_hours.placement import EXPLANATIONS, Placement, Placer
from airflow_truedy.calling_hours.places import PlaceColumns
from airflow_truedy.calling_hours.policy import CallingHours
from airflow_truedy.calling_hours.rules import KINDS, RECIPIENT, Cap, Rule, RuleSet
from airflow_truedy.calling_hours.weekly import DAY_NAMES, days_of
from airflow_truedy.calling_hours.zones import zone_of
from airflow_truedy.files.errors import FileError
from airflow_truedy.formats import is_e164, moment_of
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PUNCTUATION = re.compile(r"[\s().-]")
_AREA_CODE_END = 5
_MOST_BLOCKED_SHOWN = 12
_HEADER = ("rule", "calls", "hours", "never", "at most", "source", "looked up")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line. Default: those of this process.
    :return: 0 if the number may be called some time, or the table was asked for; 1 if not; 2 for what cannot be used.
    """
    options = _parser().parse_args(arguments)
    try:
        policy = CallingHours(
            PlaceColumns("zone", "zip", "state", "country"),
            rules=options.rules,
            own_rules=options.own_rules or (),
            kind=options.kind,
            earliest=options.earliest,
            latest=options.latest,
            margin=options.margin,
            days_ahead=options.days_ahead,
        )
        if options.number is None:
            write = as_markdown if options.markdown else as_text
            sys.stdout.write(f"{write(policy.rule_set())}\n")
            return 0
        now = _moment(options.at)
        placed, lines = _explained(options, policy, now)
    except (CallingHoursError, FileError) as error:
        sys.stderr.write(f"Cannot do that: {error}\n")
        return 2
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if placed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="truedy-calling-hours", description=__doc__)
    parser.add_argument("number", nargs="?", help="E.164, e.g. '+1 850 555 0104'; default: print the table of rules")
    parser.add_argument("--zone", default="", help="IANA zone of the person")
    parser.add_argument("--zip", default="", help="ZIP code of the person")
    parser.add_argument("--state", default="", help="state or province of the person")
    parser.add_argument("--country", default="", help="ISO 3166 code of the person's country")
    parser.add_argument("--at", help="the instant to look from, ISO 8601 with offset; default: now")
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
    parser.add_argument("--rules", help="a rule file; default: the rules of this package")
    parser.add_argument("--own-rules", help="a rule file whose rules are added, or replace those with the same id")
    parser.add_argument("--earliest", help="own limit, HH:MM")
    parser.add_argument("--latest", help="own limit, HH:MM")
    parser.add_argument("--margin", type=int, default=0, help="minutes kept clear at both ends")
    parser.add_argument("--days-ahead", type=int, default=60, help="for so many days the hours are to hold")
    parser.add_argument("--markdown", action="store_true", help="the table as in docs/calling-hours.md")
    parser.add_argument("--show-number", action="store_true", help="do not mask the number")
    return parser


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(timezone.utc)
    try:
        moment = moment_of(text)
    except ValueError:
        raise RulesError(f"--at {text!r} is not an instant such as '2026-11-25T12:00-05:00'") from None
    if moment.tzinfo is None:
        raise RulesError(f"--at {text!r} needs an offset, such as '2026-11-25T12:00-05:00'")
    return moment


def _explained(options: argparse.Namespace, policy: CallingHours, now: datetime) -> tuple[bool, list[str]]:
    """Return whether the number may be called some time, and the lines that say why."""
    number = _PUNCTUATION.sub("", options.number)
    if not is_e164(number):
        raise RulesError("The number must begin with + and its country code, and hold digits only")
    row = {name: getattr(options, name) for name in ("zone", "zip", "state", "country")}
    placed = Placer(policy, now).place_contact(row, number)
    told = number if options.show_number else _masked(number)
    if not isinstance(placed, Placement):
        return False, [f"{told}: not called, {placed.value}: {EXPLANATIONS[placed]}"]
    return True, [told, *_lines(placed, now)]


def _lines(placed: Placement, now: datetime) -> Iterator[str]:
    hours = placed.hours
    yield f"  where    {placed.place.because}; {' or '.join(hours.zones)}"
    yield f"  window   {placed.window}"
    head = "because"
    for row in _rule_rows(sorted(hours.rules, key=lambda rule: (len(rule.jurisdiction), rule.id))):
        never = f"; never {row[3]}" if row[3] else ""
        yield f"  {head:<8} {row[0]}: {row[2]}{never}. {row[5]}, looked up {row[6]}"
        head = ""
    for cap in hours.caps:
        yield f"  at most  {_cap_text(cap)} (not counted here)"
    if hours.blocked:
        shown = ", ".join(map(str, hours.blocked[:_MOST_BLOCKED_SHOWN]))
        yield f"  not on   {shown}{' ...' if len(hours.blocked) > _MOST_BLOCKED_SHOWN else ''}"
    yield f"  now      {_when(placed, now)}"


def _when(placed: Placement, now: datetime) -> str:
    following = placed.hours.next_allowed(now)
    if following is None:
        return "may not be called, nor on any of the days looked at"
    if following == now:
        return "may be called"
    local = following.astimezone(zone_of(placed.window.zone))
    return f"may not be called; next from {local:%a %Y-%m-%d %H:%M %Z} ({following:%Y-%m-%dT%H:%MZ})"


def _masked(number: str) -> str:
    """Hide a number but for its area code, or its country code, and its last two digits."""
    shown = _AREA_CODE_END if number.startswith("+1") else 3
    return number[:shown] + mask_number(number)[shown:]


def _hours_text(rule: Rule) -> str:
    """Write the hours of a rule, e.g. ``Mon-Fri 09:00-18:00, Sat 10:00-17:00``."""
    parts = [
        " and ".join(windows) if days == "mon-sun" else f"{days.title()} {' and '.join(windows)}"
        for days, windows in rule.hours.items()
    ]
    zone = "" if rule.basis == RECIPIENT else f" by the clock of {rule.basis}"
    return f"{', '.join(parts)}{zone}"


def _never_text(rule: Rule) -> str:
    """Write the days on which a rule allows no call, e.g. ``Sun; us-al``."""
    open_days = {day for names in rule.hours for day in days_of(names)}
    closed = [name.capitalize() for day, name in enumerate(DAY_NAMES) if day not in open_days]
    holidays = rule.holidays
    dates = [holidays.set] if holidays and holidays.set else []
    dates += [f"also {day}" for day in holidays.added] if holidays else []
    dates += [f"but not {day}" for day in holidays.removed] if holidays else []
    return "; ".join([*([", ".join(closed)] if closed else []), *dates])


def _cap_text(cap: Cap) -> str:
    """Write a cap, e.g. ``3 in 24 hours per subject``."""
    time = f"{cap.hours // 24} days" if cap.hours > 24 and cap.hours % 24 == 0 else f"{cap.hours} hours"
    return f"{cap.calls} in {time} per {cap.per}"


def _rule_rows(rules: Sequence[Rule]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each rule, as ``_HEADER`` names them."""
    for rule in rules:
        valid = [f"from {rule.valid_from}"] if rule.valid_from else []
        valid += [f"to {rule.valid_to}"] if rule.valid_to else []
        confidence = "" if rule.confidence == "primary" else f" ({rule.confidence})"
        yield (
            rule.id,
            "all" if len(rule.kinds) > 1 else rule.kinds[0],
            ", ".join([_hours_text(rule), *valid]),
            _never_text(rule),
            ", ".join(map(_cap_text, rule.caps)),
            f"{rule.citation}{confidence}",
            rule.checked_on,
        )


def as_text(rules: RuleSet) -> str:
    """Return the table for a terminal."""
    rows = [_HEADER, *_rule_rows(rules.rules)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{rules.name}. Not legal advice, and not complete.", "", *lines])


def as_markdown(rules: RuleSet) -> str:
    """Return the tables for the documents: rules, what they say and doubts about them, holiday sets."""
    linked = []
    for rule, row in zip(rules.rules, _rule_rows(rules.rules), strict=True):
        source = row[5].replace(rule.citation, f"[{rule.citation}]({rule.url})") if rule.url else row[5]
        linked.append((f"`{row[0]}`", *row[1:5], source, row[6]))
    told = [
        (f"`{rule.id}`", rule.sense, rule.exemption or "", rule.note or "")
        for rule in rules.rules
        if rule.exemption or rule.note
    ]
    sets = []
    for each in rules.holiday_sets:
        days = [*(f"those of `{name}`" for name in each.of), *(day.name for day in each.days)]
        sets.append((f"`{each.name}`", ", ".join(days)))
    tables = (
        _markdown(_HEADER, linked),
        _markdown(("rule", "in our words", "exempt", "note"), told),
        _markdown(("set", "days"), sets),
    )
    return "\n\n".join(tables)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
