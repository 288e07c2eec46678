"""Lists that are split by the hours in which their people may be called."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_truedy.calling_hours import (
    Blackout,
    CallingHours,
    PartHours,
    PlaceColumns,
    Placement,
    Placer,
    PlaceRefusal,
)
from airflow_truedy.calling_hours.errors import StaleRulesError
from airflow_truedy.calling_hours.placement import EXPLANATIONS as PLACE_EXPLANATIONS
from airflow_truedy.calling_hours.places import _table
from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import EmptyListError, MissingColumnError, TooManySplitsError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import ContactRules
from airflow_truedy.contacts.suppression import Suppression
from tests.contacts.prepared import prepared_split

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
STATES = PlaceColumns(state="state")
HOURS = CallingHours(STATES)

#: Number, state, and where the person ends: the start of a window, or a reason.
PEOPLE = [
    ("+12125550100", "NY", "America/New_York"),
    ("+13125550101", "IL", "America/Chicago"),
    ("+18505550102", "FL", "America/New_York"),
    ("+18085550103", "HI", "Pacific/Honolulu"),
    ("+12125550104", "Atlantis", "unknown_place"),
    ("+493012345678", "", "no_calling_rules"),
    ("+12125550100", "NY", "duplicate"),
    ("+13125550105", "IL", "suppressed"),
    ("2.12555E+09", "NY", "exponent"),
    ("+18005550106", "", "toll_free"),
    ("+12075550107", "ME", "America/New_York"),
]


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "out" / "contacts.jsonl.gz"


def rows_of(people: Any = PEOPLE) -> list[dict[str, Any]]:
    return [
        {"phone_number": number, "state": state, "plan": "ab"[at % 2]} for at, (number, state, *_) in enumerate(people)
    ]


def numbers_in(manifest: Manifest) -> list[str]:
    lines = gzip.decompress(Path(manifest.uri).read_bytes()).splitlines()
    return [json.loads(line)["phone_number"] for line in lines]


def rejects_in(manifest: Manifest) -> list[dict[str, str]]:
    with Path(manifest.rejects_uri).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def made(rows: Any, to: Path, **options: Any) -> list[Manifest]:
    stated = {"region": "US", "calling_hours": HOURS, **options}
    return prepared_split(rows, to, **stated)


def hours_of(manifest: Manifest) -> PartHours:
    assert manifest.calling_hours is not None
    return PartHours.from_dict(manifest.calling_hours)


def test_every_part_has_hours_in_which_each_of_its_people_may_be_called(to: Path) -> None:
    parts = made(rows_of(), to, suppression=[Suppression(["+13125550105"], region=None)])
    placer = Placer(HOURS, NOW)
    state_of = {number: state for number, state, *_ in PEOPLE}
    called = []
    for part in parts:
        hours = hours_of(part)
        for number in numbers_in(part):
            called.append(number)
            placed = placer.place_contact({"state": state_of[number]}, number)
            assert isinstance(placed, Placement)
            instants = [NOW + timedelta(minutes=30) * step for step in range(14 * 48)]
            assert any(map(hours.allows, instants))
            assert all(placed.hours.may_call(instant) for instant in instants if hours.allows(instant))
    wanted = [number for number, _, where in PEOPLE if "/" in where]
    assert sorted(called) == sorted(wanted)
    assert [hours_of(part).timezone for part in parts] == sorted(hours_of(part).timezone for part in parts)
    assert hours_of(parts[0]).rules == placer.rules.version


def test_every_row_ends_as_a_contact_or_in_the_one_rejects_file(to: Path) -> None:
    parts = made(rows_of(), to, suppression=[Suppression(["+13125550105"], region=None)])
    assert sum(part.rows_read for part in parts) == len(PEOPLE)
    assert {part.rejects_uri for part in parts} == {str(to.with_name("contacts.rejects.csv"))}
    refused = {int(row["row_number"]): row["reason"] for row in rejects_in(parts[0])}
    assert refused == {at: where for at, (_, _, where) in enumerate(PEOPLE, 1) if "/" not in where}
    first, *others = parts
    assert first.rejected_by_reason == {"exponent": 1, "no_calling_rules": 1, "toll_free": 1, "unknown_place": 1}
    assert (first.duplicates, first.suppressed) == (1, 1)
    assert not any(part.rejected or part.duplicates or part.suppressed for part in others)


def test_people_are_in_the_order_of_the_rows_also_where_windows_are_merged(to: Path) -> None:
    people = [(f"+1{area}555{at:04d}", "", "") for at, area in enumerate(["212", "312", "303", "415"] * 600)]
    (part,) = made(rows_of(people), to, max_splits=1)
    assert numbers_in(part) == [number for number, *_ in people]
    assert (hours_of(part).start_time, hours_of(part).end_time) != ("08:00", "21:00")


def test_parts_can_be_read_and_are_named_by_their_hours(to: Path) -> None:
    parts = made(rows_of(), to)
    assert [ContactList.from_manifest(part.to_dict()).count for part in parts] == [part.contacts for part in parts]
    assert sorted(path.name for path in to.parent.iterdir()) == sorted(
        {Path(part.uri).name for part in parts} | {"contacts.rejects.csv"}
    )
    assert any(Path(part.uri).name.startswith("contacts-Pacific_Honolulu-0800-2100-1234567-") for part in parts)


def test_a_list_of_whom_nobody_can_be_placed_tells_why(to: Path) -> None:
    (part,) = made([{"phone_number": "+493012345678", "state": ""}], to)
    assert (part.contacts, part.rejected_by_reason, part.calling_hours) == (0, {"no_calling_rules": 1}, None)
    assert [row["reason"] for row in rejects_in(part)] == ["no_calling_rules"]
    with pytest.raises(EmptyListError, match="None of 1 rows"):
        made([{"phone_number": "+493012345678", "state": ""}], to, on_empty="fail")


def test_no_rows_make_an_empty_list(to: Path) -> None:
    (part,) = made([], to)
    assert (part.rows_read, part.contacts, part.calling_hours) == (0, 0, None)


def test_a_list_is_split_by_a_column_and_by_hours(to: Path) -> None:
    parts = made(rows_of(), to, split_by="plan", suppression=[Suppression(["+13125550105"], region=None)])
    by_plan = {plan: [part for part in parts if part.split == {"column": "plan", "value": plan}] for plan in "ab"}
    for at, plan in enumerate("ab"):
        rows = PEOPLE[at::2]
        assert sum(part.rows_read for part in by_plan[plan]) == len(rows)
        called = sorted(number for part in by_plan[plan] for number in numbers_in(part))
        assert called == sorted(number for number, _, where in rows if "/" in where)


def test_max_splits_merges_and_fails_where_no_hour_is_left_in_common(to: Path) -> None:
    near = [("+12125550100", "", ""), ("+13125550101", "", "")]
    assert len(made(rows_of(near), to.parent / "near.jsonl.gz", max_splits=1)) == 1
    far = [("+61255500100", "NSW", ""), ("+13125550101", "IL", "")]
    narrow = CallingHours(STATES, earliest="12:00", latest="13:00")
    with pytest.raises(TooManySplitsError, match=r"2 parts.*no hour of the day in common; max_splits is 1"):
        made(rows_of(far), to, max_splits=1, calling_hours=narrow)
    assert not to.exists()


def test_people_who_lose_most_of_their_hours_by_merging_are_told_of(to: Path, caplog: pytest.LogCaptureFixture) -> None:
    people = [("+12125550100", "NY", ""), ("+18085550101", "HI", ""), ("+18085550102", "HI", "")]
    made(rows_of(people), to)
    assert caplog.text.count("less than half") == 0
    narrow = CallingHours(STATES, earliest="09:00", latest="17:00")
    (part,) = made(rows_of(people), to, max_splits=1, calling_hours=narrow)
    assert hours_of(part).window.daily().end - hours_of(part).window.daily().start == 3 * 60
    assert "3 people are called in less than half of the hours" in caplog.text


def test_blackout_dates_of_all_people_of_a_part_are_in_its_manifest(to: Path) -> None:
    policy = CallingHours(STATES, blackout=[Blackout("2026-12-10", jurisdictions=["US-NY"])])
    (part,) = made(rows_of([("+12125550100", "NY", ""), ("+14045550101", "GA", "")]), to, calling_hours=policy)
    assert "2026-12-10" in hours_of(part).blocked


def test_columns_of_places_must_exist_and_may_differ_in_case(to: Path) -> None:
    policy = CallingHours(PlaceColumns(zip="Zip", state="STATE"))
    with pytest.raises(MissingColumnError, match=r"No column \['Zip'\]"):
        made(rows_of(), to, calling_hours=policy)
    found = ContactRules(region="US", calling_hours=policy).found_in(["phone_number", "ZIP", "state"])
    assert found.calling_hours is not None
    assert found.calling_hours.columns == PlaceColumns(zip="ZIP", state="state")


def test_what_are_no_calling_hours_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="calling_hours= takes a CallingHours, not dict"):
        ContactRules(region="US", calling_hours={"earliest": "09:00"})  # type: ignore[arg-type]


def test_rules_that_are_too_old_make_no_file(to: Path) -> None:
    with time_machine.travel(datetime(2028, 6, 1, tzinfo=timezone.utc)), pytest.raises(StaleRulesError):
        made(rows_of(), to)
    assert not to.parent.exists()


def test_reasons_of_places_have_the_words_of_the_placer() -> None:
    assert {each.value for each in PlaceRefusal} <= {each.value for each in Reason}
    assert {each: Reason(each.value).explanation for each in PlaceRefusal} == PLACE_EXPLANATIONS


def test_a_manifest_over_all_states_with_long_blackouts_stays_small(to: Path) -> None:
    states = set(_table("places")["US"]) - {"AS", "GU", "MP"}
    policy = CallingHours(STATES, blackout=[Blackout("2026-12-01/2027-01-10"), Blackout("2027-01-13")])
    people = [(f"+1212555{at:04d}", state, "") for at, state in enumerate(sorted(states))]
    (part,) = made(rows_of(people), to, max_splits=1, calling_hours=policy, made_by={"dag_id": "d" * 40, "run_id": "r"})
    assert len(json.dumps(part.to_dict())) < 2048
    assert len(hours_of(part).blocked) >= 26
    assert {"US", "US-AL", "US-WY"} <= set(hours_of(part).jurisdictions)


person = st.tuples(
    st.sampled_from([f"+1{area}55501{at:02d}" for area in ("212", "850", "907", "684", "506") for at in range(4)]),
    st.sampled_from(["", "NY", "FL", "TX", "HI", "AK", "LA", "Nowhere", "BC"]),
    st.sampled_from(["first", "last"]),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(person, max_size=25), st.integers(1, 4), st.sampled_from(["first", "last"]), st.booleans())
def test_nobody_is_in_two_parts_and_no_row_is_lost(
    tmp_path_factory: pytest.TempPathFactory, people: Any, most: int, keep: str, by_plan: bool
) -> None:
    to = tmp_path_factory.mktemp("parts") / "contacts.jsonl.gz"
    options = {"split_by": "plan"} if by_plan else {}
    try:
        parts = made(rows_of(people), to, max_splits=max(most, 2), duplicates=keep, **options)
    except TooManySplitsError:
        return
    called = [number for part in parts for number in numbers_in(part)]
    assert len(set(called)) == len(called) == sum(part.contacts for part in parts)
    assert sum(part.rows_read for part in parts) == len(people)
    refused = {uri: [row["row_number"] for row in rejects_in(part)] for part in parts for uri in [part.rejects_uri]}
    assert sum(map(len, refused.values())) == len(people) - len(called)
    placer = Placer(HOURS, NOW)
    for number, state, _ in people:
        if isinstance(placer.place_contact({"state": state}, number), PlaceRefusal) and number in called:
            others = [other for each, other, _ in people if each == number]
            assert any(isinstance(placer.place_contact({"state": other}, number), Placement) for other in others)


def test_a_contact_is_sent_without_its_place(to: Path) -> None:
    (part,) = made(rows_of(PEOPLE[:1]), to, columns=Columns(custom_fields=["plan"]))
    assert list(ContactList.from_manifest(part)) == [{"phone_number": "+12125550100", "custom_fields": {"plan": "a"}}]
