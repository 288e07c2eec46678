"""No allowed instant lies outside any rule that applies, by a second opinion; limits only ever take hours away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_truedy.calling_hours import Blackout, CallingHours, PlaceHours, Rule, RuleSet
from airflow_truedy.calling_hours.place_hours import Window
from airflow_truedy.calling_hours.zones import Span, clock_of, zone_of, zones_of_country
from tests.calling_hours import oracle

UTC = timezone.utc
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
SHIPPED = RuleSet.shipped()
YEAR = Span(date(2026, 6, 1), date(2027, 6, 30))
COUNTRIES = ("US", "CA", "AU")
ZONES = [
    (country, zone) for country in COUNTRIES for zone in zones_of_country(country) if zone[:3] in ("Ame", "Pac", "Aus")
]
#: Rules of all shapes: weekend hours, no Sundays, holidays, two windows, a fixed zone, one that begins in the span.
PLACES = ("US", "US-FL", "US-AL", "US-TX", "US-MS", "US-ME", "US-RI", "US-PA", "US-UT", "CA", "AU", "FR")


def edges(day: date, zone: str) -> Iterator[datetime]:
    """Every minute of a day next to one at which an answer can change: edges of rules and midnight."""
    for hour in (0, 8, 9, 10, 12, 13, 14, 17, 18, 19, 20, 21):
        for minutes in (-1, 0, 29, 30):
            wall = datetime(day.year, day.month, day.day, hour, tzinfo=zone_of(zone)) + minutes * MINUTE
            yield wall.astimezone(UTC)


def days_that_matter(zone: str) -> list[date]:
    """The days around each clock change, and the turn of the year."""
    changes = [instant.date() for instant, _ in clock_of(zone, YEAR)[1:]]
    days = {day + offset * DAY for day in [*changes, date(2027, 1, 1)] for offset in (-2, -1, 0, 1, 2)}
    return sorted(day for day in days if YEAR.first < day < YEAR.last)


def agree(
    hours: PlaceHours, policy: CallingHours, instant: datetime, span: Span = YEAR, rules: RuleSet = SHIPPED
) -> bool:
    expected = oracle.may_call(instant, hours.zones, hours.jurisdictions, policy, rules, span.first, span.last)
    return hours.may_call(instant) == expected


@pytest.mark.parametrize(("country", "zone"), ZONES)
def test_both_opinions_agree_at_clock_changes_and_the_turn_of_the_year(country: str, zone: str) -> None:
    policy = CallingHours()
    hours = PlaceHours([zone], frozenset({country, "US-PA"}), policy, SHIPPED, YEAR)
    wrong = [each for day in days_that_matter(zone) for each in edges(day, zone) if not agree(hours, policy, each)]
    assert wrong == []


@pytest.mark.parametrize("zone", ["America/Vancouver", "America/Edmonton", "America/Winnipeg"])
def test_a_zone_whose_rules_changed_is_right_minute_by_minute(zone: str) -> None:
    policy = CallingHours()
    hours = PlaceHours([zone], frozenset({"CA"}), policy, SHIPPED, YEAR)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert all(agree(hours, policy, start + minute * MINUTE) for minute in range(2 * 24 * 60))
    # In January its clock is an hour before the one that databases of 2025 foresaw.
    offset = zone_of(zone).utcoffset(datetime(2027, 1, 15))
    assert offset == timedelta(hours={"America/Vancouver": -7, "America/Edmonton": -6, "America/Winnipeg": -5}[zone])


@pytest.mark.parametrize("place", PLACES)
def test_both_opinions_agree_on_every_day_of_a_year(place: str) -> None:
    zones = {"CA": ["America/St_Johns"], "AU": ["Australia/Lord_Howe"], "FR": ["Europe/Paris"]}
    policy = CallingHours(blackout=Blackout(holidays=["us-federal"], jurisdictions=["US-FL"]))
    hours = PlaceHours(
        zones.get(place, ["America/New_York", "America/Chicago"]), frozenset({place}), policy, SHIPPED, YEAR
    )
    for day in YEAR.days()[2:-2]:
        for instant in list(edges(day, hours.zones[0]))[day.day % 5 :: 5]:
            assert agree(hours, policy, instant), instant


some_zones = st.lists(
    st.sampled_from(sorted({zone for _, zone in ZONES} | {"Europe/Paris", "Pacific/Kiritimati"})),
    min_size=1,
    max_size=3,
    unique=True,
)
some_times = st.sampled_from(["07:15", "08:00", "09:30", "12:00", "17:45", "21:00"])
some_days = st.dates(date(2026, 10, 20), date(2027, 4, 10))


@st.composite
def some_rules(draw: st.DrawFn) -> RuleSet:
    def one(name: str, jurisdiction: str) -> Rule:
        starts = draw(st.integers(0, 20))
        day = draw(st.sampled_from(["mon-sun", "mon-sat", "mon-fri", "sun"]))
        return Rule(
            id=name,
            jurisdiction=jurisdiction,
            hours={day: [f"{starts:02d}:00-{draw(st.integers(starts + 1, 24)):02d}:00"]},
            checked_on="2026-11-25",
            basis=draw(st.sampled_from(["recipient", "recipient", "America/Chicago"])),
            valid_from=draw(st.sampled_from([None, "2026-11-15"])) if jurisdiction != "US" else None,
            valid_to=draw(st.sampled_from([None, "2026-12-24"])) if jurisdiction != "US" else None,
        )

    return RuleSet("drawn", (one("us", "US"), one("fl", "US-FL"), one("ga", "US-GA")))


@st.composite
def some_policies(draw: st.DrawFn) -> CallingHours:
    earliest, latest = sorted(draw(st.lists(some_times, min_size=2, max_size=2, unique=True)))
    blackout = [Blackout(dates=[draw(some_days)])] if draw(st.booleans()) else []
    return CallingHours(
        earliest=draw(st.sampled_from([None, earliest])),
        latest=draw(st.sampled_from([None, latest])),
        days=draw(st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True)),
        margin=draw(st.sampled_from([0, 1, 40])),
        blackout=blackout,
    )


FEW = settings(max_examples=25)


@FEW
@given(zones=some_zones, rules=some_rules(), policy=some_policies(), day=some_days, data=st.data())
def test_both_opinions_agree_on_any_rules_and_limits(
    zones: list[str], rules: RuleSet, policy: CallingHours, day: date, data: st.DataObject
) -> None:
    span = Span(day, day + 30 * DAY)
    hours = PlaceHours(zones, frozenset({"US-FL", "US-GA"}), policy, rules, span)
    for _ in range(12):
        minute = data.draw(st.integers(-24 * 60, 32 * 24 * 60))
        instant = datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE
        assert agree(hours, policy, instant, span, rules), instant


@FEW
@given(zones=some_zones, rules=some_rules(), policy=some_policies(), day=some_days)
def test_the_window_is_allowed_on_every_day_that_is_not_blocked(
    zones: list[str], rules: RuleSet, policy: CallingHours, day: date
) -> None:
    span = Span(day, day + 25 * DAY)
    hours = PlaceHours(zones, frozenset({"US-FL"}), policy, rules, span)
    for instant in instants_of(hours.window, hours.blocked, span):
        assert oracle.may_call(instant, zones, {"US-FL"}, policy, rules, span.first, span.last), instant


def instants_of(window: Window | None, blocked: tuple[date, ...], span: Span) -> Iterator[datetime]:
    """First and last minute of a window and some between, on each day on which it is open."""
    if window is None:
        return
    zone = zone_of(window.zone)
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (window.start, window.end))
    for day in span.days():
        if day.isoweekday() in window.days and day not in blocked:
            for minute in {start, end - 1, *range(start, end, 97)}:
                for fold in (0, 1):
                    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone, fold=fold)
                    instant = wall.astimezone(UTC)
                    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
                        yield instant


@FEW
@given(zones=some_zones, rules=some_rules(), policy=some_policies(), day=some_days, minute=st.integers(0, 9 * 1440))
def test_the_next_allowed_instant_is_allowed_and_none_is_before_it(
    zones: list[str], rules: RuleSet, policy: CallingHours, day: date, minute: int
) -> None:
    hours = PlaceHours(zones, frozenset({"US-FL"}), policy, rules, Span(day, day + 10 * DAY))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE
    found = hours.next_allowed(at)
    end = found or at + 11 * DAY
    assert found is None or hours.may_call(found)
    before = [at + minutes * MINUTE for minutes in range(0, 11 * 1440, 47)]
    assert [each for each in (*before, end - MINUTE) if at <= each < end and hours.may_call(each)] == []


@FEW
@given(zones=some_zones, rules=some_rules(), policy=some_policies(), day=some_days, minute=st.integers(0, 20 * 1440))
def test_more_zones_rules_margin_and_blackout_only_take_hours_away(
    zones: list[str], rules: RuleSet, policy: CallingHours, day: date, minute: int
) -> None:
    span = Span(day, day + 20 * DAY)
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE
    wide = CallingHours()
    most = PlaceHours(zones[:1], frozenset({"US"}), wide, rules, span).may_call(instant)
    steps = [
        PlaceHours(zones, frozenset({"US"}), wide, rules, span),
        PlaceHours(zones, frozenset({"US", "US-FL", "US-GA"}), wide, rules, span),
        PlaceHours(zones, frozenset({"US", "US-FL", "US-GA"}), policy, rules, span),
    ]
    for step in steps:
        tighter = step.may_call(instant)
        assert most or not tighter
        most = tighter


@given(zones=some_zones, minute=st.integers(0, 20 * 1440))
def test_what_is_unknown_is_never_allowed(zones: list[str], minute: int) -> None:
    span = Span(date(2026, 12, 1), date(2026, 12, 20))
    instant = datetime(2026, 12, 1, tzinfo=UTC) + minute * MINUTE
    for place, where in ((zones, {"DE"}), (zones, {"US", "DE"}), ([], {"US"})):
        hours = PlaceHours(place, frozenset(where), CallingHours(), SHIPPED, span)
        assert not hours.may_call(instant)
        assert hours.next_allowed(instant) is None
        assert hours.window is None


def test_a_rule_that_ends_leaves_its_country_unknown_from_then_on() -> None:
    rule = Rule("us", "US", {"mon-sun": ["08:00-21:00"]}, "2026-11-25", valid_to="2026-12-10")
    rules = RuleSet("ends", (rule,))
    for last, uncovered in ((date(2026, 12, 9), []), (date(2026, 12, 10), ["US"])):
        hours = PlaceHours(
            ["America/New_York"], frozenset({"US"}), CallingHours(), rules, Span(date(2026, 12, 1), last)
        )
        assert hours.uncovered == uncovered
        assert (hours.window is None) == bool(uncovered)
