"""Cells that may be read as somebody else's number: each is taken as the one it means, or refused."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from airflow_truedy.contacts.errors import UnreadableSuppressionError
from airflow_truedy.contacts.numbers import normaliser
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.suppression import Suppression, suppressed_numbers
from tests.contacts.prepared import prepared

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def verdict(cell: object, region: str | None) -> str:
    result = normaliser()(cell, region)
    return result.value if isinstance(result, Reason) else result


def is_held_back(cell: object, region: str | None, number: str) -> bool | str:
    """Whether a list with only this cell holds a number back, or why the list is refused."""
    try:
        suppressed = suppressed_numbers(Suppression([cell], region=region))
    except UnreadableSuppressionError as error:
        return str(error)
    assert suppressed is not None
    return suppressed.holds(int(number[1:]))


# The own country code without plus


@pytest.mark.parametrize(
    "cell",
    [
        "4917604069042",
        4917604069042,
        Decimal("4917604069042"),
        4917604069042.0,
        " 49 176 04069042",
        "49-176-04069042",
        "(49) 176 04069042",
        "Tel. 49 176 04069042",
        "49 (176) 04069042",
        "49176/04069042",
    ],
)
def test_a_number_with_and_without_its_country_code_is_nobodys(cell: object) -> None:
    assert verdict(cell, "DE") == "ambiguous"
    assert "'ambiguous': 1" in str(is_held_back(cell, "DE", "+4917604069042"))


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("436641234567", "AT", "+436641234567"),
        ("3931234567", "IT", "+393931234567"),
        ("390612345678", "IT", "+390612345678"),
        ("33612345678", "FR", "+33612345678"),
        ("447911123456", "GB", "+447911123456"),
        ("12125550100", "US", "+12125550100"),
        ("79161234567", "RU", "+79161234567"),
        ("917604069042", "IN", "+917604069042"),
        ("4604069042", "DE", "+494604069042"),
        ("+4917604069042", "DE", "+4917604069042"),
        ("004917604069042", "DE", "+4917604069042"),
        ("04921 123456", "DE", "+494921123456"),
        ("+46 46 812 34 56", "SE", "+46468123456"),
        ("0 0 49 30 2312504", "DE", "+49302312504"),
    ],
)
def test_where_only_one_reading_is_a_number_it_is_taken(cell: str, region: str, expected: str) -> None:
    assert verdict(cell, region) == expected
    assert is_held_back(cell, region, expected) is True


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("+494917604069042", None),
        ("+49 49 176 04069042", "DE"),
        ("00494917604069042", "DE"),
        ("04917604069042", "DE"),
        ("494917604069042", "DE"),
        ("+49 (0) 49 176 04069042", "DE"),
        ("+62 62 812 345 678", None),
        ("0 024 3123 4567", "VN"),
        ("(0) 024 3123 4567", "VN"),
        ("0-0221 123456", "TZ"),
        ("0 0151 23456789", "DE"),
    ],
)
def test_a_country_code_or_a_zero_that_is_there_twice_makes_it_nobodys(cell: str, region: str | None) -> None:
    assert not verdict(cell, region).startswith("+")


# The zero in brackets


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("49 (0) 30 1234567", "DE", "+49301234567"),
        ("49(0)30 1234567", "DE", "+49301234567"),
        ("49 [0] 30 1234567", "DE", "+49301234567"),
        ("Tel. 49 (0)30-1234567", "DE", "+49301234567"),
        ("+49 ( 0 ) 30 1234567", None, "+49301234567"),
        ("0049 (0) 30 1234567", "DE", "+49301234567"),
        ("44 (0) 20 7946 0018", "GB", "+442079460018"),
        ("+1 (0) 212 555 0100", "US", "+12125550100"),
        ("+39 (0) 6 12345678", None, "+390612345678"),
        ("39 (0) 6 12345678", "IT", "+390612345678"),
        ("39 (0) 312 3456789", "IT", "ambiguous"),
        ("+39 (0) 312 3456789", None, "ambiguous"),
        ("49 (0) 30 1234567", None, "no_country_code"),
        ("49 (0) 30 1234567", "FI", "several_numbers"),
    ],
)
def test_a_zero_in_brackets_stands_behind_a_country_code(cell: str, region: str | None, expected: str) -> None:
    assert verdict(cell, region) == expected


# More than the number


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("030 23 12 50 42 / 43", "DE"),
        ("030 23125042/43", "DE"),
        ("030 23125042/-43", "DE"),
        ("030 23125042 ; 43", "DE"),
        ("030 23125042 | 43", "DE"),
        ("030 23125042 & 43", "DE"),
        ("01 512 34 56 / 57", "AT"),
        ("+49 30 12345-67/-68", None),
        ("+49 30 12345-67 / 68", "DE"),
        ("06 12 34 56 78 / 79", "FR"),
        ("020 7946 0018/0019", "GB"),
        ("Tel. 030 23 12 50 42 / 43", "DE"),
        ("030 23125 042 (9-17)", "DE"),
        ("030 23125042 (9-17 Uhr)", "DE"),
        ("030 23125 042 [9:00 - 17:30]", "DE"),
        ("030 1234567 (2024)", "DE"),
        ("030 1234567 (seit 2024)", "DE"),
        ("+49 30 1234567 (2024)", None),
        ("212-555-0100 (2024)", "US"),
        ("(9-17) 030 23125042", "DE"),
        ("[8:00-12:00] 030 23125042", "DE"),
        ("Tel (9 - 17): 030 23125042", "DE"),
        ("030 23125042 9-17", "DE"),
        ("030 23125042  10\u201312 ", "DE"),
        ("3101/5", "TK"),
        ("030 2312504//43", "DE"),
        ("030 2312504 .. 43", "DE"),
        ("030 2312504\u202643", "DE"),
        ("030 2312504 . 43", "DE"),
        ("030 2312504 (43", "DE"),
        ("030 2312504 43)", "DE"),
        ("030 2312504 [43", "DE"),
        ("030 2312504 9 - 17", "DE"),
        ("030 2312504 (9-17", "DE"),
        ("030 2312504 9-17)", "DE"),
        ("030 2312504 9-5", "DE"),
        ("030 2312504 10-4", "DE"),
        ("030 2312504 18h", "DE"),
        ("030 2312504 2m", "DE"),
        ("030 2312504 50%", "DE"),
        ("9-17 030 2312504", "DE"),
        ("(0-24) 030 2312504", "DE"),
        ("(0-5) 030 2312504", "DE"),
        ("(8-30) 030 2312504", "DE"),
        ("[9-17] 030 2312504", "DE"),
        ("(9-1730) 030 231250", "DE"),
        ("[8:00-12:00] 030 2312504", "DE"),
        ("9\u201317 030 2312504", "DE"),
        ("9.00-17.00 030 2312504", "DE"),
        ("030 2312504 17.30", "DE"),
        ("01 512345 1.12.2024", "AT"),
        ("(030) 2312504 1)", "DE"),
        ("2 ) 030 2312504", "DE"),
        ("2 - 030 2312504", "DE"),
        ("2 030 2312504", "DE"),
        ("45 (030) 2312504", "DE"),
        ("049 030 123456", "DE"),
        ("9 08 123 456", "SE"),
        ("2024 0202 12345", "DE"),
        ("(2024) 0202 12345", "DE"),
        ("(2024) 27 12 34", "LU"),
        ("(2)26 12 34 56", "LU"),
        ("2)26 12 34 56", "LU"),
        ("2 ) 26 12 34 56", "LU"),
        ("030 2312504 \u2461", "DE"),
        ("030 2312504\u00b2", "DE"),
        ("030 2312504 1\ufe0f\u20e3", "DE"),
        ("030 2312504 \u3251", "DE"),
        ("\u2461 26 12 34 56", "LU"),
        ("\u00b2 26 12 34 56", "LU"),
    ],
)
def test_other_last_digits_hours_and_years_are_not_a_part_of_the_number(cell: str, region: str | None) -> None:
    assert verdict(cell, region) == "several_numbers"


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("030 / 23125042", "DE", "+493023125042"),
        ("0176/04069042", "DE", "+4917604069042"),
        ("0664/123 45 67", "AT", "+436641234567"),
        ("030 1234567-68", "DE", "+4930123456768"),
        ("030 1234567 - 68", "DE", "+4930123456768"),
        ("030 12345-0", "DE", "+4930123450"),
        ("030 23 12 50 42 (mobil)", "DE", "+493023125042"),
        ("(030 23125042)", "DE", "+493023125042"),
        ("917-555-0104c", "US", "+19175550104"),
        ("20 12 34 56", "DK", "+4520123456"),
        ("61 0412 345 678", "AU", "+61412345678"),
        ("44 (020) 7946 0018", "GB", "+442079460018"),
        ("(0-612) 31803", "LT", "+37061231803"),
        ("(0-615) 03198", "LT", "+37061503198"),
        ("(8-37) 200 123", "LT", "+37037200123"),
        ("(0-5) 212 3456", "LT", "+37052123456"),
        ("040 0254774", "FI", "+358400254774"),
        ("050 067 1325", "FI", "+358500671325"),
        ("(044) 0514633", "FI", "+358440514633"),
        ("082 084 2562", "ZA", "+27820842562"),
        ("065 0901313", "RS", "+381650901313"),
        ("070-020 53 88", "SE", "+46700205388"),
        ("030 1234567 68-97", "DE", "+493012345676897"),
        ("01 42 68 13-17", "FR", "+33142681317"),
        ("\u260e 917-555-0104", "US", "+19175550104"),
        ("\U0001f4de\ufe0f917-555-0104", "US", "+19175550104"),
        ("(212) 555 (0100)", "US", "+12125550100"),
        ("(030) 2312504", "DE", "+49302312504"),
        ("03ー1234ー5678", "JP", "+81312345678"),
        ("03 ー 1234 ー 5678", "JP", "+81312345678"),
        ("\u202a+49\u200e 30\u200f 1234567\u202c", None, "+49301234567"),
        ("+49\u206830\u20691234567", None, "+49301234567"),
        ("030\u200b1234567", "DE", "+49301234567"),
    ],
)
def test_what_belongs_to_the_number_does(cell: str, region: str | None, expected: str) -> None:
    assert verdict(cell, region) == expected


def test_a_mark_that_turns_the_digits_round_is_not_passed_over() -> None:
    assert not verdict("+4930\u202e1234567", None).startswith("+")


@pytest.mark.parametrize(
    "cell",
    [
        "03023125042.000",
        "03023125042,000",
        "03023125042.000000",
        "301234567.0000",
        Decimal("301234567.0000"),
        Decimal("301234567.0"),
        "4917604069042.0",
    ],
)
def test_a_tail_of_any_number_of_zeros_is_a_decimal_tail(cell: object) -> None:
    assert verdict(cell, "DE") == "decimal_tail"


# Words beside the number


@pytest.mark.parametrize("form", ["{note} {number}", "{number} {note}", "{number} ({note})", "({note}) {number}"])
@pytest.mark.parametrize("mark", ["\u274c", "\U0001f6ab", "\u2020", "?", "!", "*", "~", "$", "\u20ac"])
def test_a_mark_that_may_mean_no_refuses_the_row_as_a_word_does(mark: str, form: str) -> None:
    assert verdict(form.format(note=mark, number="917-555-0104"), "US") == "note"


@pytest.mark.parametrize(
    "note",
    ["DO NOT CALL", "wrong number", "deceased", "fax", "Fax:", "old", "no", "No calls", "Ann", "verstorben", "死"],
)
@pytest.mark.parametrize("form", ["{note} {number}", "{number} {note}", "{number} ({note})", "({note}) {number}"])
def test_a_word_that_is_not_a_label_refuses_the_row_on_either_side(note: str, form: str) -> None:
    assert verdict(form.format(note=note, number="917-555-0104"), "US") == "note"


@pytest.mark.parametrize(
    "label",
    [
        "tel",
        "Phone:",
        "cell",
        "CELL",
        "mobile",
        "home",
        "work",
        "M:",
        "T",
        "Mobile no.",
        "Phone number:",
        "Handy",
        "Téléphone",
        "portable",
        "móvil",
        "Cellulare",
        "telemóvel",
        "mobiel",
        "komórka",
        "моб.",
        "携帯",
        "手机",
        "휴대폰",
    ],
)
@pytest.mark.parametrize("form", ["{label} {number}", "{number} {label}", "{number} ({label})", "({label}) {number}"])
def test_a_label_in_the_common_languages_passes_on_either_side(label: str, form: str) -> None:
    assert verdict(form.format(label=label, number="917-555-0104"), "US") == "+19175550104"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Tel. 917-555-0104 ext 3", "extension"),
        ("917-555-0104 ext 3 (home)", "extension"),
        ("917-555-O1O4", "letters"),
        ("1-800-FLOWERS", "letters"),
        ("nobody", "not_a_number"),
        ("call me maybe 5", "not_a_number"),
    ],
)
def test_other_letters_are_what_they_were(cell: str, expected: str) -> None:
    assert verdict(cell, "US") == expected


def test_a_note_in_a_do_not_call_list_holds_its_number_back() -> None:
    for cell in ("DO NOT CALL 917-555-0104", "917-555-0104 (asked twice)"):
        assert is_held_back(cell, "US", "+19175550104") is True


@pytest.mark.parametrize(
    "cell",
    ["030 2312504 18 Uhr", "030 2312504 5 \u20ac", "030 2312504 2nd call", "Mo 9-17 030 2312504", "030 2312504 3x"],
)
def test_digits_of_a_note_in_a_do_not_call_list_never_hold_another_number_back(cell: str) -> None:
    assert "'several_numbers': 1" in str(is_held_back(cell, "DE", "+49302312504"))


@pytest.mark.parametrize(
    "cell", ["030 2312 50 4\u2026", "+49 30 2312504...", "+49 30 2312504 ...", "Tel. 030 2312504..."]
)
def test_a_number_that_is_cut_off_is_nobodys(cell: str) -> None:
    assert verdict(cell, "DE") == "not_a_number"
    assert "'not_a_number': 1" in str(is_held_back(cell, "DE", "+49302312504"))


@pytest.mark.parametrize("cell", ["030 2312504Z", "030 23 12 50 4?", "030 23 12 50 4\u00d7", "030 2312504xx"])
def test_a_mark_in_place_of_a_digit_makes_an_entry_of_a_do_not_call_list_unreadable(cell: str) -> None:
    assert "'not_a_number': 1" in str(is_held_back(cell, "DE", "+49302312504"))


@pytest.mark.parametrize("cell", ["917-555-0104!", "917-555-0104*", "917-555-0104?", "917-555-0104(asked twice)"])
def test_a_mark_behind_a_whole_number_is_a_note(cell: str) -> None:
    assert is_held_back(cell, "US", "+19175550104") is True


# Argentina


@pytest.mark.parametrize(("one", "other"), [("+54 9 11 2345 6789", "+54 11 2345 6789"), ("011 15 2345 6789", None)])
def test_an_argentine_mobile_is_one_however_it_is_written(tmp_path: Path, one: str, other: str | None) -> None:
    other = other or "+54 11 2345 6789"
    for first, second in ((one, other), (other, one)):
        rows = [{"phone_number": first}, {"phone_number": second}]
        manifest = prepared(rows, tmp_path / "a.jsonl.gz", region="AR")
        assert (manifest.contacts, manifest.duplicates) == (1, 1)
        lists = [Suppression([first], region="AR")]
        assert prepared(rows[1:], tmp_path / "b.jsonl.gz", region="AR", suppression=lists).suppressed == 1


@pytest.mark.parametrize("hashed", ["+5491123456789", "+541123456789"])
def test_a_digest_of_either_writing_holds_an_argentine_mobile_back(hashed: str) -> None:
    from hashlib import sha256

    suppressed = suppressed_numbers(Suppression([sha256(hashed.encode()).hexdigest()], hashed=True))
    assert suppressed is not None
    assert suppressed.holds(5491123456789)
    assert suppressed.holds(541123456789)
    assert not suppressed.holds(541123456780)


# All regions


def examples(region: str) -> list[phonenumbers.PhoneNumber]:
    found = [phonenumbers.example_number_for_type(region, kind) for kind in (0, 1, 2, 6)]
    return [number for number in found if number is not None]


def writings(region: str, number: phonenumbers.PhoneNumber) -> dict[str, str]:
    """How a number of a region is written at home and abroad, and what a spreadsheet leaves of it."""
    code, nsn = str(number.country_code), phonenumbers.national_significant_number(number)
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    home = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    abroad = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return {
        "plus": f"+{code}{nsn}",
        "spaces": abroad,
        "no plus": f"{code}{nsn}",
        "no plus, spaces": abroad.removeprefix("+"),
        "national": home,
        "nsn": nsn,
        "trunk": f"{trunk}{nsn}",
        "00": f"00{code}{nsn}",
        "trunk in brackets": f"+{code} (0) {nsn}",
        "no plus, trunk in brackets": f"{code} (0) {nsn}",
        "plus and trunk": f"+{code}{trunk}{nsn}",
        "no plus and trunk": f"{code}{trunk}{nsn}",
    }


@pytest.mark.parametrize("region", REGIONS)
def test_no_writing_of_a_number_is_read_as_another_persons(region: str) -> None:
    from airflow_truedy.contacts.number_set import writings_of

    for number in examples(region):
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        own = {f"+{digits}" for digits in writings_of(int(e164[1:]))}
        for name, text in writings(region, number).items():
            cells: list[Any] = [text]
            if text.isdigit() and not text.startswith("0"):
                cells += [int(text), Decimal(text), float(text)]
            for cell in cells:
                found = normaliser(frozenset(Reason))(cell, region)
                assert isinstance(found, Reason) or found in own, (name, e164, cell, found)
                held = is_held_back(cell, region, e164)
                assert held is True or "cannot be read" in str(held), (name, e164, cell, held)
                assert isinstance(found, Reason) or held is True, (name, e164, cell)


#: What people and programs add to a number; h and k are hours, d other digits, m another number.
ADDED = """
({d}) {n}|{d}) {n}|{d}. {n}|#{d} {n}|({h}-{k}) {n}|{d}x {n}
{n} ({d})|{n} [{d}]|{n} {{{d}}}|{n} (20{d})|{n} ({h}-{k})|{n} ({h}h-{k}h)|{n} (ab {h})|{n} {h}-{k} Uhr|{n} ab {h}
{n}/{d}|{n} / -{d}|{n}, {d}|{n}; {d}|{n} & {d}|{n} + {d}|{n} u. {d}|{n} bis {d}|{n} oder -{d}
{n} *{d}|{n} ~{d}|{n} = {d}|{n}: {d}|{n}·{d}|{n} ext {d}|{n} / {m}|{n} {m}|{n} or {m}
"""


@pytest.mark.parametrize("region", REGIONS)
def test_nothing_that_is_added_to_a_number_makes_it_another_persons(region: str) -> None:
    for number in examples(region)[:2]:
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        home = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        for written in (home, e164):
            for form in ADDED.replace("\n", "|").strip("|").split("|"):
                for digits in ("5", "43"):
                    cell = form.format(n=written, m=f"{written[:-1]}7", d=digits, h=9, k=17)
                    found = normaliser()(cell, region)
                    assert isinstance(found, Reason) or found == e164, cell


def test_the_plain_writings_of_nearly_all_numbers_are_taken() -> None:
    taken = dict.fromkeys(("plus", "spaces", "national", "nsn"), 0)
    total = 0
    for region in REGIONS:
        for number in examples(region)[:2]:
            total += 1
            for name in taken:
                cell = writings(region, number)[name]
                taken[name] += isinstance(normaliser(frozenset(Reason))(cell, region), str) and not isinstance(
                    normaliser(frozenset(Reason))(cell, region), Reason
                )
    assert taken["plus"] == taken["spaces"] == total
    assert taken["national"] > 0.97 * total
    assert taken["nsn"] > 0.9 * total


def test_the_corpus_holds_every_reason_of_a_cell() -> None:
    with (Path(__file__).parent / "corpus.csv").open(encoding="utf-8", newline="") as file:
        assert {"note", "ambiguous"} <= {row["expected"] for row in csv.DictReader(file)}
