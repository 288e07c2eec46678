"""The patterns that every room shares."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_truedy.formats import is_clock_time, is_e164, is_email, moment_of, utc_text


@pytest.mark.parametrize("text", ["+12", "+15555550123", "+123456789012345"])
def test_an_e164_number_is_known(text: str) -> None:
    assert is_e164(text)


@pytest.mark.parametrize(
    "text",
    ["", "+", "+1", "+0155", "15555550123", "+1 555", "+1234567890123456", "+155\n", "+\u0661\u0662", "+\uff11\uff12"],
)
def test_what_only_resembles_one_is_not(text: str) -> None:
    assert not is_e164(text)


def test_a_time_of_day_has_two_digits_each() -> None:
    assert all(map(is_clock_time, ["00:00", "09:30", "23:59"]))
    assert not any(map(is_clock_time, ["24:00", "9:30", "09:60", "09:30:00", "09:30\n", " 09:30", "0\u0669:30"]))


def test_an_email_address_has_a_name_and_a_domain() -> None:
    assert all(map(is_email, ["a@b.co", "ann.lee+x@mail.example.org"]))
    assert not any(map(is_email, ["a@b", "@b.co", "a b@c.de", "a@b..co", "a@@b.co", "a@b.co\n"]))


@pytest.mark.parametrize("offset", [0, 330, -300])
def test_an_instant_is_written_in_utc(offset: int) -> None:
    zone = timezone(timedelta(minutes=offset))
    moment = datetime(2026, 3, 20, 9, 0, 1, 250_000, tzinfo=timezone.utc).astimezone(zone)
    assert utc_text(moment) == "2026-03-20T09:00:01Z"
    assert utc_text(moment, fraction=True) == "2026-03-20T09:00:01.250000Z"
    assert moment_of(utc_text(moment, fraction=True)) == moment


def test_a_moment_is_read_with_z_and_with_an_offset() -> None:
    assert moment_of(" 2026-03-20T09:00:00Z ") == moment_of("2026-03-20T14:30:00+05:30")
    with pytest.raises(ValueError, match="soon"):
        moment_of("soon")
