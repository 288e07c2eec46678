"""The customer's own key: kept beside the contact, never sent."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.contacts_file import line_of, split_line
from airflow_truedy.contacts.errors import ContactsFileError, DuplicateContactError
from airflow_truedy.contacts.lists import ContactList, Entry
from airflow_truedy.contacts.values import key_of
from tests.contacts.prepared import prepared

ROWS = [
    {"phone": "+12125550100", "name": "Ann", "customer_id": 4711, "plan": "gold"},
    {"phone": "nobody", "name": "Bob", "customer_id": "=1+1", "plan": "gold"},
    {"phone": "+12125550101", "name": "Cy", "customer_id": None, "plan": "tin"},
    {"phone": "+12125550100", "name": "Dee", "customer_id": '4"7\\12}', "plan": "tin"},
]
COLUMNS = Columns("phone", first_name="name", contact_key="customer_id", custom_fields=OTHERS)


def test_it_is_kept_locally_and_never_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    manifest = prepared(ROWS, tmp_path / "c.jsonl.gz", region=None, columns=COLUMNS)
    contacts = ContactList.from_manifest(manifest)
    sent = [
        {"phone_number": "+12125550100", "first_name": "Ann", "custom_fields": {"plan": "gold"}},
        {"phone_number": "+12125550101", "first_name": "Cy", "custom_fields": {"plan": "tin"}},
    ]
    assert list(contacts) == sent
    assert [contact for chunk in contacts.chunks(1) for contact in chunk] == sent
    assert list(contacts.entries()) == [Entry(sent[0], "4711"), Entry(sent[1], "")]
    assert "4711" not in json.dumps(manifest.to_dict()).replace(manifest.sha256, "").replace(manifest.fingerprint, "")
    assert "4711" not in caplog.text
    assert "4711" not in repr(list(contacts.entries()))


def test_rejects_name_it(tmp_path: Path) -> None:
    manifest = prepared(ROWS, tmp_path / "c.jsonl.gz", region=None, columns=COLUMNS)
    with Path(manifest.rejects_uri).open(newline="") as file:
        rejects = list(csv.DictReader(file))
    assert [(row["reason"], row["contact_key"]) for row in rejects] == [
        ("not_a_number", "'=1+1"),
        ("duplicate", '4"7\\12}'),
    ]
    assert list(rejects[0]) == ["row_number", "reason", "masked_number", "contact_key", "name", "plan"]


def test_a_number_that_is_the_key_as_well_is_masked_in_the_rejects(tmp_path: Path) -> None:
    columns = Columns("phone", contact_key="phone")
    manifest = prepared([ROWS[0], ROWS[3]], tmp_path / "c.jsonl.gz", region=None, columns=columns)
    with Path(manifest.rejects_uri).open(newline="") as file:
        assert [(row["reason"], row["contact_key"]) for row in csv.DictReader(file)] == [("duplicate", "")]


def test_a_whole_number_that_became_a_float_is_the_number_it_was(tmp_path: Path) -> None:
    rows = [{**row, "customer_id": 1001.0} for row in ROWS[:2]]
    manifest = prepared(rows, tmp_path / "c.jsonl.gz", region=None, columns=COLUMNS)
    assert [entry.contact_key for entry in ContactList.from_manifest(manifest).entries()] == ["1001"]
    with Path(manifest.rejects_uri).open(newline="") as file:
        assert [row["contact_key"] for row in csv.DictReader(file)] == ["1001"]
    mine = ContactList.of([{"phone_number": "+12125550100", "contact_key": 1001.0}])
    assert [entry.contact_key for entry in mine.entries()] == ["1001"]


@pytest.mark.parametrize(("value", "text"), [(1001.5, "1001.5"), ("1001.0", "1001.0"), (float("nan"), ""), (-0.0, "0")])
def test_any_other_key_is_written_as_it_is(value: Any, text: str) -> None:
    assert key_of(value) == text


def test_it_may_be_sent_too(tmp_path: Path) -> None:
    columns = Columns("phone", contact_key="customer_id", custom_fields={"contact_key": "customer_id", "plan": "plan"})
    manifest = prepared(ROWS[:1], tmp_path / "c.jsonl.gz", region=None, columns=columns)
    (entry,) = ContactList.from_manifest(manifest).entries()
    assert entry == ({"phone_number": "+12125550100", "custom_fields": {"contact_key": "4711", "plan": "gold"}}, "4711")


def test_what_is_sent_has_one_fingerprint_whatever_the_keys(tmp_path: Path) -> None:
    keyed = prepared(ROWS, tmp_path / "a.jsonl.gz", region=None, columns=COLUMNS)
    plain = prepared(
        ROWS,
        tmp_path / "b.jsonl.gz",
        region=None,
        columns=Columns("phone", first_name="name", custom_fields=["plan"]),
    )
    assert keyed.fingerprint == plain.fingerprint
    assert keyed.sha256 != plain.sha256
    assert ContactList.of(list(ContactList.from_manifest(keyed))).fingerprint == keyed.fingerprint


@pytest.mark.parametrize("key", ["1", 'a"}', "\\", 'x","contact_key":"y', "Zoë", "}"])
@pytest.mark.parametrize("custom", [{}, {"contact_key": 'x"}'}, {"a": "1", "contact_key": "2"}])
def test_the_line_is_split_where_the_key_begins(key: str, custom: dict[str, str]) -> None:
    contact: dict[str, Any] = {"phone_number": "+12125550100", **({"custom_fields": custom} if custom else {})}
    assert split_line(line_of(contact, key)) == (line_of(contact), key)
    assert split_line(line_of(contact)) == (line_of(contact), "")


def test_a_list_or_file_that_somebody_made_may_have_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("phone_number,contact_key,plan\n+12125550100,4711,gold\n")
    contact = {"phone_number": "+12125550100", "custom_fields": {"plan": "gold"}}
    for contacts in (ContactList.from_file(file), ContactList.of([{**contact, "contact_key": 4711}])):
        assert list(contacts.entries()) == [Entry(contact, "4711")]
        assert list(contacts) == [contact]


def test_a_key_that_cannot_be_written_refuses_its_row(tmp_path: Path) -> None:
    rows = [{"phone": "+12125550100", "id": key} for key in (b"x", "a\0b", "\ud800")]
    columns = Columns("phone", contact_key="id")
    manifest = prepared(rows, tmp_path / "c.jsonl.gz", region=None, columns=columns)
    assert manifest.rejected_by_reason == {"unreadable_text": 3}
    with pytest.raises(ContactsFileError, match="Contact 1"):
        ContactList.of([{"phone_number": "+12125550100", "contact_key": b"x"}])


def test_two_writings_of_one_telephone_in_a_list_are_found() -> None:
    with pytest.raises(DuplicateContactError, match="is at 1 and at 2"):
        ContactList.of([{"phone_number": "+5491123456789"}, {"phone_number": "+541123456789"}])
