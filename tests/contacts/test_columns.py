from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from airflow_truedy.contacts.columns import OTHERS, Columns
from airflow_truedy.contacts.reasons import Reason

NESTED_TOO_DEEP: list[object] = []
for _ in range(20_000):
    NESTED_TOO_DEEP = [NESTED_TOO_DEEP]


def test_only_what_is_mapped_is_sent() -> None:
    columns = Columns("tel", first_name="given", last_name="family", email="mail", custom_fields=["plan"])
    row = {"tel": "1", "given": " Ann ", "family": "", "mail": "ann@example.com", "plan": None, "secret": "x"}
    assert columns.reader()(row) == {"first_name": "Ann", "email": "ann@example.com"}


def test_custom_fields_may_be_renamed() -> None:
    columns = Columns(custom_fields={"tier": "plan_code", "age": "years"})
    assert columns.reader()({"plan_code": "gold", "years": 40}) == {"custom_fields": {"age": "40", "tier": "gold"}}


def test_every_other_column_may_become_a_custom_field() -> None:
    columns = Columns("tel", first_name="given", custom_fields=OTHERS)
    assert columns.reader()({"tel": "1", "given": "Ann", "b": "2", "a": "1"}) == {
        "first_name": "Ann",
        "custom_fields": {"a": "1", "b": "2"},
    }


def test_a_full_name_is_passed_on_whole() -> None:
    assert Columns(full_name="name").reader()({"name": "Ann van der Li"}) == {"first_name": "Ann van der Li"}
    with pytest.raises(ValueError, match="full_name"):
        Columns(full_name="name", last_name="family")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
        (Decimal("10.50"), "10.50"),
        (date(2026, 4, 1), "2026-04-01"),
        (datetime(2026, 4, 1, 9, tzinfo=timezone.utc), "2026-04-01T09:00:00+00:00"),
        (["a", "é"], '["a", "é"]'),
        ({"a": 1}, '{"a": 1}'),
        (
            {"a": [datetime(2026, 4, 1), Decimal("1.10"), float("nan"), None, True]},
            '{"a": ["2026-04-01T00:00:00", "1.10", null, null, true]}',
        ),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("1E+3"), "1000"),
        (1e-05, "0.00001"),
        (1e300, "1e+300"),
    ],
)
def test_values_become_text(value: object, text: str) -> None:
    assert Columns(custom_fields=["v"]).reader()({"v": value}) == {"custom_fields": {"v": text}}


class NaTType:
    """As pandas names the type of its NaT; there is no pandas here."""


@pytest.mark.parametrize("value", [None, float("nan"), Decimal("NaN"), Decimal("sNaN"), NaTType(), " "])
def test_what_stands_for_no_value_is_empty(value: object) -> None:
    columns = Columns(first_name="v", last_name="v", custom_fields=["v"])
    assert columns.reader()({"v": value}) == {}
    assert Columns(required=["v"]).reader()({"v": value}) is Reason.MISSING_VALUE


def test_a_required_column_is_sent_like_every_other() -> None:
    columns = Columns(email="mail", custom_fields=OTHERS, required=["plan", "mail"])
    assert columns.reader()({"phone_number": "1", "mail": "ann@example.com", "plan": "gold"}) == {
        "email": "ann@example.com",
        "custom_fields": {"plan": "gold"},
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "x" * 101, "mail": "", "id": "1"}, Reason.NAME_TOO_LONG),
        ({"name": "x" * 100, "mail": "nobody", "id": "1"}, Reason.BAD_EMAIL),
        ({"name": "Ann", "mail": "a@b", "id": "1"}, Reason.BAD_EMAIL),
        ({"name": "Ann", "mail": "a b@example.com", "id": "1"}, Reason.BAD_EMAIL),
        ({"name": "Ann", "mail": f"{'a' * 250}@example.com", "id": "1"}, Reason.BAD_EMAIL),
        ({"name": "Ann", "mail": "", "id": " "}, Reason.MISSING_VALUE),
        ({"name": "Ann", "mail": "", "id": None}, Reason.MISSING_VALUE),
        ({"name": b"Ann", "mail": "", "id": "1"}, Reason.UNREADABLE_TEXT),
        ({"name": {"a": b"Ann"}, "mail": "", "id": "1"}, Reason.UNREADABLE_TEXT),
        ({"name": NESTED_TOO_DEEP, "mail": "", "id": "1"}, Reason.UNREADABLE_TEXT),
    ],
)
def test_rows_that_the_api_would_not_take_are_refused(row: dict[str, object], reason: Reason) -> None:
    assert Columns(first_name="name", email="mail", required="id").reader()(row) is reason
