from __future__ import annotations

import json
from collections import UserList
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts.errors import ContactsError, ContactsFileError, DuplicateContactError, ManifestError
from airflow_truedy.files.errors import MissingFileError
from airflow_truedy.parameters.contact_source import contact_list_of
from tests.contacts.prepared import prepared

PEOPLE = [
    {"phone_number": "+12125550100", "first_name": "Zaphod"},
    {"phone_number": "+442079460123", "custom_fields": {"plan": "gold"}},
]
NUMBERS = ["+12125550100", "+442079460123"]
LINES = "".join(json.dumps(person) + "\n" for person in PEOPLE)


def numbers(value: Any) -> list[str]:
    contacts = contact_list_of(value)
    assert contacts is not None
    assert contacts.count == len(list(contacts))
    return [contact["phone_number"] for contact in contacts]


@pytest.mark.parametrize("value", [None, "", "None", "null"])
def test_nothing_is_no_list(value: Any) -> None:
    assert contact_list_of(value) is None


@pytest.mark.parametrize(
    "value",
    [
        PEOPLE,
        tuple(PEOPLE),
        UserList(PEOPLE),
        iter(PEOPLE),
        str(PEOPLE),
        json.dumps(PEOPLE),
        "- phone_number: '+12125550100'\n- phone_number: '+442079460123'\n  custom_fields: {plan: gold}\n",
    ],
    ids=["list", "tuple", "sequence", "iterator", "printed", "JSON", "YAML"],
)
def test_a_list_is_taken_in_every_form(value: Any) -> None:
    assert numbers(value) == NUMBERS


@pytest.mark.parametrize("value", [PEOPLE[0], json.dumps(PEOPLE[0])])
def test_one_person_is_a_list_of_one(value: Any) -> None:
    assert numbers(value) == NUMBERS[:1]


@pytest.mark.parametrize("as_uri", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.jsonl", LINES),
        ("people.csv", "phone_number,first_name,plan\n+12125550100,Zaphod,\n+442079460123,,gold\n"),
    ],
)
def test_a_file_is_read_by_path_and_by_uri(tmp_path: Path, name: str, content: str, as_uri: bool) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert numbers(path.as_uri() if as_uri else str(path)) == NUMBERS


@pytest.mark.parametrize("as_text", [False, True])
def test_the_manifest_of_an_extracting_task_is_followed(tmp_path: Path, as_text: bool) -> None:
    rows = [{"phone_number": "(212) 555-0100", "first_name": "Zaphod"}, {"phone_number": "+44 20 7946 0123"}]
    made = prepared(rows, tmp_path / "people.jsonl.gz", region="US")
    manifest = made.to_dict()
    assert sorted(numbers(json.dumps(manifest) if as_text else manifest)) == NUMBERS


def test_a_mapping_that_only_looks_like_a_manifest_is_refused() -> None:
    with pytest.raises(ManifestError):
        contact_list_of({"uri": "/data/people.jsonl"})


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"people\.csv"):
        contact_list_of(str(tmp_path / "people.csv"))


def test_a_number_that_stands_twice_is_refused_masked() -> None:
    with pytest.raises(DuplicateContactError) as refused:
        contact_list_of([PEOPLE[0], PEOPLE[1], PEOPLE[0]])
    assert "2125550100" not in str(refused.value)


@pytest.mark.parametrize(
    "bad", [{"phone_number": "212 555 0100"}, {"phone": "+12125550100"}, {}, {"phone_number": 12125550100}]
)
def test_a_bad_contact_is_named_by_its_place_only(bad: dict[str, Any]) -> None:
    with pytest.raises(ContactsFileError, match="Contact 2") as refused:
        contact_list_of([PEOPLE[0], bad])
    assert "555" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *("[broken", "{'phone_number': ", "- [", LINES, "phone_number\n+12125550100\n", "(+12125550100)"),
        *("Zaphod +12125550100", "+1 212 555 0100", "zaphod@555.example"),
    ],
)
def test_text_that_is_no_list_and_no_path_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ContactsError, match="path or URI") as refused:
        contact_list_of(text)
    assert "555" not in str(refused.value)
    assert "Zaphod" not in str(refused.value)


@pytest.mark.parametrize("value", [5, 5.0, True, b"+12125550100", object()])
def test_anything_else_is_refused_by_its_kind(value: Any) -> None:
    with pytest.raises(ContactsError, match=type(value).__name__):
        contact_list_of(value)


@pytest.mark.parametrize("value", [["+12125550100"], [5], [None], {"a", "b"}])
def test_a_list_of_anything_but_mappings_is_refused_too(value: Any) -> None:
    with pytest.raises(ContactsError) as refused:
        contact_list_of(value)
    assert "555" not in str(refused.value)
