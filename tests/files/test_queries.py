from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_truedy.files.queries import ask, told_of


class RefusedError(Exception):
    pass


class DriverError(Exception):
    """What drivers add to an error is set by each test."""


def driver_error(message: str, **extra: Any) -> DriverError:
    error = DriverError(message)
    vars(error).update(extra)
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (driver_error('invalid input syntax for type bigint: "(212) 555-0100"', pgcode="22P02"), "DriverError 22P02"),
        (driver_error('column "Zebulon" does not exist\nLINE 3: x\n', sqlstate="42703"), "DriverError 42703, line 3"),
        (driver_error("no such column: Zebulon"), "DriverError: no such column"),
        (driver_error('near "Zebulon": syntax error', sqlite_errorname="SQLITE_ERROR"), "DriverError: syntax error"),
        (driver_error("Connection refused for Zebulon"), "DriverError: connection refused"),
        (driver_error("Zebulon", sqlstate="Zebulon, +12125550100"), "DriverError"),
        (driver_error("Zebulon", errno=1054), "DriverError 1054"),
        (driver_error("Zebulon", errno=12125550100), "DriverError"),
        (
            driver_error(
                "Key (phone)=(+12125550100) already exists",
                sqlstate="23505",
                diag=SimpleNamespace(table_name="people", column_name=None, constraint_name="people_pkey"),
            ),
            "DriverError 23505, table people, constraint people_pkey",
        ),
        (ValueError("Zebulon"), "ValueError"),
    ],
)
def test_an_error_is_told_by_kind_and_code_and_place_and_without_values(error: Exception, told: str) -> None:
    assert told_of(error) == told


def test_what_a_driver_says_is_nowhere_in_the_error_that_takes_its_place() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(RefusedError, match="OperationalError: no such column") as caught:
        ask(connection.execute, 'SELECT "x"."Zebulon"', refused=RefusedError)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_what_works_is_passed_on() -> None:
    assert ask(max, 1, 2, refused=RefusedError) == 2


@pytest.mark.parametrize(
    ("words", "sql", "told"),
    [
        ("no such table: poeple", "SELECT * FROM poeple", "DriverError: no such table (poeple)"),
        ("no such column: p.nmae", "SELECT p.nmae FROM people p", "DriverError: no such column (p.nmae)"),
        ('column "nmae" does not exist', "SELECT nmae FROM people", "DriverError (nmae)"),
        ("no such column: Zebulon", "SELECT 'Zebulon' FROM people", "DriverError: no such column"),
        ('bad value "Zebulon"', "SELECT 1 -- for Zebulon", "DriverError"),
        ('bad value "Zebulon"', "SELECT $x$ Zebulon $x$ /* Zebulon */", "DriverError"),
        ('bad value "it\'s Zebulon"', "SELECT 'it''s Zebulon', plan", "DriverError"),
        ("bad value 12125550100", "SELECT 12125550100", "DriverError"),
        ("conflict\nDETAIL: Zebulon", "SELECT Zebulon", "DriverError"),
    ],
)
def test_names_that_the_statement_holds_too_are_told(words: str, sql: str, told: str) -> None:
    assert told_of(driver_error(words), sql) == told
