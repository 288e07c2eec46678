"""The plan of a campaign as Markdown (GitHub's), as Airflow shows it to the person who is asked to approve it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_truedy.calling_hours.weekly import days_text
from airflow_truedy.campaigns.plan_format import (
    assumptions_of,
    counted,
    days_of,
    is_plan,
    parts_of_plan,
    seal_line,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BAR = 40
_PARTS_SHOWN = 50


def plan_markdown(plan: Mapping[str, Any], picture: str = "", page: str = "") -> str:
    """
    Return a plan as Markdown: tables, warnings, and bars of text. Whatever is in it cannot become markup.

    :param plan: what ``PlanBatchCallsOperator`` or a dry run returned.
    :param picture: address of its picture; ``page``, that of the page that shows it in full. Default: none.
    :raises ValueError: it is not a plan.
    """
    if not is_plan(plan):
        raise ValueError("This is not the plan of a campaign")
    sections = [
        f"**Plan of {code(plan.get('name'))}**",
        _warnings(plan),
        "\n".join(_table(("", ""), _overview(plan))),
        f"![calls per day and hour]({picture})" if picture else "",
        # Airflow shows pictures 300 pixels wide.
        f"[The plan and the campaigns of this run, in full]({page})" if page else "",
        "\n".join(_table(_PART_COLUMNS, _part_rows(plan))),
        _bars(plan),
        _rows_read(plan),
        seal_line(plan),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def code(value: Any) -> str:
    """Return a value as inline code, in a table too: nothing in it is markup, a link or a picture."""
    text = shown(value)
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", "\\|")


def _plain(value: Any) -> str:
    """Return words of ours, in which a name may occur: only letters of the alphabet and what no markup begins with."""
    return (
        re.sub(r"([\\`*_\[\]<>|~#!&@])", r"\\\1", shown(value, 600)).replace("://", ":\\//").replace("www.", "www\\.")
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _overview(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    parts, assumed = parts_of_plan(plan), assumptions_of(plan)
    duration, ceilings = _mapping(plan, "duration"), _mapping(plan, "ceilings")
    several = f" in {len(parts)} batch calls" if len(parts) > 1 else ""
    yield "People", f"{_number(plan.get('people'))}{several}"
    yield "Agent", ", ".join(sorted({code(part["agent_id"]) for part in parts if part.get("agent_id")}))
    yield "First call", _moment_of(parts, "first_call", duration)
    yield "Last call, about", _moment_of(parts, "last_call", duration)
    yield (
        "Expected",
        f"{_number(duration.get('calls'))} calls on {_number(duration.get('days'))} days, if a call takes "
        f"{assumed.average_minutes} minutes, {assumed.concurrency} are made at the same time in a batch call and "
        "everybody is called once",
    )
    if cost := _mapping(plan, "cost"):
        price = f"{cost.get('rate')} {cost.get('currency')} a {cost.get('per')}"
        yield (
            "Cost",
            (
                f"{_plain(cost.get('expected') or 'unknown')} {_plain(cost.get('currency'))} expected, "
                f"{_plain(cost.get('at_most') or 'unknown')} with all tries; {_plain(price)}"
            ),
        )
    most = f"{_number(ceilings.get('calls'))} calls, if Truedy tries everybody again {assumed.retry_attempts} times"
    a_day = ceilings.get("calls_per_day")
    yield "At most", f"{most}; {f'{_number(a_day)} calls a day' if a_day else 'no limit of calls a day'}"


_PART_COLUMNS = ("batch call", "people", "zone", "hours", "days", "start", "first call", "last call", "most a day")


def _part_rows(plan: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    parts = parts_of_plan(plan)
    for part in parts[:_PARTS_SHOWN]:
        if "timezone" not in part:
            yield code(part.get("part")), _number(part.get("people")), *[""] * 7
            continue
        yield (
            code(part.get("part")),
            _number(part.get("people")),
            code(part.get("timezone")),
            f"{_plain(part.get('start_time') or '00:00')}-{_plain(part.get('end_time') or '24:00')}",
            _days(part.get("working_days")),
            _plain(part.get("start")),
            _both(part.get("first_call")),
            _both(part.get("last_call")),
            _number(part.get("max_calls_per_day")) if part.get("max_calls_per_day") else "no limit",
        )
    if rest := parts[_PARTS_SHOWN:]:
        yield f"and {len(rest)} more", _number(sum(counted(part.get("people")) for part in rest)), *[""] * 7


def _bars(plan: Mapping[str, Any]) -> str:
    """Draw calls per day with text, in a fence that keeps the spaces."""
    calls: Counter[Any] = Counter()
    for part in parts_of_plan(plan):
        for day, count, _ in days_of(part):
            calls[day] += count
    if not calls:
        return ""
    most = max(*calls.values(), 1)
    lines = [
        f"{day:%a} {day}  {'█' * max(1, round(_BAR * count / most)):<{_BAR}}  {count:,}"
        for day, count in sorted(calls.items())
    ]
    rest = counted(_mapping(plan, "duration").get("calls")) - sum(calls.values())
    lines += [f"not shown: {rest:,} calls on later days, or in smaller batch calls"] if rest > 0 else []
    return "\n".join(["```text", "Calls per day", *lines, "```"])


def _rows_read(plan: Mapping[str, Any]) -> str:
    told = _mapping(plan, "list")
    if not told:
        return ""
    rows = [
        ("read", _number(told.get("rows_read"))),
        ("became contacts", _number(told.get("contacts"))),
        ("left out: another row has the same number", _number(told.get("duplicates"))),
        ("left out: the number is on a do-not-call list", _number(told.get("suppressed"))),
        ("refused", _number(told.get("rejected"))),
    ]
    why = told.get("why_rejected")
    for reason in why if isinstance(why, list) else ():
        if isinstance(reason, (list, tuple)) and len(reason) == 2:
            rows.append((f"refused: {_plain(reason[0])}", _number(reason[1])))
    return "\n".join(_table(("rows", "count"), rows))


def _warnings(plan: Mapping[str, Any]) -> str:
    told = plan.get("warnings")
    return "\n".join(f"- ⚠ **{_plain(one)}**" for one in told) if isinstance(told, list) else ""


def _mapping(plan: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = plan.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> str:
    return "unknown" if value is None else f"{counted(value):,}"


def _days(days: Any) -> str:
    known = [day for day in days if day in range(1, 8)] if isinstance(days, list) else []
    return days_text(known) if known else "every day"


def _moment_of(parts: Sequence[Mapping[str, Any]], name: str, duration: Mapping[str, Any]) -> str:
    """Write the first or the last call of all, by the clock of the part that places it where the plan tells that."""
    moments = ((part.get("timezone"), _mapping(part, name)) for part in parts)
    for zone, moment in moments:
        if moment.get("utc") == duration.get(name) and moment:
            return f"{_plain(moment.get('local'))} in {code(zone)} ({_plain(moment.get('utc'))})"
    return _plain(duration.get(name) or "unknown")


def _both(moment: Any) -> str:
    if not isinstance(moment, dict):
        return "unknown"
    return f"{_plain(moment.get('local'))} ({_plain(moment.get('utc'))})"
