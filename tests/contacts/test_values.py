"""Values as databases, data frames and spreadsheets give them."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.errors import ContactsError, MissingColumnError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.numbers import normaliser
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import RegionColumn
from airflow_truedy.contacts.values import is_nothing, text_of
from tests.contacts.prepared import prepared

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")

NOTHING = [
    None,
    math.nan,
    Decimal("NaN"),
    pandas.NaT,
    pandas.NA,
    numpy.nan,
    numpy.float32("nan"),
    numpy.datetime64("NaT"),
    numpy.timedelta64("NaT"),
]


@pytest.mark.parametrize("value", NOTHING, ids=lambda value: f"{type(value).__name__} {value}")
def test_nothing_of_every_kind_is_empty_everywhere(tmp_path: Path, value: object) -> None:
    assert is_nothing(value)
    assert text_of(value) == ""
    assert normaliser()(value, "US") is Reason.EMPTY
    rows = [
        {"phone": "2125550100", "country": value, "plan": "gold"},
        {"phone": value, "country": "US", "plan": "gold"},
        {"phone": "+12125550101", "country": "US", "plan": value},
    ]
    columns = Columns("phone", required=["plan"])
    manifest = prepared(rows, tmp_path / "c.jsonl.gz", region=RegionColumn("country"), columns=columns)
    assert manifest.rejected_by_reason == {"empty": 1, "missing_value": 1, "region_missing": 1}


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (numpy.int64(12015550123), "+12015550123"),
        (numpy.uint64(12015550123), "+12015550123"),
        (numpy.float64(12015550123), "+12015550123"),
        (numpy.str_("201 555 0123"), "+12015550123"),
        (numpy.float64(2015550123.5), "decimal_tail"),
        (numpy.float32(2015550123), "decimal_tail"),
        (numpy.float16(2011), "short_number"),
        (numpy.float64("inf"), "decimal_tail"),
        (numpy.bool_(True), "not_a_number"),
        (numpy.bytes_(b"2015550123"), "not_a_number"),
        (numpy.datetime64("2026-11-25"), "not_a_number"),
        (numpy.array([2015550123]), "not_a_number"),
        (pandas.Timestamp("2026-11-25"), "not_a_number"),
    ],
    ids=lambda value: f"{type(value).__name__} {value}",
)
def test_scalars_count_as_what_they_are(value: object, verdict: str) -> None:
    assert normaliser()(value, "US") == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.int64(7), "7"),
        (numpy.float64(1e-05), "0.00001"),
        (numpy.bool_(True), "true"),
        (numpy.str_(" gold "), "gold"),
        (numpy.datetime64("2026-11-25T09:00"), "2026-11-25T09:00"),
        (pandas.Timestamp("2026-11-25 09:00", tz="UTC"), "2026-11-25T09:00:00+00:00"),
        ({"age": numpy.int64(7)}, '{"age": 7}'),
        ([numpy.float64(0.5), pandas.NA], "[0.5, null]"),
    ],
    ids=str,
)
def test_scalars_are_sent_as_what_they_are(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    "phones",
    [
        ["+12125550100", "nobody"],
        [12125550100, None],
        [12125550100.0, math.nan],
        pandas.array([12125550100, None], dtype="Int64"),
        pandas.array(["+12125550100", None], dtype="string"),
    ],
    ids=lambda phones: str(getattr(phones, "dtype", type(phones[0]).__name__)),
)
def test_a_data_frame_is_rows(tmp_path: Path, phones: Any) -> None:
    frame = pandas.DataFrame({"phone": phones, "age": [40, 41], "first name": ["Zoë", None]}, index=["x", "y"])
    columns = Columns("phone", first_name="first name", custom_fields=["age"])
    manifest = prepared(frame, tmp_path / "c.jsonl.gz", region="US", columns=columns)
    assert (manifest.rows_read, manifest.contacts) == (2, 1)
    assert list(ContactList.from_manifest(manifest)) == [
        {"phone_number": "+12125550100", "first_name": "Zoë", "custom_fields": {"age": "40"}}
    ]


def test_tables_of_others_are_rows_too(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    row = {"phone_number": "+12125550100"}
    tables = {
        "pyarrow": pyarrow.Table.from_pylist([row]),
        "polars": SimpleNamespace(iter_rows=lambda *, named: iter([row]) if named else None),
        "spark": SimpleNamespace(toLocalIterator=lambda: iter([SimpleNamespace(asDict=lambda: row)])),
    }
    for name, table in tables.items():
        assert prepared(table, tmp_path / f"{name}.jsonl.gz", region=None).contacts == 1, name


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"phone_number": "+12125550100"}, "rows is dict: give an iterable of mappings"),
        ("+12125550100", "rows is str"),
        (12125550100, "rows is int"),
        ([("+12125550100", "Ann")], "Row 1 is tuple, not a mapping"),
        ([{"phone_number": "+12125550100"}, "+12125550101"], "Row 2 is str, not a mapping"),
    ],
)
def test_what_is_not_rows_is_named_and_not_shown(tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(ContactsError, match=message) as caught:
        prepared(rows, tmp_path / "c.jsonl.gz", region=None)
    assert "555" not in str(caught.value)


def test_a_frame_without_names_of_columns_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingColumnError, match=r"No column \['phone_number'\].*\['0', '1'\]"):
        prepared(pandas.DataFrame([["+12125550100", "Ann"]]), tmp_path / "c.jsonl.gz", region=None)


def test_rows_of_a_database_driver_that_have_keys_are_rows(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT '+12125550100' AS PHONE_NUMBER, 'Ann' AS name").fetchall()
    assert prepared(rows, tmp_path / "c.jsonl.gz", region=None).contacts == 1
