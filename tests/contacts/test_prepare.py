from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import (
    ContactsError,
    DuplicateContactError,
    MissingColumnError,
    TooManyRejectedError,
    TooManySplitsError,
    UnknownRegionError,
)
from airflow_truedy.contacts.rules import RegionColumn
from airflow_truedy.contacts.suppression import Suppression
from airflow_truedy.files.rows import BrokenRow
from tests.contacts.prepared import prepared, prepared_split

MESSY = [
    {"phone": "(212) 555-0100", "name": "Ann", "plan": "gold"},
    {"phone": "212-555-0101 ext 3", "name": "Bob", "plan": "gold"},
    {"phone": "+1 212 555 0100", "name": "Ann again", "plan": "tin"},
    {"phone": "2.12555E+09", "name": "Cy", "plan": "tin"},
    {"phone": "212 555 0102", "name": "Dee", "plan": "gold"},
    {"phone": None, "name": "Eve", "plan": "tin"},
    {"phone": "212 555 0103", "name": "Fay", "plan": "tin"},
]
COLUMNS = Columns("phone", first_name="name", custom_fields=["plan"])


def contacts_in(manifest: Manifest) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(Path(manifest.uri).read_bytes()).splitlines()]


def rejects_in(manifest: Manifest) -> list[dict[str, str]]:
    with Path(manifest.rejects_uri).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "out" / "contacts.jsonl.gz"


def test_every_row_ends_as_a_contact_or_in_the_rejects_file(to: Path) -> None:
    suppression = [Suppression(["+12125550103"], region=None)]
    manifest = prepared(MESSY, to, region="US", columns=COLUMNS, suppression=suppression)

    assert contacts_in(manifest) == [
        {"phone_number": "+12125550100", "first_name": "Ann", "custom_fields": {"plan": "gold"}},
        {"phone_number": "+12125550102", "first_name": "Dee", "custom_fields": {"plan": "gold"}},
    ]
    assert [(row["row_number"], row["reason"], row["name"]) for row in rejects_in(manifest)] == [
        ("2", "extension", "Bob"),
        ("3", "duplicate", "Ann again"),
        ("4", "exponent", "Cy"),
        ("6", "empty", "Eve"),
        ("7", "suppressed", "Fay"),
    ]
    assert (manifest.rows_read, manifest.contacts, manifest.duplicates, manifest.suppressed) == (7, 2, 1, 1)
    assert manifest.rejected == 3
    assert manifest.rejected_by_reason == {"empty": 1, "exponent": 1, "extension": 1}


def test_rejects_show_two_digits_of_a_number_and_not_its_column(to: Path) -> None:
    manifest = prepared(MESSY, to, region="US", columns=COLUMNS)

    text = Path(manifest.rejects_uri).read_text(encoding="utf-8")
    assert text.splitlines()[0] == "row_number,reason,masked_number,name,plan"
    assert "3,duplicate,+************00,Ann again,tin" in text
    assert "555" not in text


def test_the_last_of_several_rows_can_be_kept(to: Path) -> None:
    manifest = prepared(MESSY, to, region="US", columns=COLUMNS, duplicates="last")

    assert [contact["first_name"] for contact in contacts_in(manifest)] == ["Ann again", "Dee", "Fay"]
    assert rejects_in(manifest)[0]["row_number"] == "1"


def test_text_that_no_server_could_keep_is_refused(to: Path) -> None:
    names = ["Ann\0", "\ud800", "a\\u0000b"]
    rows = [{"phone_number": f"+1212555{i:04d}", "na\0me": name} for i, name in enumerate(names, 100)]
    manifest = prepared(rows, to, region=None, columns=Columns(first_name="na\0me"))
    assert manifest.rejected_by_reason == {"unreadable_text": 2}
    assert [row["na\\0me"] for row in rejects_in(manifest)] == ["Ann\\0", "\\ud800"]


def test_rows_may_hold_bytes_whichever_row_is_kept(to: Path) -> None:
    rows = [{"phone_number": "+12125550100", "photo": memoryview(b"x")}] * 2
    for keep in ("first", "last"):
        manifest = prepared(rows, to, region=None, duplicates=keep)
        assert (manifest.contacts, manifest.duplicates) == (1, 1)


def test_rows_may_be_any_mapping_whichever_row_is_kept(to: Path) -> None:
    rows = [MappingProxyType({"phone_number": "+12125550100"})] * 2
    assert prepared(rows, to, region=None, duplicates="last").contacts == 1


