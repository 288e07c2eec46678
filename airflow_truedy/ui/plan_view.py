"""The plan of a campaign as a page shows it, whatever a value in XCom holds that calls itself one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_truedy.api.scrub import scrub
from airflow_truedy.campaigns.plan_format import parts_of_plan
from airflow_truedy.formats import moment_of
from airflow_truedy.ui.words import utc_minute


@dataclass(frozen=True)
class PlanView:
    """
    A plan, with what people wrote in it scrubbed, and the task instance that returned it.

    :param plan: the plan itself, for its picture.
    :param facts: what it comes to, in words: label and value.
    :param parts: its batch calls: label, people, zone, first and last call in local time.
    """

    task_id: str
    map_index: int
    plan: Mapping[str, Any]
    facts: list[tuple[str, str]]
    parts: list[tuple[str, Any, str, str, str]]
    warnings: list[str]

    @classmethod
    def of(cls, task_id: str, map_index: int, plan: Mapping[str, Any]) -> PlanView:
        """Return the view of a plan."""
        parts = [{**part, "part": scrub(_text(part.get("part")))} for part in parts_of_plan(plan)]
        told = plan.get("warnings")
        return cls(
            task_id,
            map_index,
            {**plan, "name": scrub(_text(plan.get("name"))), "parts": parts},
            _facts(plan),
            [
                (
                    part["part"],
                    part.get("people"),
                    _text(part.get("timezone")),
                    _text(_mapping(part, "first_call").get("local")),
                    _text(_mapping(part, "last_call").get("local")),
                )
                for part in parts
            ],
            [scrub(str(warning)) for warning in told] if isinstance(told, list) else [],
        )


def _facts(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    duration, cost, ceilings = (_mapping(plan, name) for name in ("duration", "cost", "ceilings"))
    currency = _text(cost.get("currency"))
    return [
        ("People", _text(plan.get("people"))),
        ("First call", _instant(duration.get("first_call"))),
        ("Last call, about", _instant(duration.get("last_call"))),
        ("Expected cost", f"{_text(cost.get('expected'))} {currency}" if cost else "\u2013"),
        ("Cost at most", f"{_text(cost.get('at_most'))} {currency}" if cost else "\u2013"),
        ("Calls at most", _text(ceilings.get("calls"))),
    ]


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _instant(value: Any) -> str:
    try:
        return utc_minute(moment_of(value))
    except (AttributeError, TypeError, ValueError):
        return "\u2013"


def _text(value: Any) -> str:
    """Return a text or a number as text; a dash for nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) and value else "\u2013"
