from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_truedy.contacts.preview import main

ROWS = "tel,name\n(212) 555-0100,Ann\n+12125550100,Ann\n4.4E+11,Bob\n212 555 0101,Cy\n1-800-356-9377,Dee\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return str(path)


def test_it_counts_by_reason_and_shows_masked_rows(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "--region", "US", "--phone", "tel"]) == 0
    out = capsys.readouterr().out
    # Airflow 3.0 logs to standard output, once it was imported.
    told = [line for line in out.splitlines() if not line.startswith("[")]
    assert [line.split(maxsplit=2)[:2] for line in told[:5]] == [
        ["5", "rows"],
        ["2", "contacts"],
        ["1", "duplicate"],
        ["1", "exponent"],
        ["1", "toll_free"],
    ]
    assert "row 2         +*********00             duplicate" in out
    assert "555" not in out
    assert "Ann" not in out


def test_a_number_that_is_no_text_is_shown_as_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    file = tmp_path / "rows.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"tel": [b"\xff1"]}), file)
    assert main([str(file), "--region", "US", "--phone", "tel"]) == 0
    assert "(empty)                  not_a_number" in capsys.readouterr().out


def test_options_reach_the_pipeline(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = tmp_path / "stop.txt"
    stop.write_text("+12125550101\n")
    arguments = [
        file,
        "--region",
        "US",
        "--phone",
        "tel",
        "--allow",
        "toll_free",
        "--suppress",
        str(stop),
        "--show",
        "0",
    ]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "2 contacts (40.0%)" in out
    assert "1 suppressed" in out
    assert "masked" not in out


def test_the_region_must_be_said(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([file])
    assert "--region --region-column --plus-only" in capsys.readouterr().err


def test_what_cannot_be_used_is_said_in_one_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "--plus-only"]) == 1
    assert capsys.readouterr().err.startswith("Cannot do that: No column ['phone_number']")
    assert main([file + ".none", "--plus-only", "--format", "csv"]) == 1
    assert "is not there" in capsys.readouterr().err


def test_it_runs_as_a_module_and_draws_no_progress_into_a_pipe(file: str) -> None:
    command = [sys.executable, "-m", "airflow_truedy.contacts", file, "--plus-only", "--phone", "tel"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert "1 contacts" in done.stdout
    assert done.stderr == ""


def test_a_terminal_shows_progress(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_text("tel\n" + "+12125550100\n" * 10_000)
    times = iter(range(10))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("airflow_truedy.contacts.preview.time.monotonic", lambda: float(2 * next(times)))
    assert main([file, "--plus-only", "--phone", "tel"]) == 0
    assert "5,000 rows, 2,500 a second" in capsys.readouterr().err


def test_a_do_not_call_list_has_a_region_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, stop = tmp_path / "rows.csv", tmp_path / "stop.txt"
    rows.write_text("tel,country\n(212) 555-0101,US\n020 7946 0101,GB\n")
    stop.write_text("020 7946 0101\n")
    arguments = [str(rows), "--region-column", "country", "--phone", "tel", "--suppress", str(stop)]
    assert main([*arguments, "--suppress-region", "GB"]) == 0
    assert "1 suppressed" in capsys.readouterr().out
