"""What must hold for any rows at all."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.rules import Duplicates
from airflow_truedy.contacts.suppression import Suppression
from tests.contacts.prepared import prepared, prepared_split

CELLS = st.sampled_from(
    [
        "(212) 555-0100",
        "+1 212 555 0100",
        "212.555.0101",
        "2125550102",
        "+12125550103",
        "212 555 0104 x1",
        "2.12E+9",
        "",
        None,
        "nobody",
        "+44 20 7946 0018",
        "911",
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"phone": CELLS, "name": st.none() | st.text(max_size=120), "segment": st.sampled_from("abc")}
    ),
    max_size=40,
)
COLUMNS = Columns("phone", first_name="name", custom_fields=OTHERS)
SUPPRESSED = ["+12125550103"]


def prepare(rows: list[dict[str, object]], folder: str, keep: Duplicates = "first") -> Manifest:
    lists = [Suppression(SUPPRESSED, region=None)]
    to = Path(folder) / "contacts.jsonl.gz"
    return prepared(rows, to, region="US", columns=COLUMNS, duplicates=keep, suppression=lists)


def contacts_in(manifest: Manifest) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(Path(manifest.uri).read_bytes()).splitlines()]


@given(rows=ROWS, keep=st.sampled_from(["first", "last"]))
def test_the_account_of_any_rows_adds_up(rows: list[dict[str, object]], keep: Duplicates) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = prepare(rows, folder, keep)
        with Path(manifest.rejects_uri).open(encoding="utf-8", newline="") as file:
            rejects = list(csv.DictReader(file))
        contacts = contacts_in(manifest)
    assert manifest.rows_read == len(rows)
    assert manifest.contacts == len(contacts)
    assert manifest.duplicates + manifest.suppressed + manifest.rejected == len(rejects)
    assert sum(manifest.rejected_by_reason.values()) == manifest.rejected
    assert len({row["row_number"] for row in rejects}) == len(rejects)
    numbers = [contact["phone_number"] for contact in contacts]
    assert len(set(numbers)) == len(numbers)
    assert not {*SUPPRESSED} & {*numbers}


@given(data=st.data(), rows=ROWS, keep=st.sampled_from(["first", "last"]))
def test_any_order_of_the_rows_gives_the_same_numbers(
    data: st.DataObject, rows: list[dict[str, object]], keep: Duplicates
) -> None:
    # Which of several rows stays depends on the order, and with it whether its other values are refused.
    rows = [{**row, "name": "Ann"} for row in rows]
    shuffled = data.draw(st.permutations(rows))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        numbers = [
            {contact["phone_number"] for contact in contacts_in(prepare(each, folder, keep))}
            for each, folder in ((rows, one), (shuffled, other))
        ]
    assert numbers[0] == numbers[1]


@given(rows=ROWS)
def test_the_parts_of_a_split_list_are_the_whole_list(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = prepare(rows, folder)
        lists = [Suppression(SUPPRESSED, region=None)]
        parts = prepared_split(
            rows, Path(folder) / "p.jsonl.gz", split_by="segment", region="US", columns=COLUMNS, suppression=lists
        )
        together = [str(contact) for part in parts for contact in contacts_in(part)]
        assert sorted(together) == sorted(map(str, contacts_in(whole)))
    for count in ("rows_read", "contacts", "duplicates", "suppressed", "rejected"):
        assert sum(getattr(part, count) for part in parts) == getattr(whole, count)


def test_keeping_the_first_and_the_last_are_mirrors_in_long_lists(tmp_path: Path) -> None:
    rows = [{"phone": f"212 555 {i % 1_700:04d}", "name": str(i), "segment": "a"} for i in range(5_000)]
    first = contacts_in(prepare(rows, str(tmp_path / "1")))
    last = contacts_in(prepare(rows[::-1], str(tmp_path / "2"), "last"))
    assert first == last[::-1]
    assert len(first) == 1_699  # one of them is suppressed
