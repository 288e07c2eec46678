"""Rows to windows: what is refused, what is remembered, and how few parts a list needs."""

from __future__ import annotations

import math
from datetime import date, datetime, timezone
from typing import Any

import pytest

from airflow_truedy.calling_hours import (
    CallingHours,
    Place,
    PlaceColumns,
    Placement,
    Placer,
    PlaceRefusal,
    Rule,
)
from airflow_truedy.calling_hours.placement import EXPLANATIONS
from airflow_truedy.calling_hours.zones import zone_of
from tests.calling_hours.test_places import AREA_CODES

pytest.importorskip("zipcodes")
NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
COLUMNS = PlaceColumns("zone", "zip", "state", "country")
PLACER = Placer(CallingHours(COLUMNS), NOW)


def placed(number: str, **row: Any) -> Placement:
    found = PLACER.place_contact(row, number)
    assert isinstance(found, Placement)
    return found


@pytest.mark.parametrize(
    ("number", "row", "window"),
    [
        ("+18505550104", {}, "09:00-20:00 America/New_York, Mon-Sun"),
        ("+18505550104", {"zip": "32501-0001"}, "08:00-20:00 America/Chicago, Mon-Sun"),
        # 8:00 is 7:00 for most people of this area code, whatever phonenumbers says.
        ("+13645550104", {}, "11:00-21:00 America/New_York, Mon-Sun"),
        ("+16895550104", {}, "08:00-20:00 America/New_York, Mon-Sun"),
        ("+12125550104", {"zip": "60601"}, "10:00-21:00 America/New_York, Mon-Sun"),
        ("+12145550104", {}, "09:00-21:00 America/Chicago, Mon-Sat"),
        ("+16015550104", {"zone": "America/Los_Angeles", "state": "CA"}, "10:00-20:00 America/Chicago, Mon-Sat"),
        ("+12075550104", {}, "09:00-17:00 America/New_York, Mon-Fri"),
        ("+16045550104", {"zone": "America/Vancouver"}, "09:00-21:30 America/Phoenix, Mon-Fri"),
        ("+33612345678", {}, "14:00-20:00 Europe/Paris, Mon-Fri"),
        ("+61412345678", {"state": "Queensland"}, "09:00-20:00 Australia/Brisbane, Mon-Fri"),
    ],
)
def test_a_person_has_a_window(number: str, row: dict[str, Any], window: str) -> None:
    assert str(placed(number, **row).window) == window


@pytest.mark.parametrize(
    ("number", "row", "reason"),
    [
        ("+18005550104", {}, PlaceRefusal.UNKNOWN_PLACE),
        ("+12125550104", {"zip": 2138}, PlaceRefusal.UNKNOWN_PLACE),
        ("+12125550104", {"zip": ["10001"]}, PlaceRefusal.UNKNOWN_PLACE),
        ("+4915112345678", {}, PlaceRefusal.NO_CALLING_RULES),
        ("+12125550104", {"country": "DE"}, PlaceRefusal.NO_CALLING_RULES),
        ("+16715550104", {"zone": "America/New_York"}, PlaceRefusal.NO_CALLING_HOURS),
    ],
)
def test_a_person_is_refused(number: str, row: dict[str, Any], reason: PlaceRefusal) -> None:
    assert PLACER.place_contact(row, number) is reason
    assert EXPLANATIONS[reason]


@pytest.mark.parametrize("nothing", [None, "", "  ", math.nan])
def test_a_cell_that_stands_for_no_value_says_nothing(nothing: Any) -> None:
    assert placed("+12125550104", zone=nothing, zip=nothing).place.because == "New York by area code"


def test_the_dates_on_which_the_window_is_not_allowed_are_named() -> None:
    blocked = [str(day) for day in placed("+12055550104").hours.blocked]
    assert blocked == ["2026-11-26", "2026-12-01", "2026-12-25", "2027-01-01", "2027-01-18"]


def test_a_user_may_say_where_people_are_of_whom_it_is_unknown() -> None:
    somewhere = Place(frozenset({"America/New_York", "Pacific/Honolulu"}), frozenset({"US"}), "unknown")
    placer = Placer(CallingHours(place_if_unknown=somewhere), NOW)
    found = placer.place_contact({}, "+18005550104")
    assert isinstance(found, Placement)
    assert str(found.window) == "13:00-21:00 America/New_York, Mon-Sun"


def test_where_it_is_still_yesterday_people_may_be_called_yesterday() -> None:
    evening = datetime(2026, 11, 25, 18, tzinfo=zone_of("Pacific/Honolulu"))
    assert evening.astimezone(timezone.utc).date() == date(2026, 11, 26)
    found = Placer(CallingHours(), evening).place_contact({}, "+18085550104")
    assert isinstance(found, Placement)
    assert found.hours.may_call(evening)


def test_a_country_gets_hours_by_an_own_rule() -> None:
    rule = Rule("de", "DE", {"mon-fri": ["09:00-18:00"]}, "2026-11-25")
    found = Placer(CallingHours(own_rules=[rule]), NOW).place_contact({}, "+4915112345678")
    assert isinstance(found, Placement)
    assert str(found.window) == "09:00-18:00 Europe/Paris, Mon-Fri"


def test_what_says_the_same_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    placer = Placer(CallingHours(COLUMNS), NOW)
    asked = []
    place = placer._place
    monkeypatch.setattr(placer, "_place", lambda clues: asked.append(clues) or place(clues))
    first = placer.place_contact({"zip": "10001-0001", "other": 1}, "+12125550104")
    assert placer.place_contact({"zip": "10002", "other": 2}, "+16465550199") is first
    assert placer.place_contact({"zip": "60601"}, "+12125550104") is not first
    assert len(asked) == 2


def test_memory_does_not_grow_with_what_a_column_should_not_hold() -> None:
    placer = Placer(CallingHours(COLUMNS), NOW)
    for index in range(500):
        row = {"state": f"note {index}", "zone": f"Note/N{index}", "zip": f"{index}"}
        assert placer.place_contact(row, "+12125550104") is PlaceRefusal.UNKNOWN_PLACE
    assert len(placer._remembered) == 1


def test_people_of_all_area_codes_need_few_windows() -> None:
    found = {PLACER.place_contact({}, f"+1{code}5550104") for code in AREA_CODES}
    windows = {each.window for each in found if isinstance(each, Placement)}
    assert len(windows) < 50
    assert len({window.zone for window in windows}) < 15
    early = Placer(CallingHours(earliest="12:00", latest="18:00", days=[1, 2, 3, 4, 5]), NOW)
    fewer = {early.place_contact({}, f"+1{code}5550104").window for code in AREA_CODES}  # type: ignore[union-attr]
    assert len(fewer) < len(windows) * 2 / 3
