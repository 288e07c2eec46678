from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.contacts.values import text_of
from airflow_truedy.files.errors import MissingFileError, RowsFileError
from airflow_truedy.files.reader import read_rows
from airflow_truedy.files.rows import BrokenRow, ReadOptions
from tests.contacts.prepared import prepared

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
    manifest = prepared(rows, tmp_path / "o.jsonl.gz", region=None)
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
    manifest = prepared(read_rows(file), tmp_path / "o.jsonl.gz", region=None)
    assert (manifest.rows_read, manifest.contacts, manifest.rejected) == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n+12125550100\n", "is empty"),
        (" \t\n+12125550100\n", "is empty"),
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
        list(read_rows(tmp_path / "rows.docx"))
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
    assert text_of(finer["at"]) == "1970-01-01T00:00:00.000001001"
    # With pandas, pyarrow has something that holds a nanosecond.
    if isinstance(broken, BrokenRow):
        assert broken == {"id": 3, "at": None}
    else:
        assert broken["took"].nanoseconds == 1


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(RowsFileError, match=r"needs pyarrow: pip install pyarrow \(.*\[parquet\]\)"):
        list(read_rows(write(tmp_path, "rows.parquet", b"PAR1")))


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


@pytest.mark.parametrize("name", ["people", "/data/2026-06-01/12125550100", "s3://b/ann@example.com", "day_260601.doc"])
def test_a_name_without_a_known_ending_is_repeated(name: str) -> None:
    with pytest.raises(RowsFileError, match=r"does not end in \.csv") as refused:
        list(read_rows(name))
    assert name in str(refused.value)


def write(tmp_path: Path, name: str, data: str | bytes) -> Path:
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return tmp_path / name


# Encodings


def test_one_odd_byte_in_a_file_of_utf_8_costs_its_row_and_no_accent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["phone_number,name", *(f"+1212555{i:04d},Zoë Łuk" for i in range(50))]
    data = "\n".join(lines).encode() + b"\n+12125559999,Zo\xeb\n+12125559998,J\xc3\xb8rn\n"
    *whole, broken, last = read_rows(write(tmp_path, "rows.csv", data))
    assert {row["name"] for row in whole} == {"Zoë Łuk"}
    assert type(broken) is BrokenRow
    assert last == {"phone_number": "+12125559998", "name": "Jørn"}
    assert "read as utf-8" in caplog.text


def test_an_odd_byte_among_as_many_accents_is_not_guessed_about(tmp_path: Path) -> None:
    data = "phone_number,name\n+12125550100,Zoë\n".encode() + b"+12125550101,Zo\xeb\n"
    assert [type(row) for row in read_rows(write(tmp_path, "rows.csv", data))] == [dict, BrokenRow]


def test_the_rejects_file_of_such_a_row_can_be_written(tmp_path: Path) -> None:
    data = "phone_number,name\n+12125550100,Zoë Łuk\n".encode() + b"+12125550101,Zo\xeb\n"
    rows = read_rows(write(tmp_path, "rows.csv", data))
    manifest = prepared(rows, tmp_path / "o.jsonl.gz", region=None)
    assert (manifest.contacts, manifest.rejected_by_reason) == (1, {"unreadable_row": 1})


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_chosen_encoding_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture, encoding: str) -> None:
    caplog.set_level("INFO")
    list(read_rows(write(tmp_path, "rows.csv", TEXT.encode(encoding))))
    assert f"rows.csv is read as {encoding}" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, encoding: str, ending: str) -> None:
    text = TEXT if ending == "csv" else '{"phone_number": "+12125550100"}\n'
    file = write(tmp_path, f"rows.{ending}", text.encode(encoding))
    with pytest.raises(RowsFileError, match=f"state encoding='{encoding}'"):
        list(read_rows(file))
    assert len(list(read_rows(file, encoding=encoding))) > 0


# What the name does not say


@pytest.mark.parametrize("name", ["rows.CSV.GZ", "rows.csv", "rows.Csv"])
def test_gzip_is_known_by_its_bytes_and_endings_in_any_case(tmp_path: Path, name: str) -> None:
    assert list(read_rows(write(tmp_path, name, gzip.compress(TEXT.encode())))) == ROWS


def test_a_file_called_gz_that_is_not_packed_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(RowsFileError, match="damaged"):
        list(read_rows(write(tmp_path, "rows.csv.gz", TEXT)))


