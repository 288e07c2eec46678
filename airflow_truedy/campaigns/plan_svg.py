"""The plan of a campaign as a picture: calls per day and hour, one row for each batch call."""

from __future__ import annotations

from datetime import time
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_truedy.campaigns.forecast import calls_by_hour
from airflow_truedy.campaigns.plan_format import assumptions_of, counted, days_of, is_plan, parts_of_plan, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

_LEFT, _TOP, _RIGHT, _BOTTOM = 190, 62, 16, 34
_ROW, _BAR = 64, 40
_DAY_GAP = 12
_NARROWEST, _NARROWEST_DAY = 640, 100
_WIDTHS = {1: 34, 2: 34, 3: 26, 4: 22}
_DAYS_SHOWN = 7
_WIDEST = 14
_PARTS_SHOWN = 20
#: Colours and sizes by role, as attributes: a page's policy may forbid styles. What they tell is written out too.
_ROLES = {
    "paper": 'fill="#ffffff"',
    "bar": 'fill="#0969da" stroke="#0a3069"',
    "line": 'stroke="#8c959f"',
    "ink": 'fill="#1f2328"',
    "faint": 'fill="#59636e"',
    "small": 'font-size="10"',
    "title": 'font-size="14" font-weight="600"',
}
_DARK = """@media (prefers-color-scheme:dark){.paper{fill:#0d1117}.ink{fill:#f0f6fc}.faint{fill:#9198a1}
.bar{fill:#4493f8;stroke:#cae8ff}.line{stroke:#656c76}}"""


class _Grid(NamedTuple):
    """Where days and hours are."""

    days: list[date]
    first_hour: int
    hours: int
    column: int

    @property
    def day_width(self) -> int:
        return self.hours * self.column + _DAY_GAP

    @property
    def width(self) -> int:
        return max(_LEFT + len(self.days) * self.day_width + _RIGHT, _NARROWEST)

    def x(self, day: date, hour: int) -> int:
        return _LEFT + self.days.index(day) * self.day_width + (hour - self.first_hour) * self.column


def plan_svg(plan: Mapping[str, Any]) -> str:
    """
    Return a plan as SVG, for light and dark, readable without colours. No scripts; all text in it is escaped.

    :param plan: what ``PlanBatchCallsOperator`` or a dry run returned.
    :raises ValueError: it is not a plan.
    """
    if not is_plan(plan):
        raise ValueError("This is not the plan of a campaign")
    assumed = assumptions_of(plan)
    parts = [part for part in parts_of_plan(plan) if days_of(part)]
    rows = [
        {(day, hour): calls for day, count, first in days_of(part) for hour, calls in _hours(first, count, assumed)}
        for part in parts[:_PARTS_SHOWN]
    ]
    grid = _grid(rows, parts[:_PARTS_SHOWN])
    height = _TOP + max(len(rows), 1) * _ROW + _BOTTOM
    title = f"Plan of {shown(plan.get('name'))}: {_people(plan.get('people'))}"
    body = [
        f'<rect {_role("paper")} width="{grid.width}" height="{height}"/>',
        _text(12, 22, title, "ink title"),
        *_axis(grid, height),
        *(line for at, (part, row) in enumerate(zip(parts, rows, strict=False)) for line in _row(grid, at, part, row)),
        _text(12, height - 10, _not_shown(plan, parts, rows, grid), "faint small"),
    ]
    root = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {grid.width} {height}",
        "width": grid.width,
        "height": height,
        "font-family": "system-ui,sans-serif",
        "font-size": 12,
        "role": "img",
        "aria-labelledby": "title desc",
    }
    attributes = " ".join(f'{name}="{value}"' for name, value in root.items())
    words = f'<title id="title">{escape(title)}</title><desc id="desc">{escape(_in_words(parts))}</desc>'
    return f"<svg {attributes}>{words}<style>{_DARK}</style>{''.join(body)}</svg>"


def _hours(first: str, count: int, assumed: Any) -> Iterator[tuple[int, int]]:
    try:
        yield from calls_by_hour(first, count, assumed).items()
    except ValueError:
        return


