"""``truedy-calling-hours``: the table, and one number explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_truedy.calling_hours.command import as_markdown, main
from airflow_truedy.calling_hours.rules import RuleSet
from tests.documents import blocks

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "calling-hours.md"


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(arguments)
    return capsys.readouterr().out


def test_the_table_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    told = output(capsys)
    assert all(f"\n{rule.id} " in told for rule in RuleSet.shipped().rules)
    assert "Not legal advice" in told


def test_a_number_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    told = output(capsys, "+1 (850) 555-0104", "--at", "2026-11-25T21:00-05:00")
    assert told.splitlines() == [
        "+1850*****04",
        "  where    Florida by area code; America/New_York or America/Chicago",
        "  window   09:00-20:00 America/New_York, Mon-Sun",
        "  because  us: 08:00-21:00. 47 CFR 64.1200(c)(1), looked up 2026-11-25",
        "           us-fl: 08:00-20:00. Fla. Stat. 501.616(6), looked up 2026-11-25",
        "  at most  3 in 24 hours per subject (not counted here)",
        "  now      may not be called; next from Thu 2026-11-26 09:00 EST (2026-11-26T14:00Z)",
    ]


def test_the_next_time_passes_over_holidays_and_sundays(capsys: pytest.CaptureFixture[str]) -> None:
    told = output(capsys, "+12055550104", "--at", "2026-12-24T20:00-06:00", "--margin", "15")
    assert "not on   2026-12-25, 2027-01-01, 2027-01-18" in told
    assert "next from Sat 2026-12-26 08:15 CST" in told
    assert "now      may be called" in output(capsys, "+12055550104", "--at", "2026-12-26T12:00-06:00")


def test_the_number_is_masked_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for number, masked in (("+18505550104", "+1850*****04"), ("+33612345678", "+33*******78")):
        assert number not in output(capsys, number)
        assert masked in output(capsys, number)
        assert number in output(capsys, number, "--show-number")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["+18005550104"], 1, "unknown_place"),
        (["+4915112345678"], 1, "no_calling_rules"),
        (["8505550104"], 2, "must begin with +"),
        (["+18505550104", "--at", "tomorrow"], 2, "--at 'tomorrow'"),
        (["+18505550104", "--at", "2026-11-25T10:00"], 2, "needs an offset"),
        (["+18505550104", "--rules", "/nowhere.json"], 2, "/nowhere.json"),
        (["--earliest", "9"], 2, "earliest='9'"),
    ],
)
def test_what_cannot_be_answered_has_an_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert main(arguments) == code
    written = capsys.readouterr()
    assert told in written.out + written.err
    assert "5550104" not in written.out + written.err


def test_the_commands_of_the_document_run() -> None:
    (text,) = blocks(DOCUMENT, "bash")
    for line in text.splitlines():
        command = line.replace("python", sys.executable, 1)
        subprocess.run(command, shell=True, cwd=ROOT, check=True, capture_output=True)


def test_the_tables_of_the_document_are_current() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = text.partition("<!-- rules -->\n")[2].partition("\n<!-- end of rules -->")[0]
    assert tables == as_markdown(RuleSet.shipped()), "run: python -m airflow_truedy.calling_hours --markdown"


def test_the_examples_of_the_document_can_be_used() -> None:
    for text in blocks(DOCUMENT, "python"):
        exec(text, {})
