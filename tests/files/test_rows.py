from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path

import pytest

from airflow_truedy.contacts.prepare import prepare_contacts
from airflow_truedy.files.errors import MissingFileError, RowsFileError
from airflow_truedy.files.rows import BrokenRow, read_rows

TEXT = "phone_number,name\n+12125550100,Zoë\n+12125550101,\u201cBob\u201d\n"
ROWS = [
    {"phone_number": "+12125550100", "name": "Zoë"},
    {"phone_number": "+12125550101", "name": "\u201cBob\u201d"},
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-32"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_encodings_are_detected(tmp_path: Path, encoding: str, ending: str) -> None:
    file = tmp_path / f"rows{ending}"
    data = TEXT.encode(encoding)
    file.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    assert list(read_rows(file)) == ROWS


def test_a_late_byte_that_is_no_utf_8_decides_for_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"phone_number,name\n" + b"+12125550100,Ann\n" * 100_000 + "+12125550101,Zoë\n".encode("cp1252"))
    *_, last = read_rows(file)
    assert last["name"] == "Zoë"


def test_an_encoding_may_be_stated(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("phone_number,name\n+12125550100,Łuk\n".encode("iso-8859-2"))
    assert next(iter(read_rows(file, encoding="iso-8859-2")))["name"] == "Łuk"
    with pytest.raises(RowsFileError, match="not text in ascii"):
        list(read_rows(file, encoding="ascii"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "rows.csv"
    lines = [["phone_number", "note", "name"], ["+12125550100", "a, b; c", "Ann"], ["+12125550101", "", "Bob"]]
    file.write_text("".join(delimiter.join(f'"{cell}"' for cell in line) + "\r\n" for line in lines))
    assert [row["name"] for row in read_rows(file)] == ["Ann", "Bob"]
    assert [row["note"] for row in read_rows(file, delimiter=delimiter)] == ["a, b; c", ""]


def test_a_single_column_needs_no_delimiter(tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("phone_number\n+12125550100\n\n+12125550101\n")
    assert list(read_rows(file)) == [{"phone_number": "+12125550100"}, {"phone_number": "+12125550101"}]


def test_cells_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("phone_number,code\n02079460018,007\n")
    assert list(read_rows(file)) == [{"phone_number": "02079460018", "code": "007"}]


def test_a_quoted_line_break_stays_in_its_cell(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('phone_number,note\n+12125550100,"two\nlines"\n')
    assert list(read_rows(file)) == [{"phone_number": "+12125550100", "note": "two\nlines"}]


def test_rows_of_another_width_are_refused_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("phone_number,name\n+12125550100,Ann\n+12125550101\n+12125550102,Li, Bob\n")
    rows = list(read_rows(file))
    assert [type(row) for row in rows] == [dict, BrokenRow, BrokenRow]
    manifest = prepare_contacts(rows, tmp_path / "o.jsonl.gz", region=None)
    assert (manifest.rows_read, manifest.rejected_by_reason) == (3, {"unreadable_row": 2})


@pytest.mark.parametrize(
    "line",
    ['{"phone_number": "+12125550100", "phone_number": "+12125550101"}', '{"a": ' + "[" * 20_000 + "]" * 20_000 + "}"],
)
def test_a_line_that_cannot_be_one_contact_is_refused_alone(tmp_path: Path, line: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"phone_number": "+12125550100"}}\n{line}\n')
    assert [type(row) for row in read_rows(file)] == [dict, BrokenRow]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name_though_utf_8_is_stated(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"rows.{ending}"
    file.write_text("id,name\n1,Ann\n" if ending == "csv" else '{"id": "1", "name": "Ann"}\n', encoding="utf-8-sig")
    assert list(read_rows(file, encoding="UTF8")) == [{"id": "1", "name": "Ann"}]


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n'])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(tmp_path: Path, first: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"{first}phone_number;note\n+12125550100;a,b\n")
    assert list(read_rows(file)) == [{"phone_number": "+12125550100", "note": "a,b"}]
    file.write_text(f'{first}phone_number;note\n+12125550100;"a\n+12125550101;b\n')
    with pytest.raises(RowsFileError, match="begins in line 3"):
        list(read_rows(file))


@pytest.mark.parametrize(
    "options", [{"encoding": "utf8x"}, {"encoding": "hex"}, {"delimiter": ";;"}, {"delimiter": ""}, {"delimiter": "\n"}]
)
def test_an_encoding_or_delimiter_that_cannot_be_is_named(tmp_path: Path, options: dict[str, str]) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(TEXT)
    with pytest.raises(RowsFileError, match=r"encoding=|delimiter="):
        list(read_rows(file, **options))


def test_lines_that_are_no_objects_are_refused_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"phone_number": "+12125550100"}\n\n[1]\n{"phone_number": \n')
    manifest = prepare_contacts(read_rows(file), tmp_path / "o.jsonl.gz", region=None)
    assert (manifest.rows_read, manifest.contacts, manifest.rejected) == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n+12125550100\n", "is empty"),
        ("+12125550100,Ann\n+12125550101,Bob\n", "no header"),
        ("phone_number,name,name\n", "twice"),
        ("5550,ann@example.com,\n5550,bob@example.com,+12125550100\n", "no header.*e-mail"),
    ],
)
def test_a_file_without_a_proper_header_is_refused_and_not_shown(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises(RowsFileError, match=message) as caught:
        list(read_rows(file))
    assert "555" not in str(caught.value)


def test_a_column_without_name_is_named_by_its_position(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("phone_number,\n+12125550100,x\n")
    assert list(read_rows(file)) == [{"phone_number": "+12125550100", "column_2": "x"}]


@pytest.mark.parametrize("cut", [5, 30, -1])
def test_a_cut_gzip_file_is_noticed(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "rows.jsonl.gz"
    whole = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS))
    file.write_bytes(whole[:cut])
    with pytest.raises(RowsFileError, match="cut short"):
        list(read_rows(file))


def test_a_file_that_is_not_there_or_of_no_known_kind_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is not there"):
        list(read_rows(tmp_path / "none.csv"))
    with pytest.raises(RowsFileError, match="state format="):
        list(read_rows(tmp_path / "rows.xlsx"))
    with pytest.raises(RowsFileError, match="'xls' is none of"):
        list(read_rows(tmp_path / "rows.csv", format="xls"))


def test_parquet_files_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    numbers = [12125550000 + i for i in range(2_500)]
    parquet.write_table(pyarrow.table({"phone_number": numbers, "name": ["Ann"] * 2_500}), file)
    rows = list(read_rows(file))
    assert len(rows) == 2_500
    assert rows[-1] == {"phone_number": 12125552499, "name": "Ann"}
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(RowsFileError, match="Parquet"):
        list(read_rows(file))


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    table = pyarrow.Table.from_arrays([["+12125550100"], ["a"], ["b"]], names=["phone_number", "x", "x"])
    parquet.write_table(table, file)
    with pytest.raises(RowsFileError, match="two columns of one name"):
        list(read_rows(file))


def test_a_value_that_python_cannot_hold_costs_its_parquet_row_at_most(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    columns = {
        "id": [1, 2, 3],
        "at": pyarrow.array([1_000, 1_001, None], pyarrow.timestamp("ns")),
        "took": pyarrow.array([1_000, 1_000, 1], pyarrow.duration("ns")),
    }
    parquet.write_table(pyarrow.table(columns), file)
    fine, finer, broken = read_rows(file)
    assert fine["at"] == datetime(1970, 1, 1, microsecond=1)
    assert finer["at"] == "1970-01-01T00:00:00.000001001"
    assert isinstance(broken, BrokenRow)
    assert broken == {"id": 3, "at": None}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(RowsFileError, match=r"airflow-provider-truedy\[parquet\]"):
        list(read_rows(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_quote_that_never_ends_does_not_swallow_the_rows_behind_it(tmp_path: Path, end: str) -> None:
    file = tmp_path / "rows.csv"
    # As many cells as the header: all others would have become the first person's note.
    file.write_text(f'phone_number,note\n+12125550100,"likes tea\n+12125550101,x\n+12125550102,y{end}')
    with pytest.raises(RowsFileError, match="begins in line 2 does not end") as caught:
        list(read_rows(file))
    assert "5550" not in str(caught.value)


def test_a_quoted_line_break_in_the_last_row_is_none_that_never_ends(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('phone_number,note\n+12125550100,"likes\ntea"')
    assert [row["note"] for row in read_rows(file)] == ["likes\ntea"]


@pytest.mark.parametrize("text", ["Zebulon +12125550100", "2125550100", "zeb@example.com", "(212) 555-0100"])
def test_a_person_in_place_of_a_path_is_not_repeated(text: str) -> None:
    with pytest.raises(RowsFileError, match=r"does not end in \.csv") as refused:
        list(read_rows(text))
    assert text not in str(refused.value)
    assert "5550100" not in str(refused.value)


@pytest.mark.parametrize("name", ["people", "/data/2026-06-01/12125550100", "s3://b/ann@example.com", "day_260601.xls"])
def test_a_name_without_a_known_ending_is_repeated(name: str) -> None:
    with pytest.raises(RowsFileError, match=r"does not end in \.csv") as refused:
        list(read_rows(name))
    assert name in str(refused.value)
