from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import available_timezones

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.timing import in_words, instant_of, zone_of
from airflow_truedy.formats import utc_text

UTC = timezone.utc
ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory", "EST", "HST", "MST"})
WALL_TIMES = st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2037, 12, 30))


def instants_of(wall: datetime, zone: str) -> list[datetime]:
    """Every instant at which a clock in the zone shows this wall time, found by trying all offsets in minutes."""
    place = zone_of(zone)
    offsets = {wall.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1)}
    offsets |= {(wall + timedelta(hours=h)).replace(tzinfo=place).utcoffset() for h in (-26, 26)}
    found = {(wall - offset).replace(tzinfo=UTC) for offset in offsets if offset is not None}
    return sorted(at for at in found if at.astimezone(place).replace(tzinfo=None, fold=0) == wall)


@given(wall=WALL_TIMES, zone=st.sampled_from(ZONES))
@example(wall=datetime(2026, 3, 8, 2, 30), zone="America/New_York")
@example(wall=datetime(2026, 11, 1, 1, 30), zone="America/New_York")
@example(wall=datetime(2026, 10, 4, 2, 15), zone="Australia/Lord_Howe")
@example(wall=datetime(2026, 4, 5, 1, 45), zone="Australia/Lord_Howe")
@example(wall=datetime(2026, 3, 29, 2, 0), zone="Antarctica/Troll")
@example(wall=datetime(2011, 12, 30, 12, 0), zone="Pacific/Apia")
def test_a_wall_time_is_one_instant_or_an_error_naming_two(wall: datetime, zone: str) -> None:
    instants = instants_of(wall, zone)
    if len(instants) == 1:
        instant = instant_of(wall, zone)
        assert instant == instants[0]
        assert instant.utcoffset() == timedelta(0)
        assert instant.astimezone(zone_of(zone)).replace(tzinfo=None, fold=0) == wall
        return
    with pytest.raises(TimingError) as refused:
        instant_of(wall, zone)
    text = str(refused.value)
    assert ("happens twice" if instants else "does not exist") in text
    named = [part[: part.index(")")] for part in text.split("(")[1:]]
    assert len(set(named)) == 2
    for instant in instants:
        assert utc_text(instant) in named


@pytest.mark.parametrize(
    ("wall", "zone", "ways"),
    [
        (
            "2026-03-08T02:30",
            "America/New_York",
            ("2026-03-08T03:30:00-04:00", "2026-03-08T01:30:00-05:00"),
        ),
        (
            "2026-11-01T01:30",
            "America/New_York",
            ("2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"),
        ),
        (
            "2026-10-04T02:15",
            "Australia/Lord_Howe",
            ("2026-10-04T02:45:00+11:00", "2026-10-04T01:45:00+10:30"),
        ),
        (
            "2026-04-05T01:45",
            "Australia/Lord_Howe",
            ("2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"),
        ),
        (
            "2026-03-29T02:30",
            "Antarctica/Troll",
            ("2026-03-29T04:30:00+02:00", "2026-03-29T00:30:00+00:00"),
        ),
        (
            "2026-10-25T01:30",
            "Antarctica/Troll",
            ("2026-10-25T01:30:00+02:00", "2026-10-25T01:30:00+00:00"),
        ),
    ],
)
def test_both_clock_changes_of_2026_are_refused_and_each_named_way_is_accepted(
    wall: str, zone: str, ways: tuple[str, str]
) -> None:
    with pytest.raises(TimingError) as refused:
        instant_of(wall, zone)
    for way in ways:
        assert f"'{way}'" in str(refused.value)
        assert instant_of(way, zone) == datetime.fromisoformat(way)
    assert len({instant_of(way, zone) for way in ways}) == 2


@pytest.mark.parametrize(
    ("wall", "zone", "wire"),
    [
        ("2026-03-08T01:59:59", "America/New_York", "2026-03-08T06:59:59Z"),
        ("2026-03-08T03:00", "America/New_York", "2026-03-08T07:00:00Z"),
        ("2026-11-01T00:59:59", "America/New_York", "2026-11-01T04:59:59Z"),
        ("2026-11-01T02:00", "America/New_York", "2026-11-01T07:00:00Z"),
        ("2026-03-08T02:30", "America/Phoenix", "2026-03-08T09:30:00Z"),
        ("2026-03-29T02:30", "Asia/Kolkata", "2026-03-28T21:00:00Z"),
        ("2026-03-29T02:30", "UTC", "2026-03-29T02:30:00Z"),
        ("2026-01-01T00:00", "Pacific/Kiritimati", "2025-12-31T10:00:00Z"),
        ("2025-12-31T23:59:59", "Pacific/Pago_Pago", "2026-01-01T10:59:59Z"),
        ("2026-06-01T09:30", "Asia/Kathmandu", "2026-06-01T03:45:00Z"),
    ],
)
def test_wall_times_beside_a_clock_change_and_at_the_ends_of_the_year_are_instants(
    wall: str, zone: str, wire: str
) -> None:
    assert utc_text(instant_of(wall, zone)) == wire


