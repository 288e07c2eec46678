from __future__ import annotations

import csv
import random
from decimal import Decimal
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_truedy.contacts import numbers
from airflow_truedy.contacts.numbering_plans import shortcut
from airflow_truedy.contacts.numbers import normaliser
from airflow_truedy.contacts.reasons import ALLOWABLE, Reason

#: Cells with their verdicts: libphonenumber's example numbers in national, international and dirty
#: spellings, and damage. Looked through by hand; the verdicts are data.
with (Path(__file__).parent / "corpus.csv").open(encoding="utf-8", newline="") as file:
    CORPUS = list(csv.DictReader(file))
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
PEOPLE = {
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    phonenumbers.PhoneNumberType.VOIP,
}


def verdict(cell: object, region: str | None, allow: frozenset[Reason] = frozenset()) -> str:
    result = normaliser(allow)(cell, region)
    return result.value if isinstance(result, Reason) else result


def test_the_corpus_is_large_and_wide() -> None:
    assert len(CORPUS) >= 300
    assert len({row["region"] for row in CORPUS}) >= 40
    numbers = {row["expected"] for row in CORPUS if row["expected"].startswith("+")}
    refused = {row["expected"] for row in CORPUS if not row["expected"].startswith("+")}
    assert len({phonenumbers.parse(number).country_code for number in numbers}) >= 40
    of_numbers = {reason for reason in Reason if reason.name not in NOT_OF_NUMBERS}
    assert {reason.value for reason in of_numbers} - refused <= {"wrong_length"}


NOT_OF_NUMBERS = {
    "REGION_MISSING",
    "REGION_UNKNOWN",
    "UNREADABLE_ROW",
    "UNREADABLE_TEXT",
    "NAME_TOO_LONG",
    "BAD_EMAIL",
    "MISSING_VALUE",
    "NO_CONSENT",
    "CONSENT_EXPIRED",
    "UNKNOWN_PLACE",
    "NO_CALLING_RULES",
    "NO_CALLING_HOURS",
    "DUPLICATE",
    "SUPPRESSED",
    "IN_ANOTHER_PART",
}


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: f"{row['region'] or 'any'}: {row['note']}")
def test_the_corpus_gets_its_verdicts(row: dict[str, str]) -> None:
    assert verdict(row["cell"], row["region"] or None) == row["expected"]


@given(row=st.sampled_from(CORPUS), region=st.sampled_from([None, *REGIONS]))
def test_normalising_twice_changes_nothing_in_whatever_region(row: dict[str, str], region: str | None) -> None:
    once = verdict(row["cell"], row["region"] or None)
    if once.startswith("+"):
        assert verdict(once, region) == once


@given(
    cell=st.text() | st.from_regex(r"[+(]?[0-9 ().x/-]{5,20}", fullmatch=True),
    region=st.sampled_from([None, "US", "DE", "IT"]),
)
def test_any_text_gets_a_verdict_that_stays(cell: str, region: str | None) -> None:
    once = verdict(cell, region)
    if once not in set(Reason):
        assert once[0] == "+"
        assert 2 <= len(once[1:]) <= 15
        assert phonenumbers.is_valid_number(phonenumbers.parse(once))
        assert verdict(once, None) == once


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (12015550123, "+12015550123"),
        (2015550123, "+12015550123"),
        (Decimal("2015550123"), "+12015550123"),
        (Decimal("2015550123.0"), "decimal_tail"),
        (Decimal("2.01E+9"), "exponent"),
        (2015550123.0, "+12015550123"),
        (2.01e9, "not_valid"),
        (2015550123.5, "decimal_tail"),
        (float(2**53), "decimal_tail"),
        (float("inf"), "decimal_tail"),
        (float("nan"), "empty"),
        (Decimal("NaN"), "empty"),
        (Decimal("sNaN"), "empty"),
        (None, "empty"),
        (True, "not_a_number"),
        (b"2015550123", "not_a_number"),
        (["2015550123"], "not_a_number"),
        (-2015550123, "not_a_number"),
        ("-2015550123", "not_a_number"),
        (Decimal("-2015550123"), "not_a_number"),
        pytest.param(10**5_000, "too_long", id="5,001 digits"),
    ],
)
def test_values_as_databases_give_them(cell: object, expected: str) -> None:
    assert verdict(cell, "US") == expected


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("Tel2 030 1234567", "DE"),
        ("Line 2 030 1234567", "DE"),
        ("Line 2 30 1234567", "DE"),
        ("Phone 1 - 030 1234567", "DE"),
        ("#1 030 1234567", "DE"),
        ("2. 030 1234567", "DE"),
        ("2) 030 1234567", "DE"),
        ("(2) 030 1234567", "DE"),
        ("12. 030 1234567", "DE"),
        ("2.030 1234567", "DE"),
        ("2. 30 1234567", "DE"),
        ("2. 06 12345678", "IT"),
        ("030 1234567 [5]", "DE"),
        ("030 1234567 (5)", "DE"),
        ("+49 30 1234567 (5)", None),
        ("030 1234567 * 5", "DE"),
        ("030 1234567 ~ 5", "DE"),
    ],
)
def test_a_digit_of_a_label_never_becomes_one_of_the_number(cell: str, region: str | None) -> None:
    assert verdict(cell, region) == "several_numbers"
    assert verdict(cell, region, ALLOWABLE) == "several_numbers"


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("+49 (0)30 1234567", None, "+49301234567"),
        ("+49 [0]30 1234567", None, "+49301234567"),
        ("Tel. 030 / 1234567", "DE", "+49301234567"),
        ("Tel 0 30 1234567", "DE", "+49301234567"),
        ("0 30 1234567", "DE", "+49301234567"),
        ("030.1234567", "DE", "+49301234567"),
        ("030 1234567-5", "DE", "+493012345675"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("(212) 555 (0100)", "US", "+12125550100"),
        ("1-212-555-0100", "US", "+12125550100"),
        ("1 (212) 555-0100", "US", "+12125550100"),
        ("212.555.0100", "US", "+12125550100"),
        ("1.212.555.0100", "US", "+12125550100"),
        ("Phone 1 (212) 555-0100", "US", "+12125550100"),
        ("1) 212-555-0100", "US", "+12125550100"),
        ("- 212-555-0100", "US", "+12125550100"),
        ("T: 06 12 34 56 78", "FR", "+33612345678"),
        ("Tel. 8 (301) 123-45-67", "RU", "+73011234567"),
        ("(2) 2123 4567", "CL", "+56221234567"),
        ("(1) 5887766", "AT", "+4315887766"),
        ("Tel: 06 12345678", "IT", "+390612345678"),
        ("Tel: 39 06 12345678", "IT", "+390612345678"),
        ("m.0171 1234567", "DE", "+491711234567"),
    ],
)
def test_ordinary_notations_are_taken(cell: str, region: str | None, expected: str) -> None:
    assert verdict(cell, region) == expected


