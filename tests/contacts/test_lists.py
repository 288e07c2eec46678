from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import ContactsFileError, DuplicateContactError, ManifestError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.files.errors import FileError, MissingFileError
from tests.contacts.prepared import prepared

CONTACTS = [{"phone_number": f"+1212555{i:04d}", "first_name": "Ann"} for i in range(100, 123)]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    from airflow_truedy.contacts.columns import Columns

    to = tmp_path_factory.mktemp("lists") / "contacts.jsonl.gz"
    return prepared(CONTACTS, to, region=None, columns=Columns(first_name="first_name"))


@given(size=st.integers(1, 30), start=st.integers(0, 30))
def test_chunks_lose_and_repeat_nothing(manifest: Manifest, size: int, start: int) -> None:
    for contacts in (ContactList.of(CONTACTS), ContactList.from_manifest(manifest)):
        chunks = list(contacts.chunks(size, start))
        assert [contact for chunk in chunks for contact in chunk] == CONTACTS[start:]
        assert all(len(chunk) == size for chunk in chunks[:-1])


def test_the_same_contacts_have_the_same_fingerprint_from_anywhere(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("first_name,phone_number\n" + "".join(f"Ann,{c['phone_number']}\n" for c in CONTACTS))
    lists = [ContactList.of(CONTACTS), ContactList.from_manifest(manifest.to_dict()), ContactList.from_file(file)]
    assert len({contacts.fingerprint for contacts in lists}) == 1
    assert {contacts.count for contacts in lists} == {23}
    assert ContactList.of(CONTACTS[::-1]).fingerprint != lists[0].fingerprint
    assert [list(contacts) for contacts in lists] == [CONTACTS] * 3


def test_a_list_shows_nothing_of_its_contacts() -> None:
    assert repr(ContactList.of(CONTACTS)) == "<ContactList of 23 contacts>"


def test_a_number_that_stands_twice_is_refused_with_its_positions() -> None:
    with pytest.raises(DuplicateContactError, match=r"\+\*{9}01 is at 2 and at 24"):
        ContactList.of([*CONTACTS, CONTACTS[1]])


@pytest.mark.parametrize("number", ["2125550100", "+1 212 555 0100", "+0125550100", "+1", "", None, 12125550100])
def test_a_number_that_is_not_e164_is_refused_by_its_position(number: object) -> None:
    with pytest.raises(ContactsFileError, match=r"^Contact 2: phone_number is not an E.164 number"):
        ContactList.of([CONTACTS[0], {"phone_number": number}])


def test_fields_that_the_api_does_not_have_are_refused() -> None:
    with pytest.raises(ContactsFileError, match=r"\['city'\].*custom_fields"):
        ContactList.of([{"phone_number": "+12125550100", "city": "Rome"}])
    with pytest.raises(ContactsFileError, match="more than 100"):
        ContactList.of([{"phone_number": "+12125550100", "last_name": "x" * 101}])
    with pytest.raises(ContactsFileError, match="broken characters"):
        ContactList.of([{"phone_number": "+12125550100", "last_name": "\ud800"}])


def test_other_columns_of_a_plain_file_are_custom_fields(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(
        '{"phone_number": "+12125550100", "city": "Rome", "age": 40, '
        '"custom_fields": {"plan": "gold"}, "last_name": null}\n'
    )
    assert list(ContactList.from_file(file).chunks(10)) == [
        [{"phone_number": "+12125550100", "custom_fields": {"age": "40", "city": "Rome", "plan": "gold"}}]
    ]


def test_a_plain_file_that_changes_after_the_check_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("phone_number\n+12125550100\n+12125550101\n")
    contacts = ContactList.from_file(file)
    file.write_text("phone_number\n+12125550100\n")
    with pytest.raises(ContactsFileError, match="have changed"):
        list(contacts.chunks(10))


@given(data=st.data())
def test_a_file_cut_at_any_byte_is_noticed(manifest: Manifest, data: st.DataObject) -> None:
    whole = Path(manifest.uri).read_bytes()
    cut = Path(manifest.uri).with_name("cut.jsonl.gz")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ContactsFileError, match="cut short"):
        manifest.check(cut)
    with pytest.raises(ContactsFileError, match="cut short"):
        ContactList.from_manifest(manifest, lambda uri: cut)


@given(data=st.data())
def test_a_file_with_any_other_byte_is_noticed(manifest: Manifest, data: st.DataObject) -> None:
    changed = bytearray(Path(manifest.uri).read_bytes())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    other = Path(manifest.uri).with_name("changed.jsonl.gz")
    other.write_bytes(changed)
    with pytest.raises(ContactsFileError, match="changed"):
        ContactList.from_manifest(manifest, lambda uri: other)


def test_a_file_that_is_gone_is_a_clear_error(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.jsonl\.gz is not there\. Run its maker again"):
        ContactList.from_manifest(manifest, lambda uri: tmp_path / "none.jsonl.gz")
    made = replace(manifest, made_by={"task_id": "extract", "run_id": "r1"})
    with pytest.raises(MissingFileError, match=r"Run task 'extract' of run 'r1' again"):
        ContactList.from_manifest(made, lambda uri: tmp_path / "none.jsonl.gz")


def test_an_object_store_without_opener_says_what_is_missing(manifest: Manifest) -> None:
    there = Manifest.from_dict({**manifest.to_dict(), "uri": "s3://bucket/contacts.jsonl.gz"})
    with pytest.raises(FileError, match="opener=ObjectStoragePath"):
        ContactList.from_manifest(there)


@pytest.mark.parametrize("change", [{"kind": "other"}, {"version": 2}, {"contacts": 5}, {"uri": None}, {"size": "1"}])
def test_what_is_no_manifest_is_refused(manifest: Manifest, change: dict[str, object]) -> None:
    with pytest.raises(ManifestError):
        ContactList.from_manifest({**manifest.to_dict(), **change})


def test_a_manifest_without_its_checksum_is_refused(manifest: Manifest) -> None:
    incomplete = manifest.to_dict()
    del incomplete["sha256"]
    with pytest.raises(ManifestError, match="not complete"):
        Manifest.from_dict(incomplete)


def test_a_mapping_from_number_to_name_is_refused_without_showing_either() -> None:
    with pytest.raises(ContactsFileError) as caught:
        ContactList.of([{"+12125550100": "Ann Example"}])
    assert "5550100" not in str(caught.value)
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize(
    ("contact", "what"),
    [
        ({"phone": "+12125550100"}, "there is no phone_number"),
        ({"phone_number": "212 555 0100"}, "is not an E.164 number"),
    ],
)
def test_rows_that_are_no_contacts_yet_are_told_what_makes_them(contact: dict[str, str], what: str) -> None:
    with pytest.raises(ContactsFileError, match=f"^Contact 1: .*{what}.*FileToContactsOperator") as told:
        ContactList.of([contact])
    assert "555" not in str(told.value)