def test_duplicates_can_fail_the_run_after_the_files_are_written(to: Path) -> None:
    with pytest.raises(DuplicateContactError, match="1 rows"):
        prepared(MESSY, to, region="US", columns=COLUMNS, duplicates="fail")
    assert to.exists()


@pytest.mark.parametrize(
    ("limit", "fails"), [(3, False), (2, True), (0.43, False), (0.42, True), (0, True), (None, False)]
)
def test_too_many_rejects_fail_the_run_after_the_files_are_written(to: Path, limit: float | None, fails: bool) -> None:
    def prepare() -> None:
        prepared(MESSY, to, region="US", columns=COLUMNS, max_rejected=limit)

    if fails:
        with pytest.raises(TooManyRejectedError, match="3 of 7 rows"):
            prepare()
    else:
        prepare()
    assert to.exists()
    assert to.with_name("contacts.rejects.csv").exists()


def test_nothing_appears_when_the_rows_break_off(to: Path) -> None:
    def broken() -> object:
        yield from MESSY
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        prepared(broken(), to, region="US", columns=COLUMNS)  # type: ignore[arg-type]
    assert not to.parent.exists()


@pytest.mark.parametrize("region", ["UK", "us", "USA", "+1", "", "XX"])
def test_what_is_no_region_is_refused(to: Path, region: str) -> None:
    with pytest.raises(UnknownRegionError):
        prepared(MESSY, to, region=region, columns=COLUMNS)


def test_the_region_may_stand_in_a_column(to: Path) -> None:
    rows = [
        {"phone_number": "020 7946 0018", "country": "gb "},
        {"phone_number": "2125550100", "country": "US"},
        {"phone_number": "2125550101", "country": "USA"},
        {"phone_number": "2125550102", "country": None},
        {"phone_number": "+12125550103", "country": "?"},
    ]
    manifest = prepared(rows, to, region=RegionColumn("country"))

    assert [contact["phone_number"] for contact in contacts_in(manifest)] == [
        "+442079460018",
        "+12125550100",
        "+12125550103",
    ]
    assert manifest.rejected_by_reason == {"region_missing": 1, "region_unknown": 1}
    assert manifest.region == {"column": "country"}


def test_a_column_that_does_not_exist_is_named(to: Path) -> None:
    with pytest.raises(MissingColumnError, match=r"\['mail'\].*\['name', 'phone', 'plan'\]"):
        prepared(MESSY, to, region="US", columns=Columns("phone", email="mail"))
    with pytest.raises(MissingColumnError, match="country"):
        prepared(MESSY, to, region=RegionColumn("country"), columns=COLUMNS)


def test_no_rows_make_an_empty_list(to: Path) -> None:
    manifest = prepared([], to, region="US")
    assert manifest.rows_read == manifest.contacts == 0
    assert contacts_in(manifest) == []


def test_the_same_rows_give_the_same_bytes(to: Path, tmp_path: Path) -> None:
    first = prepared(MESSY, to, region="US", columns=COLUMNS)
    second = prepared(MESSY, tmp_path / "other.jsonl.gz", region="US", columns=COLUMNS)
    assert first.sha256 == second.sha256
    assert to.read_bytes() == (tmp_path / "other.jsonl.gz").read_bytes()


def test_a_list_is_split_by_a_column(to: Path) -> None:
    manifests = prepared_split(MESSY, to, split_by="plan", region="US", columns=COLUMNS)

    assert [manifest.split for manifest in manifests] == [
        {"column": "plan", "value": "gold"},
        {"column": "plan", "value": "tin"},
    ]
    assert len({manifest.uri for manifest in manifests}) == 2
    assert [manifest.rows_read for manifest in manifests] == [3, 4]
    # Ann stands in both segments and is called once.
    assert [[c["first_name"] for c in contacts_in(m)] for m in manifests] == [["Ann", "Dee"], ["Fay"]]


def test_values_to_split_by_make_safe_file_names_that_never_meet(to: Path) -> None:
    values = ["a/b", "a b", "../..", "", "A", "a", "Zürich", "x" * 200]
    rows = [{"phone_number": f"+1212555{i:04d}", "segment": value} for i, value in enumerate(values, 100)]
    manifests = prepared_split(rows, to, split_by="segment", region=None)
    assert len({manifest.uri.lower() for manifest in manifests}) == len(values)
    assert {Path(manifest.uri).parent for manifest in manifests} == {to.parent}
    assert all(manifest.contacts == 1 for manifest in manifests)