def _grid(rows: list[dict[tuple[date, int], int]], parts: list[Mapping[str, Any]]) -> _Grid:
    days = sorted({day for row in rows for day, _ in row})[:_DAYS_SHOWN]
    called = [hour for row in rows for day, hour in row if day in days] or [9]
    # The whole window, so that its empty hours are seen too, unless that would be very wide.
    open_hours = [hour for part in parts for hour in _window(part)]
    hours = [*called, *open_hours]
    if max(hours) - min(hours) >= _WIDEST:
        hours = called
    count = max(hours) - min(hours) + 1
    return _Grid(days, min(hours), count, max(_WIDTHS.get(len(days), 18), -(-_NARROWEST_DAY // count)))


def _window(part: Mapping[str, Any]) -> list[int]:
    """Return the first and the last hour of a part's calling window; nothing if it tells none."""
    try:
        first, last = (time.fromisoformat(str(part.get(name))) for name in ("start_time", "end_time"))
    except ValueError:
        return []
    return [first.hour, last.hour if last.minute else max(first.hour, last.hour - 1)]


def _axis(grid: _Grid, height: int) -> Iterator[str]:
    for day in grid.days:
        left = grid.x(day, grid.first_hour)
        yield _text(left, 42, f"{day:%a} {day}", "ink")
        yield f'<line {_role("line")} x1="{left}" y1="{_TOP - 4}" x2="{left}" y2="{height - _BOTTOM}"/>'
        step = max(1, 40 // grid.column)
        for hour in range(grid.first_hour, grid.first_hour + grid.hours, step):
            yield _text(grid.x(day, hour) + 2, 56, f"{hour:02}h", "faint small")


def _row(grid: _Grid, at: int, part: Mapping[str, Any], row: Mapping[tuple[date, int], int]) -> Iterator[str]:
    foot = _TOP + (at + 1) * _ROW - 8
    most = max(*row.values(), 1)
    yield _text(12, foot - 26, shown(part.get("part"), 26), "ink")
    yield _text(12, foot - 12, f"{_people(part.get('people'))}, {shown(part.get('timezone'), 24)}", "faint small")
    yield f'<line {_role("line")} x1="{_LEFT}" y1="{foot}" x2="{grid.width - _RIGHT}" y2="{foot}"/>'
    for (day, hour), calls in row.items():
        if day not in grid.days:
            continue
        left, tall = grid.x(day, hour) + 1, max(2, round(_BAR * calls / most))
        yield f'<rect {_role("bar")} x="{left}" y="{foot - tall}" width="{grid.column - 2}" height="{tall}"/>'
        middle = left + grid.column // 2 - 1
        yield _text(middle, foot - tall - 3, _short(calls), "ink small", ' text-anchor="middle"')


def _not_shown(plan: Mapping[str, Any], parts: list[Any], rows: list[Any], grid: _Grid) -> str:
    told = "Expected calls in each hour, by the clock of each row's zone; heights are those of one row."
    duration = plan.get("duration")
    calls = counted(duration.get("calls")) if isinstance(duration, dict) else 0
    rest = calls - sum(count for row in rows for (day, _), count in row.items() if day in grid.days)
    return f"{told} Not shown: {rest:,} calls on later days or in other batch calls." if rest > 0 else told


def _in_words(parts: list[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{shown(part.get('part'))}: " + ", ".join(f"{day:%a} {day} {count:,} calls" for day, count, _ in days_of(part))
        for part in parts[:_PARTS_SHOWN]
    )


def _people(value: Any) -> str:
    return "an unknown number of people" if value is None else f"{counted(value):,} people"


def _short(calls: int) -> str:
    return str(calls) if calls < 1_000 else f"{calls / 1_000:.0f}k" if calls < 1_000_000 else f"{calls / 1e6:.0f}M"


def _text(x: int, y: int, text: str, kind: str, more: str = "") -> str:
    return f'<text {_role(kind)} x="{x}" y="{y}"{more}>{escape(text)}</text>'


def _role(names: str) -> str:
    return f'class="{names}" {" ".join(_ROLES[name] for name in names.split())}'
