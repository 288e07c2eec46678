"""How the plan of a campaign is written down, for everything that shows or checks one: plain JSON, kept in XCom."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_truedy.campaigns.forecast import Assumptions
from airflow_truedy.campaigns.identity import digest

KIND = "truedy.plan"
VERSION = 1

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def is_plan(value: Any) -> bool:
    """Return whether a value, such as a task's XCom, is a plan that this version can read."""
    return isinstance(value, Mapping) and value.get("kind") == KIND and value.get("version") == VERSION


def seal_of(plan: Mapping[str, Any]) -> str:
    """Return what tells a plan from every other, one that the same task makes again among them."""
    return digest(json.dumps(plan, sort_keys=True), 16)


def seal_line(plan: Mapping[str, Any]) -> str:
    """Return the line of Markdown by which an approval knows later which plan a person was shown."""
    return f"An answer counts for plan `{seal_of(plan)}`."


def seals_in(markdown: str) -> list[str]:
    """Return the seals of the plans that a text shows. No name in a plan can look like one: it begins no line."""
    return re.findall(r"(?m)^[ \t]*An answer counts for plan `([0-9a-f]{16})`\.[ \t]*$", markdown)


def shown(value: Any, longest: int = 80) -> str:
    """Return a value on one line, without characters that could hide or turn around what is beside it."""
    text = " ".join(_UNPRINTABLE.sub(" ", str(value)).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def counted(value: Any) -> int:
    """Return a count of a plan; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def parts_of_plan(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parts of a plan."""
    parts = plan.get("parts")
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def days_of(part: Mapping[str, Any]) -> list[tuple[date, int, str]]:
    """Return the days of a part that a plan lists: date, calls, and when the first one begins."""
    found = []
    days = part.get("days")
    for day in days if isinstance(days, list) else ():
        try:
            found.append((date.fromisoformat(day[0]), counted(day[1]), str(day[2])[:5]))
        except (TypeError, ValueError, IndexError, KeyError):
            continue
    return found


def assumptions_of(plan: Mapping[str, Any]) -> Assumptions:
    """Return what a plan assumes; the defaults for what it does not tell."""
    told = plan.get("assumptions")
    known = told if isinstance(told, Mapping) else {}
    try:
        minutes = Decimal(str(known.get("average_minutes")))
    except InvalidOperation:
        minutes = Assumptions.average_minutes
    return Assumptions(
        minutes if minutes.is_finite() and minutes > 0 else Assumptions.average_minutes,
        counted(known.get("concurrency")) or Assumptions.concurrency,
        counted(known.get("retry_attempts")),
    )