def test_the_name_of_a_file_holds_a_place_and_no_other_value(to: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    places, others = ["US", "US-CA", "America/New_York"], ["Zebulon", "JO ANN", "Zebulon/Pike", "Etc/Zebulon"]
    rows = [{"phone_number": f"+1212555{i:04d}", "split": value} for i, value in enumerate(places + others, 100)]
    manifests = prepared_split(rows, to, split_by="split", region=None)
    names = {manifest.split["value"]: Path(manifest.uri).name for manifest in manifests if manifest.split}
    assert [names[place].startswith(f"contacts-{place.replace('/', '_')}-") for place in places] == [True] * 3
    assert all(re.fullmatch(r"contacts-part-[0-9a-f]{12}\.jsonl\.gz", names[other]) for other in others)
    assert "Zebulon" not in caplog.text
    assert not [file.name for file in to.parent.iterdir() if "Zebulon" in file.name or "ANN" in file.name]


def test_what_a_split_takes_for_a_value(to: Path) -> None:
    values = ["", None, float("nan"), 0, False, "x" * 201, b"x"]
    rows = [{"phone_number": f"+1212555{i:04d}", "segment": value} for i, value in enumerate(values, 100)]
    manifests = prepared_split(rows, to, split_by="segment", region=None)
    assert {m.split["value"]: m.contacts for m in manifests if m.split} == {"": 3, "0": 1, "false": 1}
    assert manifests[0].rejected_by_reason == {"unreadable_text": 2}
    assert [row["row_number"] for row in rejects_in(manifests[0])] == ["6", "7"]


def test_a_first_row_without_the_column_to_split_by_is_a_row_like_others(to: Path) -> None:
    rows = [BrokenRow(phone_number="+12125550100"), {"phone_number": "+12125550101", "segment": "a"}]
    manifests = prepared_split(rows, to, split_by="segment", region=None)
    assert [(m.split["value"], m.contacts, m.rejected) for m in manifests if m.split] == [("", 0, 1), ("a", 1, 0)]


@pytest.mark.parametrize("keep", ["first", "last"])
def test_a_source_may_fill_one_mapping_again_for_each_row(to: Path, keep: Any) -> None:
    def source() -> Iterator[dict[str, str]]:
        row: dict[str, str] = {}
        for i in range(1_500):
            row["phone_number"] = f"+1212555{i:04d}" if i % 500 else "nobody"
            row["id"] = str(i)
            yield row

    manifest = prepared(source(), to, region=None, duplicates=keep)
    assert (manifest.contacts, manifest.rejected) == (1_497, 3)
    assert [row["id"] for row in rejects_in(manifest)] == ["0", "500", "1000"]


@pytest.mark.parametrize(
    "value", [{(1, 2): 3}, 10**5_000, b"x", [float("inf")]], ids=["keys", "digits", "bytes", "infinity"]
)
def test_a_value_that_cannot_be_written_down_refuses_its_row_only(to: Path, value: object) -> None:
    rows = [
        {"phone_number": "+12125550100", "plan": value},
        {"phone_number": "nobody", "plan": value},
        {"phone_number": "+12125550101", "plan": "gold"},
    ]
    manifest = prepared(rows, to, region=None, columns=Columns(custom_fields=["plan"]))
    assert manifest.contacts == 1
    assert manifest.rejected_by_reason == {"not_a_number": 1, "unreadable_text": 1}
    # Where it is not sent it does no harm.
    assert prepared(rows, to, region=None).contacts == 2
    assert prepared(rows, to, region=RegionColumn("plan")).contacts == 2


def test_a_row_with_more_cells_than_columns_is_refused(to: Path) -> None:
    rows = csv.DictReader(["phone_number,name,plan", "+12125550100,Li, Ann,gold", "+12125550101,Bob,tin"])
    manifest = prepared(rows, to, region=None, columns=Columns(custom_fields=OTHERS))
    assert [contact["custom_fields"] for contact in contacts_in(manifest)] == [{"name": "Bob", "plan": "tin"}]
    (reject,) = rejects_in(manifest)
    assert (reject["reason"], reject["name"], reject["further_cells"]) == ("unreadable_row", "Li", '["gold"]')


def test_rejects_tell_columns_of_the_source_from_their_own(to: Path) -> None:
    rows = [{"phone_number": "x", "reason": "churn", "row_number": "9", "source_reason": "crm"}]
    (reject,) = rejects_in(prepared(rows, to, region=None))
    assert reject == {
        "row_number": "1",
        "reason": "not_a_number",
        "masked_number": "*",
        "source_source_reason": "churn",
        "source_row_number": "9",
        "source_reason": "crm",
    }


def test_a_region_that_is_nothing_is_missing(to: Path) -> None:
    rows = [{"phone_number": "2125550100", "country": value} for value in (float("nan"), None, "")]
    manifest = prepared(rows, to, region=RegionColumn("country"))
    assert manifest.rejected_by_reason == {"region_missing": 3}


def test_more_values_than_allowed_fail_before_anything_is_written(to: Path) -> None:
    rows = [{"phone_number": f"+1212555{i:04d}", "segment": str(i)} for i in range(100, 104)]
    with pytest.raises(TooManySplitsError, match="more than 3 values"):
        prepared_split(rows, to, split_by="segment", max_splits=3, region=None)
    assert not to.parent.exists()


def test_a_column_to_split_by_that_does_not_exist_is_named(to: Path) -> None:
    with pytest.raises(MissingColumnError, match="zone"):
        prepared_split(MESSY, to, split_by="zone", region="US", columns=COLUMNS)


def test_a_manifest_is_small_plain_json_and_comes_back(to: Path) -> None:
    manifest = prepared(
        MESSY,
        to,
        region="US",
        columns=Columns("phone", custom_fields=OTHERS),
        source="postgres conn crm, query a1b2c3",
        made_by={
            "dag_id": "d" * 80,
            "task_id": "t" * 80,
            "run_id": "scheduled__2026-04-01T09:00:00+00:00",
            "map_index": 3,
        },
    )
    text = json.dumps(manifest.to_dict())
    assert len(text) < 2048
    assert Manifest.from_dict(json.loads(text)) == manifest
    assert datetime.fromisoformat(manifest.created_at).tzinfo == timezone.utc
    assert "Ann" not in text
    assert "555" not in text.replace(manifest.sha256, "").replace(manifest.fingerprint, "")


@pytest.mark.parametrize(("bad", "loud"), [(1, False), (2, True)])
def test_many_refused_rows_are_told_loudly_with_what_to_do(
    to: Path, caplog: pytest.LogCaptureFixture, bad: int, loud: bool
) -> None:
    good = [{"phone_number": f"+1212555{i:04d}"} for i in range(100, 110 - bad)]
    cells = ["2.12555E+09", "2125550100", "nobody", "x"]
    for split_by in (None, "part"):
        caplog.clear()
        all_rows = good + [{"phone_number": cell} for cell in cells[:bad]]
        rows = [{**row, "part": str(at % 2)} for at, row in enumerate(all_rows)]
        prepared_split(rows, to, region=None, split_by=split_by)
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert bool(warnings) is loud
    if loud:
        assert "2 of 10 rows (20 %) were refused" in warnings[0]
        assert "1 exponent (CAST the column" in warnings[0]
        assert '1 no_country_code (state region="US"' in warnings[0]
        assert "555" not in warnings[0]


@pytest.mark.parametrize("other", [None, ["+12125550100"], "+12125550100", 5])
def test_a_late_row_that_is_not_a_mapping_is_told_and_not_shown(to: Path, other: Any) -> None:
    rows = [{"phone_number": f"+1212555{number:04}"} for number in range(1_001)]
    with pytest.raises(ContactsError, match=f"Row 1002 is {type(other).__name__}, not a mapping") as caught:
        prepared([*rows, other], to, region=None)
    assert "5550100" not in str(caught.value)


def test_a_table_with_two_columns_of_one_name_is_refused(to: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table([["+12125550100"], ["+12125550101"]], names=["phone_number", "phone_number"])
    with pytest.raises(ContactsError, match=r"two columns of one name: \['phone_number'\]"):
        prepared(table, to, region=None)


def test_a_data_frame_with_two_columns_of_one_name_is_refused(to: Path) -> None:
    class Frame:
        columns = ("phone_number", "phone_number", "name")

        def itertuples(self, index: bool, name: str | None) -> Any:
            return iter([("+12125550100", "+12125550101", "Ann")])

    with pytest.raises(ContactsError, match=r"two columns of one name: \['phone_number'\]"):
        prepared(Frame(), to, region=None)