@given(moment=st.datetimes(timezones=st.timezones(), min_value=datetime(1975, 1, 1)), zone=st.sampled_from(ZONES))
def test_an_aware_value_keeps_its_instant_whatever_the_zone(moment: datetime, zone: str) -> None:
    assert instant_of(moment, zone) == moment.astimezone(UTC)
    assert instant_of(moment, None) == moment.astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-20T09:30:00Z",
        "2026-03-20t09:30:00z",
        " 2026-03-20T09:30:00Z ",
        "2026-03-20T09:30Z",
        "2026-03-20 09:30:00+00:00",
        "2026-03-20T09:30:00.000Z",
        "2026-03-20T09:30:00.000000+00:00",
        "2026-03-20T05:30:00-04:00",
        str(pendulum.datetime(2026, 3, 20, 9, 30)),
        pendulum.datetime(2026, 3, 20, 9, 30).isoformat(),
    ],
)
def test_every_usual_form_of_an_instant_is_read_alike_on_all_pythons(text: str) -> None:
    if "t" in text:
        text = text.replace("t", "T")
    assert instant_of(text, None) == datetime(2026, 3, 20, 9, 30, tzinfo=UTC)


def test_pendulum_values_are_read_naive_and_aware() -> None:
    assert instant_of(pendulum.naive(2026, 3, 20, 9, 30), "America/New_York") == datetime(
        2026, 3, 20, 13, 30, tzinfo=UTC
    )
    aware = pendulum.datetime(2026, 3, 20, 9, 30, tz="America/New_York")
    assert instant_of(aware, "Europe/Berlin") == datetime(2026, 3, 20, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2026-02-30T09:00",
        "09:30",
        "2026-03-20T25:00",
        "1774000000",
        date(2026, 3, 20),
        1774000000,
        None,
    ],
)
def test_what_is_no_moment_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(TimingError, match="2026-03-20T09:30"):
        instant_of(value, "UTC")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["2026-03-20", " 2026-03-20 ", date(2026, 3, 20)])
def test_a_date_alone_is_not_silently_midnight(value: object) -> None:
    with pytest.raises(TimingError, match="a date without a time of day"):
        instant_of(value, "UTC")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["2026-03T09:30", "2026-03 09:30", "2026-W12T09:30", "2026w12T09:30", " 2026-03t09:30Z "]
)
def test_a_month_or_week_is_not_silently_its_first_day(text: str) -> None:
    with pytest.raises(TimingError, match="a month or week without a day"):
        instant_of(text, "UTC")


@pytest.mark.parametrize("text", ["2026-W12-5T09:30", "2026W125T0930", "2026-079T09:30", "20260320T0930"])
def test_other_ways_to_state_a_day_are_read(text: str) -> None:
    assert instant_of(text, "UTC") == datetime(2026, 3, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_an_instant_outside_the_calendar_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(TimingError):
        instant_of(text, None)


def test_a_naive_value_without_a_zone_is_refused() -> None:
    with pytest.raises(TimingError, match="no timezone"):
        instant_of("2026-03-20T09:30", None)


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "America", "../etc/passwd", "EST5EDT6", "+02:00", 5, None])
def test_what_is_no_zone_is_refused_by_name(name: object) -> None:
    with pytest.raises(TimingError, match="IANA"):
        zone_of(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["EST", "HST", "MST"])
@pytest.mark.parametrize("moment", ["2026-07-01T09:00", "2026-07-01T09:00:00Z"])
def test_shorthand_without_daylight_saving_time_is_no_zone_of_a_start(name: str, moment: str) -> None:
    with pytest.raises(TimingError, match=rf"'{name}' has no daylight saving time.*'America/New_York'"):
        instant_of(moment, name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "LOCALTIME", "posixrules", "Factory", "right/Europe/Berlin", "Right/UTC", "posix/America/New_York"],
)
def test_what_lies_in_the_zone_directory_but_is_no_regions_is_refused(name: str) -> None:
    with pytest.raises(TimingError, match=rf"timezone='{name}' is not the zone of a region"):
        zone_of(name)
    with pytest.raises(TimingError, match="not the zone of a region"):
        instant_of("2026-12-20T09:30", name)


@pytest.mark.parametrize("text", ["20261220T093000", " 20261220t093000"])
def test_a_utc_time_without_its_mark_is_not_read_as_wall_time(text: str) -> None:
    with pytest.raises(TimingError, match="ts_nodash"):
        instant_of(text, "America/New_York")
    assert instant_of(f"{text}Z", "America/New_York") == datetime(2026, 12, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-20T09:30+24:00",
        "2026-12-20T09:30-24:00",
        "9999-12-31T23:59",
        datetime(9999, 12, 31, 23, 59),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5))),
        "NaT",
    ],
)
def test_what_is_no_moment_is_a_timing_error(value: str | datetime) -> None:
    with pytest.raises(TimingError, match="is not a moment"):
        instant_of(value, "America/New_York")


def test_what_pandas_calls_no_time_is_a_timing_error() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TimingError, match="NaT is not a moment"):
        instant_of(pandas.NaT, "America/New_York")


@pytest.mark.parametrize("name", ["EST5EDT", "US/Eastern", "CET"])
def test_old_names_that_follow_a_regions_clock_are_zones(name: str) -> None:
    assert zone_of(name).key == name


def test_words_for_a_person_show_local_time_and_utc() -> None:
    instant = datetime(2026, 6, 1, 13, 30, tzinfo=UTC)
    assert in_words(instant, "America/New_York") == "Mon 2026-06-01 09:30 EDT (America/New_York), 2026-06-01T13:30:00Z"
    assert in_words(instant, "UTC") == in_words(instant, None) == "2026-06-01T13:30:00Z"
