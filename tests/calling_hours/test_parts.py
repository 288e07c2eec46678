"""As few parts as possible, and nobody gets an hour that was not his."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_truedy.calling_hours import CallingHours, Placement, Placer, Window
from airflow_truedy.calling_hours.part_hours import common, fewest_parts, minutes
from airflow_truedy.calling_hours.zones import Span, zone_of
from tests.calling_hours.test_places import AREA_CODES

SPAN = Span(date(2026, 10, 20), date(2027, 3, 30))
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
ZONES = ["America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "Pacific/Guam"]
some_windows = st.builds(
    lambda zone, start, length, days: Window(zone, f"{start:02d}:00", f"{start + length:02d}:00", tuple(sorted(days))),
    st.sampled_from(ZONES),
    st.integers(6, 12),
    st.integers(4, 11),
    st.sets(st.sampled_from(EVERY_DAY), min_size=3),
)


def is_open(window: Window, instant: datetime) -> bool:
    wall = instant.astimezone(zone_of(window.zone))
    return wall.isoweekday() in window.days and window.start <= f"{wall:%H:%M}" < window.end


def test_windows_that_are_open_at_the_same_instants_are_one_part() -> None:
    central = Window("America/Chicago", "08:00", "19:00", EVERY_DAY)
    eastern = Window("America/New_York", "09:00", "20:00", EVERY_DAY)
    assert set(fewest_parts({central: 3, eastern: 5}, SPAN).values()) == {eastern}


def test_windows_that_differ_are_merged_only_when_there_are_too_many() -> None:
    wide = Window("America/New_York", "08:00", "21:00", EVERY_DAY)
    narrow = Window("America/New_York", "09:00", "20:00", EVERY_DAY)
    far = Window("Pacific/Guam", "15:00", "19:00", EVERY_DAY)
    people = {wide: 100, narrow: 5, far: 2}
    assert fewest_parts(people, SPAN) == {wide: wide, narrow: narrow, far: far}
    assert fewest_parts(people, SPAN, most=2) == {wide: narrow, narrow: narrow, far: far}
    # Those that have no hour in common stay apart.
    assert fewest_parts(people, SPAN, most=1) == {wide: narrow, narrow: narrow, far: far}


def test_where_the_distance_of_two_zones_changes_both_distances_count() -> None:
    denver = Window("America/Denver", "09:00", "17:00", EVERY_DAY)
    phoenix = Window("America/Phoenix", "09:00", "17:00", EVERY_DAY)
    assert common(denver, phoenix, Span(date(2026, 12, 1), date(2026, 12, 31))) == denver
    found = common(denver, phoenix, SPAN)
    assert found is not None
    assert minutes(found) == minutes(denver) - 7 * 60


@settings(max_examples=40)
@given(
    people=st.dictionaries(some_windows, st.integers(1, 1000), min_size=1, max_size=7),
    most=st.one_of(st.none(), st.integers(1, 5)),
    minute=st.lists(st.integers(0, 150 * 1440), min_size=20, max_size=20),
)
def test_each_part_lies_within_the_windows_of_its_people(
    people: dict[Window, int], most: int | None, minute: list[int]
) -> None:
    parts = fewest_parts(people, SPAN, most)
    assert set(parts) == set(people)
    for each in minute:
        instant = datetime(2026, 10, 21, tzinfo=timezone.utc) + timedelta(minutes=each)
        # At night, when clocks change, two zones are apart by another distance than on any day.
        for window, part in parts.items():
            assert is_open(window, instant) or not is_open(part, instant)


def test_all_area_codes_fit_into_a_few_parts() -> None:
    placer = Placer(CallingHours(), datetime(2026, 11, 25, 12, tzinfo=timezone.utc))
    placed = [placer.place_contact({}, f"+1{code}5550104") for code in AREA_CODES]
    people: dict[Window, int] = {}
    for each in placed:
        if isinstance(each, Placement):
            people[each.window] = people.get(each.window, 0) + 1
    free, few = fewest_parts(people, placer.span), fewest_parts(people, placer.span, most=8)
    assert len(set(few.values())) == 8 < len(set(free.values())) < len(people)


def test_the_window_of_a_part_is_allowed_on_every_day_that_is_not_blocked() -> None:
    placer = Placer(CallingHours(), datetime(2026, 12, 20, 12, tzinfo=timezone.utc))
    placed = [
        placer.place_contact({}, f"+1{code}5550104") for code in ("205", "207", "801", "601", "907", "671", "850")
    ]
    found = [each for each in placed if isinstance(each, Placement)]
    assert len(found) == 7
    parts = fewest_parts({each.window: 1 for each in found}, placer.span, most=2)
    assert len(set(parts.values())) == 2
    for each in found:
        part = parts[each.window]
        zone, blocked = zone_of(part.zone), each.hours.blocked_in(part)
        for day in placer.span.days():
            if day.isoweekday() in part.days and day not in blocked:
                for text in (part.start, part.end):
                    wall = datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=zone)
                    instant = wall.astimezone(timezone.utc) - timedelta(minutes=text == part.end)
                    assert each.hours.may_call(instant), (part, instant)
