from __future__ import annotations

import hashlib
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts.convert import RowOutcome
from airflow_truedy.contacts.errors import (
    ContactsError,
    EmptySuppressionError,
    StaleSuppressionError,
    UnknownRegionError,
    UnreadableSuppressionError,
)
from airflow_truedy.contacts.rules import RegionColumn
from airflow_truedy.contacts.suppression import Suppression, changed_at, suppressed_numbers

NOW = datetime(2026, 4, 2, 12, tzinfo=timezone.utc)
ANN, BOB = 12125550100, 442079460018


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_plain_entries_are_normalised_like_contacts() -> None:
    lists = [
        Suppression(["(212) 555-0100 ext 3", "", None], region="US"),
        Suppression(iter(["020 7946 0018"]), region="GB"),
    ]
    suppressed = suppressed_numbers(lists)
    assert suppressed is not None
    assert suppressed.holds(ANN)
    assert suppressed.holds(BOB)
    assert not suppressed.holds(ANN + 1)


@pytest.mark.parametrize("salt", ["", "pepper:"])
def test_hashed_entries_hold_back_their_numbers(salt: str) -> None:
    entries = [digest(f"{salt}+{ANN}").upper(), "", f" {digest(f'{salt}+{BOB}')}\n"]
    suppressed = suppressed_numbers([Suppression(entries, hashed=True, salt=salt)])
    assert suppressed is not None
    assert suppressed.holds(ANN)
    assert suppressed.holds(BOB)
    assert not suppressed.holds(ANN + 1)


def test_lists_with_different_salts_work_together() -> None:
    lists = [
        Suppression([digest(f"a+{ANN}")], hashed=True, salt="a"),
        Suppression([digest(f"b+{BOB}")], hashed=True, salt="b"),
        Suppression(["+12125550101"], region=None),
    ]
    suppressed = suppressed_numbers(lists)
    assert suppressed is not None
    assert [suppressed.holds(number) for number in (ANN, BOB, ANN + 1, ANN + 2)] == [True, True, True, False]


def test_an_entry_that_cannot_be_read_fails_the_list_without_showing_it() -> None:
    entries = ["+12125550100", "4.47912E+11", "212 555 0101"]
    with pytest.raises(UnreadableSuppressionError, match="2 of 3 entries") as caught:
        suppressed_numbers([Suppression(entries, region=None, name="crm opt-outs")])
    assert "crm opt-outs" in str(caught.value)
    assert "'exponent': 1" in str(caught.value)
    assert "555" not in str(caught.value)


@pytest.mark.parametrize(("allowed", "fails"), [(1, False), (0, True), (0.5, False), (0.4, True)])
def test_unreadable_entries_may_be_allowed(allowed: float, fails: bool) -> None:
    entry = Suppression(["+12125550100", "nobody"], region=None, max_unreadable=allowed)
    if fails:
        with pytest.raises(UnreadableSuppressionError):
            suppressed_numbers([entry])
    else:
        assert suppressed_numbers([entry]) is not None


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("entries", [[], [None, "", "  ", float("nan")]])
def test_a_list_without_entries_holds_nobody_back_and_is_refused(entries: list[object], hashed: bool) -> None:
    with pytest.raises(EmptySuppressionError, match=rf"opt-outs.*of {len(entries)} cells.*allow_empty=True"):
        suppressed_numbers([Suppression(entries, name="opt-outs", region=None, hashed=hashed)])
    allowed = Suppression(entries, region=None, hashed=hashed, allow_empty=True)
    assert suppressed_numbers([allowed]) is not None


def test_each_list_must_have_entries_of_its_own() -> None:
    lists = [Suppression([f"+{ANN}"], region=None), Suppression([""], region=None, name="opt-outs")]
    with pytest.raises(EmptySuppressionError, match="opt-outs"):
        suppressed_numbers(lists)


def test_a_list_of_which_nothing_can_be_read_is_no_list_whatever_may_be_unreadable() -> None:
    with pytest.raises(EmptySuppressionError):
        suppressed_numbers([Suppression(["nobody", ""], region=None, max_unreadable=1.0)])


def test_the_log_tells_how_many_entries_a_list_had(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="airflow_truedy"):
        suppressed_numbers([Suppression([f"+{ANN}", "", None], region=None, name="opt-outs")])
    assert caplog.messages == ["opt-outs: 1 entries, 2 empty"]


def test_what_is_no_digest_is_unreadable() -> None:
    with pytest.raises(UnreadableSuppressionError, match="no_sha256"):
        suppressed_numbers([Suppression(["+12125550100"], hashed=True)])


@pytest.mark.parametrize(("hours", "fails"), [(23, False), (24, False), (25, True)])
def test_a_stale_list_is_no_list(hours: int, fails: bool) -> None:
    entry = Suppression([f"+{ANN}"], region=None, as_of=NOW - timedelta(hours=hours), max_age=timedelta(days=1))
    if fails:
        with pytest.raises(StaleSuppressionError, match=r"1\.04 days old; max_age allows 1 days"):
            suppressed_numbers([entry], NOW)
    else:
        suppressed_numbers([entry], NOW)


