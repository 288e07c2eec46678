"""
As few batch calls as possible for people with many windows.

A person may be called in any window that lies within his own. So people whose windows open and close at the same
instants share a part, whatever their zones are called; and if there are still too many parts, those are merged that
cost the fewest hours. Merging only takes hours away.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.hours import Window
from airflow_truedy.calling_hours.weekly import ALWAYS, best_window, earlier, every_day, minutes_of
from airflow_truedy.calling_hours.zones import distances, rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_truedy.calling_hours.zones import Span

#: The window of the merged part, and the two parts.
_Merge = tuple[Window, Window, Window]


def fewest_parts(people: Mapping[Window, int], span: Span, most: int | None = None) -> dict[Window, Window]:
    """
    Return the window of the batch call in which the people of each window are called.

    :param people: how many people have each window.
    :param span: the days on which they are called.
    :param most: merge parts until there are no more than so many, as far as they have an hour in common. Default: merge
        only what costs no hours.
    :return: for each window one that lies within it.
    """
    parts = {window: {window} for window in people}
    merge = _same(parts, span)
    while merge or (most is not None and len(parts) > most):
        merge = merge or _cheapest(parts, people, span)
        if merge is None:
            break
        window, one, other = merge
        together = parts.pop(one) | parts.pop(other)
        parts[window] = parts.get(window, set()) | together
        merge = _same(parts, span)
    return {window: part for part, windows in parts.items() for window in windows}


def _same(parts: Mapping[Window, set[Window]], span: Span) -> _Merge | None:
    """Return two parts that are open at the same instants."""
    for one, other in combinations(sorted(parts, key=lambda part: (rank(part.zone), part)), 2):
        if minutes(one) == minutes(other):
            window = common(one, other, span)
            if window and minutes(window) == minutes(one):
                return window, one, other
    return None


def _cheapest(parts: Mapping[Window, set[Window]], people: Mapping[Window, int], span: Span) -> _Merge | None:
    """Return the smallest part that has an hour in common with another, and the one with which it costs least."""
    size = {part: sum(people[window] for window in windows) for part, windows in parts.items()}
    for one in sorted(parts, key=lambda part: (size[part], part)):
        offers = [
            (
                size[one] * (minutes(one) - minutes(found)) + size[other] * (minutes(other) - minutes(found)),
                found,
                other,
            )
            for other in parts
            if other != one and (found := common(one, other, span))
        ]
        if offers:
            _, window, other = min(offers)
            return window, one, other
    return None


@lru_cache(maxsize=50_000)
def common(one: Window, other: Window, span: Span) -> Window | None:
    """Return the widest window that lies within two windows on every day of a span; ``None`` if there is none."""
    found = []
    for zone in sorted({one.zone, other.zone}, key=rank):
        week = ALWAYS
        for window in (one, other):
            for distance in distances(window.zone, zone, span):
                week &= earlier(_week(window), distance)
        if daily := best_window(week):
            found.append(Window.of(zone, daily))
    return max(found, key=minutes, default=None)


@lru_cache(maxsize=5_000)
def minutes(window: Window) -> int:
    """Return for how many minutes a week a window is open."""
    start, end = minutes_of(f"{window.start}-{window.end}")
    return (end - start) * len(window.days)


@lru_cache(maxsize=5_000)
def _week(window: Window) -> int:
    start, end = minutes_of(f"{window.start}-{window.end}")
    return every_day(start, end, window.days)
