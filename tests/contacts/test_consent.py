"""Consent that rows show: which of it is relied on, and what is kept."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import time_machine

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.consent import Consent
from airflow_truedy.contacts.contacts_file import line_of, split_line, with_consent
from airflow_truedy.contacts.errors import MissingColumnError
from airflow_truedy.contacts.lists import ContactList
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.rules import ContactRules
from tests.contacts.prepared import prepared

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
MONTH = timedelta(days=30)


def verdict(cell: Any, scope: Any = None, **options: Any) -> Any:
    found = Consent("at", **options).reader(NOW)({"at": cell, "scope": scope})
    return found if isinstance(found, Reason) else json.loads(found)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-01",
        " 2026-11-25 ",
        date(2026, 11, 1),
        datetime(2026, 11, 1, 9, 30),
        datetime(2026, 11, 1, 9, 30, 5, 123, tzinfo=timezone.utc),
        "2026-11-01T09:30:00Z",
        "2026-11-01 09:30:00.123456+00",
        "2026-11-01 09:30:00.123 UTC",
        "2026-11-01T09:30-0500",
        "2026-10-26T12:00:00Z",
        "2026-11-25T12:04:00Z",
    ],
)
def test_a_date_in_one_form_is_consent_and_is_kept_as_it_is(cell: Any) -> None:
    text = cell.isoformat() if isinstance(cell, date) else cell.strip()
    assert verdict(cell, max_age=MONTH) == {"given_at": text, "scope": ""}


@pytest.mark.parametrize(
    "cell",
    [
        None,
        "",
        "NaT",
        float("nan"),
        "yes",
        True,
        1764000000,
        Decimal("20261101"),
        "03/04/2026",
        "20261101",
        "2026-13-01",
        "2026-02-30",
        "2026-11-01T25:00",
        "2026-W10-1",
        "2026-11",
        "0001-01-01",
        "2026-11-25T12:06:00Z",
        "2027-01-01",
        b"2026-11-01",
        "2026-11-01, by phone",
    ],
)
def test_anything_else_is_no_consent(cell: Any) -> None:
    assert verdict(cell) is Reason.NO_CONSENT


@pytest.mark.parametrize(
    ("cell", "is_taken"),
    [
        ("2026-10-26T12:00:00Z", True),
        ("2026-10-26T11:59:59Z", False),
        ("2026-10-26T07:00:00-05:00", True),
        ("2026-10-26T06:59:59-05:00", False),
        ("2026-10-27T02:00:00", True),  # in Kiribati it was the 26th, 12:00 UTC
        ("2026-10-27T01:59:59", False),
        ("2026-10-28", True),
        ("2026-10-27", False),
    ],
)
def test_a_consent_that_may_be_older_than_allowed_is_expired(cell: str, is_taken: bool) -> None:
    found = verdict(cell, max_age=MONTH)
    assert (found is not Reason.CONSENT_EXPIRED) is is_taken


def test_a_scope_must_be_stated_and_cover_the_campaign() -> None:
    assert verdict("2026-11-01", "sms", scope_column="scope") == {"given_at": "2026-11-01", "scope": "sms"}
    assert verdict("2026-11-01", " ", scope_column="scope") is Reason.NO_CONSENT
    options = {"scope_column": "scope", "scopes": ["AI calls", "all"]}
    assert verdict("2026-11-01", "ai CALLS ", **options) == {"given_at": "2026-11-01", "scope": "ai CALLS"}
    assert verdict("2026-11-01", "sms", **options) is Reason.NO_CONSENT


@pytest.mark.parametrize(
    "options",
    [
        {"scopes": ["a"]},
        {"max_age": timedelta(0)},
        {"max_age": 30},
        {"scope_column": 5},
        {"scope_column": "scope", "scopes": 5},
        {"scope_column": "scope", "scopes": [5]},
    ],
)
def test_a_consent_that_makes_no_sense_is_refused_at_once(options: Any) -> None:
    with pytest.raises(ValueError, match="Consent: "):
        Consent("at", **options)


ROWS = [
    {"phone_number": "+12125550100", "id": 'k"1', "consent_at": "2026-11-01", "said": 'calls, "yes"', "name": "Ann"},
    {"phone_number": "+12125550101", "id": "k2", "consent_at": None, "said": "calls", "name": "Bob"},
    {"phone_number": "+12125550102", "id": "k3", "consent_at": "2020-11-01", "said": "calls", "name": "Cy"},
    {"phone_number": "+12125550100", "id": "k4", "consent_at": None, "said": "", "name": "Ann"},
    {"phone_number": "+12125550103", "id": "", "consent_at": "2026-11-02", "said": "all", "name": "Zoë"},
]


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "contacts.jsonl.gz"


def made(to: Path, rows: Any = ROWS, **options: Any) -> Any:
    columns = Columns(first_name="name", contact_key="id", custom_fields=["said"])
    consent = Consent("Consent_At", max_age=MONTH, scope_column="said")
    with time_machine.travel(NOW, tick=False):
        return prepared(rows, to, region=None, columns=columns, **{"consent": consent, **options})


def test_what_is_relied_on_is_kept_in_the_contacts_file_and_its_digest_in_the_manifest(to: Path) -> None:
    manifest = made(to)
    assert manifest.rejected_by_reason == {"consent_expired": 1, "no_consent": 1}
    assert manifest.duplicates == 1
    lines = gzip.decompress(to.read_bytes()).decode().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [each.pop("consent") for each in kept] == [
        {"given_at": "2026-11-01", "scope": 'calls, "yes"'},
        {"given_at": "2026-11-02", "scope": "all"},
    ]
    assert [each.get("contact_key", "") for each in kept] == ['k"1', ""]
    bare = [line.replace(',"contact_key":"k\\"1"', "") for line in lines]
    digest = sha256("".join(f"{line}\n" for line in bare).encode()).hexdigest()
    expected = {"column": "consent_at", "scope_column": "said", "max_age_days": 30.0, "sha256": digest}
    assert manifest.consent == expected


def test_neither_consent_nor_key_is_sent_or_changes_the_fingerprint(to: Path) -> None:
    with_it = made(to)
    contacts = list(ContactList.from_manifest(with_it))
    assert [set(each) for each in contacts] == [{"phone_number", "first_name", "custom_fields"}] * 2
    assert [key for _, key in ContactList.from_manifest(with_it).entries()] == ['k"1', ""]
    without = made(to.with_name("o.jsonl.gz"), rows=[ROWS[0], ROWS[4]], consent=None)
    assert with_it.fingerprint == without.fingerprint
    assert without.consent is None


def test_another_consent_has_another_digest(to: Path) -> None:
    first = made(to).consent["sha256"]
    changed = [{**ROWS[0], "consent_at": "2026-11-03"}, ROWS[4]]
    assert made(to, rows=changed).consent["sha256"] != first
    assert made(to, rows=[ROWS[0], ROWS[4]]).consent["sha256"] == first


def test_a_custom_field_that_is_named_consent_is_no_consent_of_ours() -> None:
    line = line_of({"phone_number": "+12125550100", "custom_fields": {"consent": ',"consent":{', "z": "1"}}, "k")
    assert split_line(line) == (line_of(json.loads(line[: line.rindex(b',"contact_key"')] + b"}")), "k")
    kept = with_consent(line, b'{"given_at":"2026-11-01","scope":""}')
    assert split_line(kept) == split_line(line)


def test_a_column_of_consent_must_exist() -> None:
    with pytest.raises(MissingColumnError, match=r"\['consent_at'\]"):
        ContactRules(region="US", consent=Consent("consent_at")).found_in(["phone_number"])
    with pytest.raises(ValueError, match="consent= takes a Consent, not str"):
        ContactRules(region="US", consent="consent_at")  # type: ignore[arg-type]