def test_an_age_that_nobody_knows_is_too_great() -> None:
    with pytest.raises(StaleSuppressionError, match="not known"):
        suppressed_numbers([Suppression([], region=None, max_age=timedelta(days=1))])


@pytest.mark.parametrize(("minutes", "fails"), [(5, False), (6, True)])
def test_a_list_of_the_future_has_no_age(minutes: int, fails: bool) -> None:
    as_of = NOW + timedelta(minutes=minutes)
    entry = Suppression([f"+{ANN}"], region=None, as_of=as_of, max_age=timedelta(days=1))
    if fails:
        with pytest.raises(StaleSuppressionError, match="in the future"):
            suppressed_numbers([entry], NOW)
    else:
        assert suppressed_numbers([entry], NOW)


def test_a_day_is_no_moment() -> None:
    with pytest.raises(ContactsError, match="no time of day"):
        Suppression([], region=None, as_of=NOW.date())  # type: ignore[arg-type]


def test_the_age_of_a_file_is_its_change_time(tmp_path: Path) -> None:
    file = tmp_path / "dnc.txt"
    file.write_text("")
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    assert changed_at(file) == NOW


def test_the_age_of_several_files_is_that_of_the_oldest(tmp_path: Path) -> None:
    for days, name in enumerate(("a.csv", "b.csv", "c.csv")):
        (tmp_path / name).write_text("")
        changed = (NOW - timedelta(days=days)).timestamp()
        os.utime(tmp_path / name, (changed, changed))
    assert changed_at(tmp_path) == changed_at(tmp_path / "*.csv") == NOW - timedelta(days=2)
    assert changed_at(tmp_path / "[ab].csv") == NOW - timedelta(days=1)


def test_a_plain_list_needs_a_region_too() -> None:
    with pytest.raises(UnknownRegionError, match="region=''"):
        Suppression(["+12125550100"])
    with pytest.raises(ContactsError, match="one region"):
        Suppression([], region=RegionColumn("country"))  # type: ignore[arg-type]
    with pytest.raises(ContactsError, match="no time zone"):
        Suppression([], region=None, as_of=datetime(2026, 4, 1))


def test_a_list_shows_its_name_only() -> None:
    assert repr(Suppression(["+12125550100"], region=None, name="opt-outs")) == "<Suppression 'opt-outs'>"


def test_no_lists_hold_nothing_back() -> None:
    assert suppressed_numbers([]) is None


def warnings_of(caplog: pytest.LogCaptureFixture, contacts: list[int], *lists: Suppression) -> list[str]:
    caplog.clear()
    suppressed = suppressed_numbers(lists)
    assert suppressed is not None
    outcomes = [RowOutcome(at, {}, number, b"", None) for at, number in enumerate(contacts, 1)]
    assert len(list(suppressed.drop(outcomes))) == len(contacts)
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_a_list_of_another_region_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    # Read as numbers of the United States, these are other people's.
    british = Suppression(["+44 20 7946 0018", "+44 20 7946 0019"], name="old.csv", region="US")
    (warning,) = warnings_of(caplog, [ANN, ANN + 1, 351912345678], british)
    assert "old.csv" in warning
    assert "+44" in warning
    assert "+1, +351" in warning
    assert warnings_of(caplog, [ANN, BOB], british) == []
    assert warnings_of(caplog, [BOB + 5], british) == []
    assert warnings_of(caplog, [], british) == []
    # +1 and +351 do not begin alike for this purpose, nor do +1 and +18.
    assert warnings_of(caplog, [18095550100], Suppression([f"+{ANN}"], region=None)) == []
    assert warnings_of(caplog, [ANN], Suppression([], region="US", allow_empty=True)) == []


def test_a_hashed_list_on_which_nobody_of_many_is_found_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    many = [ANN + at for at in range(1_000)]
    entries = [digest(f"salt+{ANN}")]
    (warning,) = warnings_of(caplog, many, Suppression(entries, name="hashes", hashed=True, salt="other"))
    assert "hashes: not one of 1000 contacts is on it" in warning
    assert "other" not in warning
    assert warnings_of(caplog, many, Suppression(entries, hashed=True, salt="salt")) == []
    # Of a few people nobody may be on it.
    assert warnings_of(caplog, many[1:], Suppression(entries, hashed=True, salt="other")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allow_empty": "no"}, "allow_empty='no' must be True or False"),
        ({"hashed": "false"}, "hashed='false' must be True or False"),
        ({"max_unreadable": 20.0}, "max_unreadable=20.0 must be a whole number of entries"),
        ({"max_unreadable": True}, "max_unreadable=True must be"),
        ({"max_unreadable": float("nan")}, "max_unreadable=nan must be"),
        ({"max_unreadable": "5%"}, "max_unreadable='5%' must be"),
        ({"max_age": 7}, "max_age=7 must be a timedelta"),
        ({"max_age": timedelta(0)}, "must be a timedelta of more than nothing"),
        ({"salt": 7070}, "salt must be text; it is not shown"),
    ],
)
def test_what_a_list_states_is_never_guessed_about(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Suppression(["+12125550100"], region=None, **options)