@pytest.mark.parametrize("cell", ["1" * 100_000, "1 2" * 50_000, "x1" * 50_000, "\u0301" * 100_000])
def test_a_cell_longer_than_any_number_is_not_looked_at(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(numbers, "damage", looked.append)
    assert verdict(cell, "US") == "too_long"
    assert looked == []
    monkeypatch.undo()
    assert verdict("\xa0" * 100_000, "US") == "empty"


@pytest.mark.parametrize("reason", sorted(ALLOWABLE, key=str))
def test_each_refused_kind_can_be_allowed_alone(reason: Reason) -> None:
    row = next(row for row in CORPUS if row["expected"] == reason.value)
    allowed = verdict(row["cell"], row["region"] or None, frozenset({reason}))
    others = ALLOWABLE - {reason}
    assert allowed.startswith("+")
    assert verdict(row["cell"], row["region"] or None, others) == reason.value
    assert verdict(row["cell"], row["region"] or None, ALLOWABLE) == allowed


def test_an_allowed_extension_is_dropped() -> None:
    assert verdict("201 555 0123 ext 3", "US", frozenset({Reason.EXTENSION})) == "+12015550123"


def test_every_reason_is_explained() -> None:
    assert all(reason.explanation and reason.advice for reason in Reason)


def by_libphonenumber(digits: str, region: str | None) -> str | None:
    """The verdict without the shortcut, in the library's own words."""
    try:
        number = phonenumbers.parse(digits, None if digits.startswith("+") else region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.number_type(number) not in PEOPLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@st.composite
def nearly_a_number(draw: st.DrawFn) -> tuple[str, str]:
    """An example number of some region, changed a little, as it may be written there or from abroad."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([0, 1, 3, 4, 6, 7]))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    digits = list(phonenumbers.national_significant_number(example))
    for _ in range(draw(st.integers(0, 5))):
        digits[draw(st.integers(0, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    nsn = "".join(digits[draw(st.sampled_from([0, 0, 0, 1])) :])
    code = str(example.country_code)
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    written = draw(
        st.sampled_from([nsn, trunk + nsn, f"+{code}{nsn}", code + nsn, f"+{code}{trunk}{nsn}", f"00{code}{nsn}"])
    )
    return written, draw(st.sampled_from([region, region, "US", "GB"]))


@settings(max_examples=2_000)
@given(nearly_a_number())
def test_the_shortcut_says_what_libphonenumber_says_or_nothing(case: tuple[str, str]) -> None:
    digits, region = case
    short = shortcut(digits, region)
    assert short is None or short == by_libphonenumber(digits, region)


@pytest.mark.parametrize("region", REGIONS)
def test_the_shortcut_is_right_in_every_region(region: str) -> None:
    chance = random.Random(region)
    code = str(phonenumbers.country_code_for_region(region))
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    for kind in range(8):
        example = phonenumbers.example_number_for_type(region, kind)
        for _ in range(10 if example else 0):
            digits = list(phonenumbers.national_significant_number(example))
            for at in chance.sample(range(len(digits)), k=min(3, len(digits))):
                digits[at] = chance.choice("0123456789")
            nsn = "".join(digits)
            for text in (nsn, trunk + nsn, code + nsn, f"+{code}{nsn}", f"00{code}{nsn}", nsn[1:], nsn + "0"):
                short = shortcut(text, region)
                assert short is None or short == by_libphonenumber(text, region), text


@pytest.mark.parametrize("region", REGIONS)
def test_the_shortcut_knows_the_example_numbers_of_every_region(region: str) -> None:
    example = phonenumbers.example_number(region)
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    if phonenumbers.number_type(example) in PEOPLE:
        assert shortcut(e164, None) in (e164, None)
        assert verdict(e164, None) == e164


def test_the_shortcut_is_taken_by_most_countries() -> None:
    examples = [phonenumbers.example_number_for_type(region, 1) for region in REGIONS]
    numbers = [phonenumbers.format_number(number, 0) for number in examples if number]
    taken = sum(shortcut(number, None) == number for number in numbers)
    assert taken > 0.8 * len(numbers)