@pytest.mark.parametrize("text", ['[{"phone_number": "+12125550100"}]', '\n[\n  {"phone_number": "+12125550100"}\n]\n'])
def test_a_json_array_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(RowsFileError, match=r"JSON array.*line of its own") as caught:
        list(read_rows(write(tmp_path, "rows.jsonl", text)))
    assert "5550100" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"PK\x03\x04\x14\x00", "Excel workbook; state format='excel'"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel workbook"),
        (b"PAR1\x15\x04", "Parquet file; state format='parquet'"),
        (b"%PDF-1.7\n", "PDF document; export"),
        (b"SQLite format 3\x00", "SQLite database"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd; unpack it"),
        (b"7z\xbc\xaf\x27\x1c\x00", "7-Zip archive"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "web page"),
        (b"<HTML><BODY>", "web page"),
        (b"<?xml version='1.0'?><a/>", "XML document"),
        (b"<Error><Code>AccessDenied</Code></Error>", "an error of an object store"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "pointer of Git LFS"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQ\n", "encrypted by PGP"),
        (b"\x01\x02\x03\x04 no line", "unknown binary file"),
        (b"ORC\n\x03\x00\x00\x00", "unknown binary file; write it as CSV"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_file_that_is_not_text_is_named(tmp_path: Path, first: bytes, what: str, kind: str) -> None:
    with pytest.raises(RowsFileError, match=what):
        list(read_rows(write(tmp_path, f"rows.{kind}", first)))


@pytest.mark.parametrize(
    "text",
    [
        '[{"phone_number": "+12125550100"}]',
        '[\n {"phone_number": "+12125550100"}\n]\n',
        '{"a": 1}',
        '\ufeff{"phone_number": "+12125550100"}\n{"phone_number": "+12125550101"}\n',
    ],
)
def test_json_called_csv_is_not_an_empty_list(tmp_path: Path, text: str) -> None:
    with pytest.raises(RowsFileError, match=r"it is JSON; state format='jsonl' if") as caught:
        list(read_rows(write(tmp_path, "rows.csv", text)))
    assert "5550100" not in str(caught.value)


def test_json_over_several_lines_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowsFileError, match="JSON over several lines"):
        list(read_rows(write(tmp_path, "rows.jsonl", '{\n  "phone_number": "+12125550100"\n}\n')))


@pytest.mark.parametrize("data", [b"", b"phone_number\n+12125550100\n"])
def test_what_does_not_begin_as_parquet_is_not_parquet(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RowsFileError, match="is not parquet: it does not begin with PAR1"):
        list(read_rows(write(tmp_path, "rows.parquet", data)))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_nul_costs_its_row_only(tmp_path: Path, kind: str) -> None:
    lines = ["a,b", "1,\x002", "3,4"] if kind == "csv" else ['{"a": "\x001"}', '{"a": "3"}']
    rows = list(read_rows(write(tmp_path, f"rows.{kind}", "\n".join(lines).encode())))
    assert [type(row) is BrokenRow for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nulls": "NULL"}, r"nulls='NULL' must be a list of texts"),
        ({"nulls": 5}, "nulls=5 must be a list"),
        ({"nulls": [None]}, r"nulls=\[None\] must be"),
        ({"encoding": 5}, "encoding=5 is not a text encoding"),
        ({"encoding": "base64"}, "encoding='base64' is not a text encoding"),
        ({"encoding": "utf\0"}, "is not a text encoding"),
        ({"delimiter": 5}, "delimiter=5 is not one character"),
        ({"delimiter": "tab"}, r"delimiter='tab' is not one character.* such as ';'"),
        ({"sheet": 0}, "sheet=0 is not the name of a sheet"),
        ({"sheet": ""}, "sheet='' is not the name of a sheet"),
    ],
)
def test_an_option_that_cannot_be_is_named_before_a_file_is_opened(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RowsFileError, match=message):
        ReadOptions(**options)


@pytest.mark.parametrize("nulls", [(), ["-"], frozenset({"-"})])
def test_texts_for_no_value_may_be_any_collection(tmp_path: Path, nulls: Any) -> None:
    (row,) = read_rows(write(tmp_path, "rows.csv", "phone_number,name\nNULL,-\n"), nulls=nulls)
    assert row == {"phone_number": "NULL", "name": "" if nulls else "-"}


# Cells of CSV files


@pytest.mark.parametrize(
    "header",
    [
        "balance_20261125",
        "2026-11-25",
        "paid until 2026/11/25",
        "Saldo_1234567",
        "01.11.2026",
        "11/25/26",
        "25-11-2026",
        "2026-11-25T10:00",
        "2026-11-25 10:00:00.5",
        "1.11.26 - 30.11.26",
        "paid (20261125)",
        "balance-20261125",
        "20261125_balance",
        "balance-2026-11-25",
        "balance/2026-11-25",
        "2026-11-25-balance",
        "20261125T100000",
    ],
)
def test_a_header_with_a_date_is_a_header(tmp_path: Path, header: str) -> None:
    (row,) = read_rows(write(tmp_path, "rows.csv", f"phone_number,{header}\n+12125550100,7\n"))
    assert row == {"phone_number": "+12125550100", header: "7"}


@pytest.mark.parametrize(
    "cell",
    [
        "20261125",
        "tel 917-555-0104",
        "2026-11-25 917-555-0104",
        "ann_1@example.com",
        "tel 20261125",
        "01-42-68-53-00",
        "01.12.20.26.11",
        "+1-20261125",
        "+1-2026-11-25",
        "0-2026-11-25",
    ],
)
def test_a_person_among_the_names_of_columns_is_still_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(RowsFileError, match="no header"):
        list(read_rows(write(tmp_path, "rows.csv", f"Ann,{cell}\nBob,7\n")))


@pytest.mark.parametrize("text", ["NULL", "null", "\\N", "nan", "NaN", "None", "NaT", "<NA>"])
def test_text_for_no_value_is_empty_unless_it_is_said_not_to_be(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, "rows.csv", f"phone_number,name\n+12125550100,{text}\n{text},Ann\n")
    assert [tuple(row.values()) for row in read_rows(file)] == [("+12125550100", ""), ("", "Ann")]
    assert next(read_rows(file, nulls=frozenset()))["name"] == text


@pytest.mark.parametrize("name", ["Null", "Nan", "Nonette", "NULL NULL"])
def test_a_name_that_resembles_it_is_a_name(tmp_path: Path, name: str) -> None:
    assert next(read_rows(write(tmp_path, "rows.csv", f"phone_number,name\n+12125550100,{name}\n")))["name"] == name


@pytest.mark.parametrize("behind", [",", ",,", ';"";'])
def test_a_delimiter_behind_the_last_cell_of_the_rows_only_is_accepted(tmp_path: Path, behind: str) -> None:
    delimiter = behind[0]
    text = f"phone_number{delimiter}name\n" + f"+12125550100{delimiter}Ann{behind}\n" * 2
    assert list(read_rows(write(tmp_path, "rows.csv", text))) == [{"phone_number": "+12125550100", "name": "Ann"}] * 2


def test_a_cell_that_is_too_long_refuses_its_row_and_changes_no_other_reader(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    long = "x" * 131_073
    file = write(tmp_path, "rows.csv", f"phone_number,note\n+12125550100,{long}\n+12125550101,{long[:-1]}\n")
    rows = read_rows(file)
    assert type(next(rows)) is BrokenRow
    assert csv.field_size_limit() == limit
    assert type(next(rows)) is dict
    assert next(read_rows(file, longest_cell=1 << 20))["note"] == long


def test_rows_between_two_stray_quotes_are_not_one_long_cell_of_one_person(tmp_path: Path) -> None:
    rows = "".join(f"+1212555{i:04d},Ann\n" for i in range(9_999))
    file = write(tmp_path, "rows.csv", f'phone_number,note\n+12125550000,"x\n{rows}+12125559999,y"\n')
    with pytest.raises(RowsFileError, match="begins in line 2 holds other rows"):
        list(read_rows(file))


# Folders and patterns


@pytest.mark.parametrize("given", ["parts", "parts/*.csv", "parts/part-0000[12].csv"])
def test_a_folder_or_pattern_is_read_as_one_in_the_order_of_names(tmp_path: Path, given: str) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, number in (("part-00002.csv", 2), ("part-00001.csv", 1), (".part-00001.csv.crc", 9), ("_SUCCESS", 9)):
        write(folder, name, f"phone_number,name\n+1212555010{number},Ann\n")
    assert [row["phone_number"] for row in read_rows(tmp_path / given)] == ["+12125550101", "+12125550102"]
    assert [row["phone_number"] for row in read_rows(str(tmp_path / given))] == ["+12125550101", "+12125550102"]


def test_a_folder_of_parquet_parts_may_be_called_like_a_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "people.parquet"
    folder.mkdir()
    for number in (1, 2):
        parquet.write_table(
            pyarrow.table({"phone_number": [f"+1212555010{number}"]}), folder / f"part-{number}.parquet"
        )
    assert [row["phone_number"] for row in read_rows(folder)] == ["+12125550101", "+12125550102"]


def test_parts_on_an_object_store_are_read_too() -> None:
    from upath import UPath

    folder = UPath("memory://parts/day=1")
    folder.mkdir(parents=True)
    for number in (2, 1):
        (folder / f"part-{number}.csv").write_text(f"phone_number\n+1212555010{number}\n")
    for given in (folder, folder / "*.csv"):
        assert [row["phone_number"] for row in read_rows(given)] == ["+12125550101", "+12125550102"]


def test_parts_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "phone_number,name\n+12125550100,Ann\n")
    write(tmp_path, "b.csv", "phone_number,mail\n+12125550100,\n")
    with pytest.raises(RowsFileError, match=r"b\.csv has other columns.*\['mail', 'name'\]"):
        list(read_rows(tmp_path))
    write(tmp_path, "c.jsonl", "{}\n")
    with pytest.raises(RowsFileError, match=r"several kinds \(csv, jsonl\)"):
        list(read_rows(tmp_path))
    with pytest.raises(MissingFileError, match="no files"):
        list(read_rows(tmp_path / "*.parquet"))


def test_a_broken_first_row_does_not_hide_that_a_part_has_other_columns(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "phone_number,name\n+12125550100\n+12125550101,Ann\n")
    write(tmp_path, "b.csv", "name,number\nBob\nBob,+12125550102\n")
    with pytest.raises(RowsFileError, match=r"b\.csv has other columns"):
        list(read_rows(tmp_path))


# Typed values


@pytest.mark.parametrize(("kind", "value"), [("date64", 10**17), ("duration", 10**15)])
def test_a_parquet_value_refuses_its_row_whichever_the_exception(tmp_path: Path, kind: str, value: int) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    to = pyarrow.date64() if kind == "date64" else pyarrow.duration("s")
    values = pyarrow.array([0, value], pyarrow.int64()).cast(to)
    table = pyarrow.table({"phone_number": ["+12125550100", "+12125550101"], "at": values})
    parquet.write_table(table, tmp_path / "rows.parquet")
    fine, other = read_rows(tmp_path / "rows.parquet")
    assert type(fine) is dict
    assert type(other) is BrokenRow


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"phone_number": ["+12125550100", "+12125550101"] * 50}), file)
    data = file.read_bytes()
    for start in (4, 40, len(data) // 2):
        file.write_bytes(data[:start] + b"\xff" * 30 + data[start + 30 :])
        with pytest.raises(RowsFileError, match=r"rows\.parquet cannot be read as Parquet: "):
            list(read_rows(file))


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """A workbook with a visible sheet of people and a hidden one, as small as the format allows."""
    import zipfile

    cells = (
        "<row><c t='inlineStr'><is><t>phone_number</t></is></c><c t='inlineStr'><is><t>name</t></is></c></row>"
        "<row><c><v>4917604069042</v></c><c t='inlineStr'><is><t>Zoë</t></is></c></row>"
        "<row><c t='inlineStr'><is><t></t></is></c></row>"
        "<row><c t='inlineStr'><is><t>030 23125 042</t></is></c><c><v>7.5</v></c></row>"
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheets = "".join(
        f"<sheet name='{name}' sheetId='{at}' {hidden} r:id='rId{at}'/>"
        for at, (name, hidden) in enumerate((("People", ""), ("Old", "state='hidden'")), 1)
    )
    files = {
        "[Content_Types].xml": f"<Types xmlns='{package}/content-types'><Default Extension='rels' ContentType="
        f"'application/vnd.openxmlformats-package.relationships+xml'/><Override PartName='/xl/workbook.xml' "
        f"ContentType='{kinds}.sheet.main+xml'/></Types>",
        "_rels/.rels": f"<Relationships xmlns='{package}/relationships'><Relationship Id='rId1' "
        f"Type='{relations}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{relations}'><sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{package}/relationships'>"
        + "".join(
            f"<Relationship Id='rId{at}' Type='{relations}/worksheet' Target='worksheets/sheet{at}.xml'/>"
            for at in (1, 2)
        )
        + "</Relationships>",
        **{
            f"xl/worksheets/sheet{at}.xml": f"<worksheet xmlns='{main}'><sheetData>{cells}</sheetData></worksheet>"
            for at in (1, 2)
        },
    }
    with zipfile.ZipFile(tmp_path / "people.xlsx", "w") as book:
        for name, text in files.items():
            book.writestr(name, text)
    return tmp_path / "people.xlsx"


def test_a_workbook_is_read(workbook: Path) -> None:
    pytest.importorskip("python_calamine")
    rows = [{"phone_number": 4917604069042, "name": "Zoë"}, {"phone_number": "030 23125 042", "name": 7.5}]
    assert list(read_rows(workbook)) == rows
    assert [type(row["phone_number"]) for row in read_rows(workbook)] == [int, str]  # a float in Excel
    assert list(read_rows(workbook, sheet="Old")) == rows
    with pytest.raises(RowsFileError, match=r"no sheet 'Nobody'; it has \['People', 'Old'\]"):
        list(read_rows(workbook, sheet="Nobody"))
    with pytest.raises(RowsFileError, match="Excel workbook: "):
        list(read_rows(write(workbook.parent, "damaged.xlsx", workbook.read_bytes()[:200])))
    with pytest.raises(RowsFileError, match=r"is not csv: it is.*state format='excel'"):
        list(read_rows(workbook, format="csv"))


def test_a_workbook_without_the_library_says_what_to_install(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    with pytest.raises(RowsFileError, match=r"python-calamine: pip install python-calamine \(.*\[excel\]\)"):
        list(read_rows(workbook))
