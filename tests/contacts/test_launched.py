from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts import launched
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import ContactsFileError, SharedContactsError
from airflow_truedy.contacts.launched import Claim, without_launched
from airflow_truedy.contacts.lists import ContactList
from tests.contacts.prepared import prepared_split

MADE_BY = {"dag_id": "dag", "run_id": "run", "task_id": "extract", "map_index": -1, "try_number": 1}
ROWS = [("+12125550100", "east"), ("+12125550101", "east"), ("+12125550102", "west")]
MOVED = [(ROWS[0][0], "west"), *ROWS[1:]]


def parts(to: Path, rows: list[tuple[str, str]], **made_by: Any) -> dict[str, Manifest]:
    people = [{"phone_number": number, "zone": zone, "key": number[-1]} for number, zone in rows]
    columns = {"contact_key": "key"}
    made_by = {**MADE_BY, **made_by}
    made = prepared_split(people, to, region=None, split_by="zone", columns=columns, made_by=made_by)
    return {manifest.split["value"]: manifest for manifest in made if manifest.split}


def opened(manifest: Manifest) -> ContactList:
    return ContactList.from_manifest(manifest.to_dict())


def claim(contacts: ContactList | None) -> None:
    Claim(contacts).make()


def told_in(contacts: ContactList | None) -> list[dict[str, str]]:
    assert contacts is not None
    assert contacts.left_out is not None
    with Path(contacts.left_out.uri).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == contacts.left_out.people
    return rows


def left_in(manifest: Manifest) -> list[str]:
    contacts = without_launched(opened(manifest))
    assert contacts is not None
    people = [entry.contact["phone_number"] for entry in contacts.entries()]
    assert [entry.contact_key for entry in contacts.entries()] == [number[-1] for number in people]
    assert len(people) == contacts.count
    return people


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "contacts.jsonl.gz"


def test_who_is_in_the_campaign_of_another_part_is_left_out(to: Path, caplog: pytest.LogCaptureFixture) -> None:
    claim(opened(parts(to, ROWS)["east"]))
    again = parts(to, MOVED)
    assert left_in(again["west"]) == [ROWS[2][0]]
    assert left_in(again["east"]) == [ROWS[1][0]]
    assert "1 of 2 people changed parts of the list" in caplog.text
    claim(without_launched(opened(again["west"])))


def test_a_list_that_did_not_change_is_the_same_list_again(to: Path) -> None:
    first = opened(parts(to, ROWS)["east"])
    claim(first)
    again = without_launched(opened(parts(to, ROWS)["east"]))
    assert again is not None
    assert again.fingerprint == first.fingerprint


def test_a_part_that_is_claimed_while_another_is_opened_is_refused(to: Path) -> None:
    first = parts(to, ROWS)
    zombie = ContactList.of([{"phone_number": ROWS[0][0]}, {"phone_number": ROWS[1][0]}])
    zombie.manifest, zombie.path = first["east"], to
    west = Claim(opened(parts(to, MOVED)["west"]))
    west.make()
    with pytest.raises(SharedContactsError, match=r"1 of 2 people of a part of the list .* Nothing was sent"):
        claim(zombie)
    # Nothing was sent for it, so it holds nobody any more.
    west.make()


