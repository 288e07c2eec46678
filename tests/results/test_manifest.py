from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_truedy.campaigns.timing import instant_of
from airflow_truedy.results.columns import COLUMNS, Contacted, Details, ResultsError
from airflow_truedy.results.manifest import check_name, read_results, write_results
from airflow_truedy.results.staging import Staging

NAMES = ["results.jsonl", "results.jsonl.gz", "results.csv", "results.csv.gz", "results.parquet"]


@pytest.fixture
def staging() -> Any:
    with Staging() as made:
        made.add(
            Contacted(
                f"ctc_{i}",
                f"+121255501{i:02d}",
                'Ann "Q", Å' if i else None,
                "completed" if i else "pending",
                f"call_{i}" if i else None,
                instant_of("2026-06-01T13:15:00.25Z", None) if i else None,
            )
            for i in range(12)
        )
        made.want_details(of_unended=False, transcripts=True)
        for i in range(1, 12):
            made.set_details(f"call_{i}", _call(f"call_{i}", i), Details.COMPLETE)
            made.set_transcript(
                f"call_{i}", json.dumps([{"speaker": "agent", "text": "Hello,\nÅnn", "timestamp": 1.0}])
            )
        yield made


def _call(call_id: str, seconds: int) -> Any:
    from airflow_truedy.api.models import Call

    values = {"id": call_id, "status": "completed", "duration_seconds": seconds, "cost_credits": 2, "summary": "Fine."}
    return Call.model_validate(values)


@pytest.mark.parametrize("name", NAMES)
def test_rows_come_back_as_they_were_written(staging: Staging, tmp_path: Path, name: str) -> None:
    write_results(staging, "batch_1", tmp_path / name)
    rows = list(read_results(tmp_path / name))
    assert list(rows[0]) == list(COLUMNS)
    assert (rows[0]["call_id"], rows[0]["first_name"], rows[0]["transcript"]) == (None, None, None)
    last = rows[11]
    assert (last["batch_call_id"], last["contact_id"], last["first_name"]) == ("batch_1", "ctc_11", 'Ann "Q", Å')
    assert (last["duration_seconds"], last["cost_credits"], last["details"]) == (11, 2, "complete")
    assert last["called_at"] == "2026-06-01T13:15:00.250000Z"
    transcript = last["transcript"]
    assert (json.loads(transcript) if isinstance(transcript, str) else transcript)[0]["text"] == "Hello,\nÅnn"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_give_the_same_bytes_and_their_digest(staging: Staging, tmp_path: Path, name: str) -> None:
    import hashlib

    first = write_results(staging, "batch_1", tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert write_results(staging, "batch_1", tmp_path / name) == first
    assert (first["sha256"], first["size"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_a_file_that_cannot_be_finished_leaves_the_earlier_one(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "results.jsonl"
    write_results(staging, "batch_1", to)
    before = to.read_bytes()

    def broken(**_: Any) -> Any:
        yield from list(Staging.rows(staging))[:3]
        raise OSError("disk full")

    monkeypatch.setattr(staging, "rows", broken)
    with pytest.raises(OSError, match="disk full"):
        write_results(staging, "batch_1", to)
    assert to.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


@pytest.mark.parametrize("name", ["results.txt", "results", "results.parquet.gz"])
def test_a_name_that_says_no_format_is_refused(name: str) -> None:
    with pytest.raises(ResultsError, match=r"\.jsonl, \.csv"):
        check_name(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_long_talk_comes_back_and_no_other_reader_of_csv_is_changed(
    staging: Staging, tmp_path: Path, name: str
) -> None:
    talk = json.dumps([{"speaker": "agent", "text": "word " * 40_000}])
    staging.set_transcript("call_3", talk)
    write_results(staging, "batch_1", tmp_path / name)
    limit = csv.field_size_limit()
    rows = read_results(tmp_path / name)
    first = next(rows)
    assert csv.field_size_limit() == limit
    transcripts = [row["transcript"] for row in (first, *rows)]
    assert talk in transcripts or json.loads(talk) in transcripts
    assert csv.field_size_limit() == limit


def test_a_file_of_something_else_is_no_results(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"phone_number": "+12125550100"}\n')
    with pytest.raises(ResultsError, match="not a results file") as caught:
        list(read_results(tmp_path / "other.jsonl"))
    assert "5550100" not in str(caught.value)
    with pytest.raises(ResultsError, match="not there"):
        list(read_results(tmp_path / "gone.jsonl"))


@pytest.mark.parametrize(("cell", "flag"), [("true", True), ("FALSE", False), ("", None)])
def test_a_flag_is_read_as_csv_or_a_spreadsheet_writes_it(tmp_path: Path, cell: str, flag: bool | None) -> None:
    path = tmp_path / "results.csv"
    path.write_text(f"batch_call_id,contact_id,call_status,outside_hours\nb,c,busy,{cell}\n", encoding="utf-8")
    (row,) = read_results(path)
    assert row["outside_hours"] is flag


def test_a_flag_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("batch_call_id,contact_id,call_status,outside_hours\nb,c,busy,maybe\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="row 1 has no usable outside_hours"):
        list(read_results(path))
