"""How a campaign came along, as a small picture."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_truedy.ui.account import Sample

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 560, 120, 8, 22
_LINES = (("called", "4 0"), ("completed", "6 4"))


def progress_svg(samples: Sequence[Sample], total: int | None) -> str:
    """
    Return the people called and reached over time as SVG, of numbers alone; empty before there are two readings.

    The classes are those of the pages' style sheet. The two lines differ in their dashes too.

    :param samples: the readings, oldest first.
    :param total: contacts of the campaign.
    """
    if len(samples) < 2:
        return ""
    first, last = samples[0], samples[-1]
    top = max(total or 0, last.called, 1)
    span = max(last.at - first.at, 1.0)

    def points(name: str) -> str:
        return " ".join(
            f"{(one.at - first.at) / span * _WIDTH:.1f},{_TOP + (1 - getattr(one, name) / top) * _HEIGHT:.1f}"
            for one in samples
        )

    lines = [
        f'<polyline class="line {name}" stroke-dasharray="{dash}" points="{points(name)}"/>' for name, dash in _LINES
    ]
    told = f"{first.called:,} called at {_clock(first.at)}, {last.called:,} of {top:,} at {_clock(last.at)}"
    base = _TOP + _HEIGHT
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {base + _BOTTOM}" role="img" aria-label="Progress: {told}">'
        f'<line class="axis" x1="0" y1="{base}" x2="{_WIDTH}" y2="{base}"/>{"".join(lines)}'
        f'<text x="0" y="{base + 16}">{_clock(first.at)}</text>'
        f'<text x="{_WIDTH}" y="{base + 16}" text-anchor="end">{_clock(last.at)}</text></svg>'
    )


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%m-%d %H:%M} UTC"