def test_of_two_at_once_one_at_least_sees_the_other(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parts(to, ROWS)
    east = ContactList.of([{"phone_number": ROWS[0][0]}, {"phone_number": ROWS[1][0]}])
    east.manifest, east.path = first["east"], to
    look = launched._in_other_parts
    refused = []

    def look_late(contacts: ContactList, must_show: str | None = None) -> Any:
        monkeypatch.setattr(launched, "_in_other_parts", look)
        try:
            claim(opened(parts(to, MOVED)["west"]))
        except SharedContactsError as error:
            refused.append(error)
        return look(contacts, must_show)

    monkeypatch.setattr(launched, "_in_other_parts", look_late)
    claim(east)
    # The one that looked first has given its people back, so that nobody is left to neither.
    assert len(refused) == 1
    assert len(list(to.parent.glob("launched-*"))) == 1


def test_who_is_left_out_is_told_in_a_file_beside_the_contacts(to: Path, caplog: pytest.LogCaptureFixture) -> None:
    claim(opened(parts(to, ROWS)["east"]))
    west = without_launched(opened(parts(to, MOVED)["west"]))
    (row,) = told_in(west)
    assert (row["position"], row["reason"], row["contact_key"]) == ("1", "in_another_part", "0")
    assert row["masked_number"] == "'+*********00"
    # The next try tells it in the same file.
    assert len(list(to.parent.glob("*.left-out-*.csv"))) == 1
    again = without_launched(opened(parts(to, MOVED)["west"]))
    assert again is not None
    assert west is not None
    assert again.left_out == west.left_out
    assert len(list(to.parent.glob("*.left-out-*.csv"))) == 1
    assert west.left_out is not None
    assert west.left_out.uri in caplog.text
    assert ROWS[0][0][1:] not in caplog.text


def test_everybody_may_be_left_out(to: Path) -> None:
    claim(opened(parts(to, ROWS)["east"]))
    moved = [(number, "west" if zone == "east" else zone) for number, zone in ROWS]
    claim(without_launched(opened(parts(to, moved)["west"])))
    north = without_launched(opened(parts(to, [(number, "north") for number, _ in ROWS])["north"]))
    assert north is not None
    assert north.count == 0
    assert [row["contact_key"] for row in told_in(north)] == ["0", "1", "2"]


def test_a_claim_that_is_given_up_holds_nobody(to: Path) -> None:
    first = Claim(opened(parts(to, ROWS)["east"]))
    first.make()
    assert first.may_be_given_up
    first.give_up()
    assert left_in(parts(to, MOVED)["west"]) == [ROWS[0][0], ROWS[2][0]]


def test_a_claim_of_several_creates_is_not_to_be_given_up_and_each_attempt_has_its_own(to: Path) -> None:
    earlier, later = Claim(opened(parts(to, ROWS)["east"])), Claim(opened(parts(to, ROWS)["east"]))
    assert not later.may_be_given_up
    earlier.make()
    later.make()
    later.give_up()
    assert left_in(parts(to, MOVED)["west"]) == [ROWS[2][0]]
    earlier.make()
    assert not earlier.may_be_given_up
    assert not Claim(None).may_be_given_up


def test_two_parts_with_the_same_people_see_each_other(to: Path) -> None:
    both = parts(to, ROWS)
    east, west = (ContactList.of([{"phone_number": ROWS[0][0]}]) for _ in range(2))
    for contacts, name in ((east, "east"), (west, "west")):
        contacts.manifest, contacts.path = both[name], to
    claim(east)
    with pytest.raises(SharedContactsError, match="1 of 1"):
        claim(west)


@pytest.mark.parametrize("other", [{"run_id": "next"}, {"task_id": "others"}, {"map_index": 1}, {"dag_id": "dag2"}])
def test_other_runs_and_lists_in_the_same_folder_do_not_matter(to: Path, other: dict[str, Any]) -> None:
    claim(opened(parts(to, ROWS)["east"]))
    assert len(left_in(parts(to, MOVED, **other)["west"])) == 2


def test_a_list_that_is_whole_needs_no_claim(tmp_path: Path) -> None:
    whole = ContactList.of([{"phone_number": ROWS[0][0]}])
    claim(whole)
    claim(None)
    assert without_launched(whole) is whole
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_claim_is_not_read_as_nobody(to: Path) -> None:
    claim(opened(parts(to, ROWS)["east"]))
    (file,) = to.parent.glob("launched-*")
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(ContactsFileError):
        left_in(parts(to, MOVED)["west"])


def test_a_list_that_changed_since_it_was_opened_is_not_taken_for_what_is_left(to: Path) -> None:
    first = parts(to, [*ROWS, ("+12125550103", "west")])
    claim(opened(first["east"]))
    west = opened(first["west"])
    parts(to, MOVED)
    with pytest.raises(ContactsFileError, match="changed since"):
        west.without(lambda number: number == 1)


def test_what_tells_a_part_from_the_others(to: Path) -> None:
    east = parts(to, ROWS)["east"]
    hours = {"timezone": "America/New_York", "start_time": "09:00", "end_time": "17:00", "working_days": [1, 2]}
    whole = replace(east, split=None)
    by_hours = replace(whole, calling_hours={**hours, "last_day": "2026-06-01"})
    assert whole.part is None
    assert by_hours.part == replace(by_hours, calling_hours={**hours, "last_day": "2026-06-02"}).part
    assert by_hours.part != replace(by_hours, calling_hours={**hours, "end_time": "18:00"}).part
    assert by_hours.part != replace(by_hours, split=east.split).part
    # A follow-up carries hours, and no task made it by them.
    assert replace(by_hours, made_by={}).part is None
    assert replace(east, made_by={}).part is not None
