from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.truedy_csv import csv_files

PEOPLE = [
    {"phone_number": "+12125550100", "first_name": "Ann", "last_name": "van der Li", "email": "ann@example.com"},
    {"phone_number": "+12125550101", "custom_fields": {"plan": 'gold, "or"\nmore', "city": "Zürich"}},
]


def parsed(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_the_columns_are_those_of_the_import() -> None:
    (file,) = csv_files(ContactList.of(PEOPLE))
    assert parsed(file.content) == [
        {"phone": "+12125550100", "name": "Ann van der Li", "email": "ann@example.com", "city": "", "plan": ""},
        {"phone": "+12125550101", "name": "", "email": "", "city": "Zürich", "plan": 'gold, "or"\nmore'},
    ]
    assert (file.contacts, file.start) == (2, 0)


def test_an_older_server_gets_its_own_first_column() -> None:
    (file,) = csv_files(ContactList.of(PEOPLE), phone_column="phone_number")
    assert parsed(file.content)[0]["phone_number"] == "+12125550100"


@given(count=st.integers(0, 60), max_bytes=st.integers(60, 400), start=st.integers(0, 60))
def test_files_stay_below_their_size_and_lose_and_repeat_nothing(count: int, max_bytes: int, start: int) -> None:
    people = [{"phone_number": f"+1212555{i:04d}", "first_name": "A" * (i % 7)} for i in range(count)]
    files = list(csv_files(ContactList.of(people), max_bytes=max_bytes, start=start))
    assert all(len(file.content) <= max_bytes for file in files)
    numbers = [row["phone"] for file in files for row in parsed(file.content)]
    assert numbers == [person["phone_number"] for person in people[start:]]
    assert [file.start for file in files] == [start + sum(f.contacts for f in files[:i]) for i in range(len(files))]


def test_a_contact_larger_than_a_file_is_an_error() -> None:
    with pytest.raises(ContactsError, match="Contact 2 alone"):
        list(csv_files(ContactList.of([PEOPLE[0], {**PEOPLE[1], "custom_fields": {"note": "x" * 90}}]), max_bytes=90))


def test_a_custom_field_named_like_a_column_of_the_import_is_an_error() -> None:
    people = [{"phone_number": "+12125550100", "custom_fields": {"name": "x"}}]
    with pytest.raises(ContactsError, match=r"\['name'\]"):
        list(csv_files(ContactList.of(people)))
