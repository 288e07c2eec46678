"""
One phone number in a cell -> E.164, or the reason why not.

libphonenumber decides what a number is. This module refuses what it lets pass: digits that can be read as two people's
numbers, damage by spreadsheets, letters read as keypad digits, and unwanted kinds of numbers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    country_code_for_region,
    is_valid_number,
    ndd_prefix_for_region,
    normalize_digits_only,
)

from airflow_truedy.contacts.cell_text import (
    LEAST_DIGITS_OF_A_NUMBER,
    WRAPPING,
    before_placeholder,
    before_tail,
    cleaned,
    damage,
    digits_in,
    letters_inside,
    number_and_words,
)
from airflow_truedy.contacts.numbering_plans import shortcut
from airflow_truedy.contacts.reasons import ALLOWABLE, Reason
from airflow_truedy.contacts.values import is_nothing, is_numpy
from airflow_truedy.files.rows import EXACT_BELOW

if TYPE_CHECKING:
    from collections.abc import Callable


#: What one cell becomes inside this package: the E.164 number or the reason.
Verdict = str | Reason

_E164_MAX_LENGTH = 16
#: A label, hours or a year in front, before a number that begins with its 0: ``2 030``, ``9-17 030``, ``2024 030``.
_DIGITS_BEFORE_ZERO = r"(?:0|[1-9]\d?|0\d\d|(?:19|20)\d\d|\d\d?-\d\d?)[ \t\xa0()\-]+0"
#: Hours behind: ``030 23125042 9-17``, ``030 23125042 9 - 5``.
_NOT_HOURS = "".join(
    rf"(?<!\s{begin}{dash}{end})" for begin in (r"\d", r"\d\d") for dash in ("-", r"\s-\s") for end in (r"\d", r"\d\d")
)
#: Most cells look like this, and nothing but libphonenumber needs to look at them.
#: Not those that may begin with the number of a label, ``2) 030`` or ``(2) 030``, or end in one, ``030 (2)``, or in
#: hours.
_is_plain = re.compile(
    rf"\s*[+\uff0b]?(?!{_DIGITS_BEFORE_ZERO})(?:\((?!(?:19|20)\d\d\))\d{{3,6}}\)(?![\s\-]*0)|\d(?!\d?\s*\)))"
    rf"[\d \t\xa0()\-]*\d{_NOT_HOURS}[ \t\xa0]*"
).fullmatch
#: Groups of digits between dots; one dot alone may be a decimal point.
_is_dotted = re.compile(r"[+]?\d{1,4}(\.\d{2,4}){2,}").fullmatch
_WITHOUT_PUNCTUATION = str.maketrans("\uff0b", "+", " \t\xa0()-.")
_find_letter = re.compile(r"[^\W\d_]").search
#: A zero in brackets, or brackets that do not end.
_find_odd_brackets = re.compile(r"\(\s*0\s*\)|\([^)]*$").search
_are_separate_zeros = re.compile(r"\D*0\D+0").match
_trunk_zero = re.compile(
    r"[^\d+]*(?P<plus>\+|00)?\s*(?P<code>\d{1,3})[\s.\-/]*[(\[]\s*0\s*[)\]](?P<rest>.*\d.*)"
).fullmatch
#: Less for the narrow floats of numpy.
_EXACT_BELOW_BY_BYTES = {4: 1 << 24, 2: 1 << 11}
_PEOPLE = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
)
_KINDS = {getattr(PhoneNumberType, kind.name): kind for kind in ALLOWABLE - {Reason.EXTENSION, Reason.GLOBAL_NETWORK}}
#: Country codes of no country (satellite and other networks); libphonenumber calls their region "001".
_GLOBAL_CODES = frozenset(
    code for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() if "001" in regions
)
_LENGTHS = {
    ValidationResult.IS_POSSIBLE: Reason.NOT_VALID,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: Reason.NO_AREA_CODE,
    ValidationResult.INVALID_COUNTRY_CODE: Reason.UNKNOWN_COUNTRY_CODE,
    ValidationResult.TOO_SHORT: Reason.TOO_SHORT,
    ValidationResult.TOO_LONG: Reason.TOO_LONG,
    ValidationResult.INVALID_LENGTH: Reason.WRONG_LENGTH,
}
_PARSE_ERRORS = {
    NumberParseException.NOT_A_NUMBER: Reason.NOT_A_NUMBER,
    NumberParseException.TOO_SHORT_AFTER_IDD: Reason.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: Reason.TOO_SHORT,
    NumberParseException.TOO_LONG: Reason.TOO_LONG,
}

#: What may be a label with a digit of its own before a number: ``Tel2 030 ...``, ``2. 030 ...``
_label = re.compile(r"(?P<words>\D*)(?P<digits>[1-9]\d?|0\d\d|(?:19|20)\d\d)(?P<marks>\D+)(?=\d)").match
#: ``9-17 030 ...``, ``9.00 - 17.00 030 ...``
_hours_before_zero = re.compile(r"\D*(?P<digits>\d\d?(?:\.\d\d)?\s*[-\u2013]\s*\d\d?(?:\.\d\d)?)\D*\s\D*(?=0)").match
_find_label = re.compile(r"[^\W\d_]|#").search
_is_mark_of_a_list = re.compile(r"\s*[)\]]|\s*[.:]\s+").match


def normaliser(allowed: frozenset[Reason] = frozenset()) -> Callable[[Any, str | None], Verdict]:
    """
    Return the function that turns one cell into an E.164 number, or says why it cannot be called.

    A number must be valid, not only possible. Nothing is repaired: what a spreadsheet has damaged is refused. The
    function takes the cell (text, or a number as databases keep it) and the ISO 3166 code of the region in which a
    number without ``+`` is read, known to exist; ``None``: such numbers are refused.

    :param allowed: kinds of numbers that are taken besides landlines, mobiles and VoIP numbers.
    """
    number_type, format_number = phonenumbers.number_type, phonenumbers.format_number
    e164 = PhoneNumberFormat.E164

    def verdict_of(raw: Any, region: str | None) -> Verdict:
        text = raw if type(raw) is str else _text_of(raw)
        if isinstance(text, Reason):
            return text
        if (_is_plain(text) and not ("(" in text and _find_odd_brackets(text))) or _is_dotted(text):
            text = text.translate(_WITHOUT_PUNCTUATION)
            ordinary = shortcut(text, region) if text.isascii() else None
            if ordinary:
                return ordinary
            number = _parse(text, region)
        else:
            number = _parse_other(text, region, allowed)
        if isinstance(number, Reason):
            return number
        kind = number_type(number)
        if kind not in _PEOPLE or number.extension or number.country_code in _GLOBAL_CODES:
            refused = _refused_kind(number, kind, allowed)
            if refused:
                return refused
        formatted = format_number(number, e164)
        return formatted if len(formatted) <= _E164_MAX_LENGTH else Reason.TOO_LONG

    return verdict_of


def _parse_other(text: str, region: str | None, allowed: frozenset[Reason]) -> PhoneNumber | Reason:
    """Read a cell that holds more than digits and their usual punctuation."""
    clean = cleaned(text)
    if isinstance(clean, Reason):
        return clean
    damaged = damage(clean)
    if damaged:
        return damaged
    body, words = number_and_words(clean)
    number = _with_trunk_zero(body, region) or _parse(body, region)
    head = before_tail(clean)
    if isinstance(number, PhoneNumber):
        if _holds_digit_of_a_label(clean, number, region):
            return Reason.SEVERAL_NUMBERS
        head = None if number.extension else head
    if head and _is_valid(_parse(head, region)):
        return Reason.SEVERAL_NUMBERS
    if isinstance(number, Reason) or not is_valid_number(number):
        return _without_valid_number(clean, number, region)
    if letters_inside(body, number.extension):
        return Reason.LETTERS
    if not words:
        return number
    if Reason.NOTE not in allowed:
        return Reason.NOTE
    head = before_placeholder(clean)
    # Where numbers have several lengths, one without its last digit is somebody else's.
    return Reason.NOT_A_NUMBER if head and _is_valid(_parse(f"{head}0", region)) else number


def _without_valid_number(text: str, number: PhoneNumber | Reason, region: str | None) -> PhoneNumber | Reason:
    """Say why a cell holds no valid number; letters may be the reason."""
    if not _find_letter(text):
        return number
    whole = _parse(text, region)
    if isinstance(whole, PhoneNumber):
        # libphonenumber reads letters as the digits on their keys.
        return Reason.LETTERS if letters_inside(text[_first_digit_of(text) :], whole.extension) else whole
    has_digits = digits_in(text) >= LEAST_DIGITS_OF_A_NUMBER
    return Reason.LETTERS if whole is Reason.NOT_A_NUMBER and has_digits else whole


def _first_digit_of(text: str) -> int:
    return next((at for at, character in enumerate(text) if character.isdigit() or character == "+"), 0)


def _parse(text: str, region: str | None) -> PhoneNumber | Reason:
    """Read a number as libphonenumber does, but refuse one that means another number with its own country code."""
    # A + says that a country code follows. With a region at hand libphonenumber would pass over a wrong one.
    has_code = "+" in text
    try:
        number = phonenumbers.parse(text, None if has_code else region)
    except NumberParseException as error:
        return _why_not_parsed(text, error)
    if has_code or region is None:
        return _unless_doubled(number)
    digits = normalize_digits_only(text)
    if number.extension:
        digits = digits.removesuffix(number.extension)
    code = str(country_code_for_region(region))
    if digits.startswith(code):
        return _only_valid([f"+{digits}", f"+{code}{digits}"], number)
    if digits.startswith("00") and is_valid_number(number):
        inland = [phonenumbers.parse(digits[1:], region)] if _are_separate_zeros(text) else []
        return _only_valid([f"+{digits[2:]}", number, *inland], number)
    return _unless_doubled(number)


def _unless_doubled(number: PhoneNumber | Reason) -> PhoneNumber | Reason:
    """
    Refuse ``+49 49 176 04069042``: a mobile with its country code twice, or a landline that nobody writes so long.

    ``+49 4921 123456`` is taken: what it would be without the second ``49`` is not a mobile.
    """
    if isinstance(number, Reason):
        return number
    code, digits = str(number.country_code), phonenumbers.national_significant_number(number)
    if len(code) == 1 or not digits.startswith(code):
        return number
    once = _read(f"+{digits}")
    is_mobile = once is not None and phonenumbers.number_type(once) == PhoneNumberType.MOBILE
    return Reason.AMBIGUOUS if is_mobile and is_valid_number(number) else number


def _with_trunk_zero(text: str, region: str | None) -> PhoneNumber | Reason | None:
    """
    Read ``49 (0) 30 1234567``: the brackets say that a country code is before them, and behind it a zero that is
    dialled inside the country. In some countries, as Italy, the zero is a part of the number.

    :return: ``None`` if it is not written so.
    """
    found = _trunk_zero(text)
    if not found:
        return None
    code, rest = found["code"], found["rest"]
    number = _parse(text, region)
    if not found["plus"] and (region is None or code != str(country_code_for_region(region))):
        return Reason.AMBIGUOUS if _is_valid(number) else number
    return _only_valid([f"+{code} {rest}", f"+{code} 0{rest}"], number)


def _only_valid(readings: list[str | PhoneNumber], otherwise: PhoneNumber | Reason) -> PhoneNumber | Reason:
    """
    Return the one valid number among several readings, :data:`Reason.AMBIGUOUS` if there are two, and what is given if
    there is none.
    """
    extension = otherwise.extension if isinstance(otherwise, PhoneNumber) else None
    valid: dict[str, PhoneNumber] = {}
    for reading in readings:
        number = _read(reading) if isinstance(reading, str) else reading
        if isinstance(number, PhoneNumber) and is_valid_number(number):
            valid[phonenumbers.format_number(number, PhoneNumberFormat.E164)] = number
    if len(valid) > 1:
        return Reason.AMBIGUOUS
    for number in valid.values():
        number.extension = number.extension or extension
        return _unless_doubled(number)
    return _unless_doubled(otherwise)


def _read(text: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, None)
    except NumberParseException:
        return None


def _is_valid(number: PhoneNumber | Reason) -> bool:
    # What is ambiguous is two valid numbers.
    return number is Reason.AMBIGUOUS or (isinstance(number, PhoneNumber) and is_valid_number(number))


def _text_of(raw: Any) -> str | Reason:
    if is_nothing(raw):
        return Reason.EMPTY
    exact = EXACT_BELOW
    if is_numpy(raw):
        exact = _EXACT_BELOW_BY_BYTES.get(raw.dtype.itemsize, exact)
        raw = raw.item()
    if isinstance(raw, str):
        return str(raw)
    if isinstance(raw, float):
        return str(int(raw)) if raw.is_integer() and abs(raw) < exact else Reason.DECIMAL_TAIL
    if isinstance(raw, bool) or not isinstance(raw, (int, Decimal)):
        return Reason.NOT_A_NUMBER
    try:
        return str(raw)
    except ValueError:  # thousands of digits
        return Reason.TOO_LONG


def _holds_digit_of_a_label(text: str, number: PhoneNumber, region: str | None) -> bool:
    """
    Whether another number remains without the first digits, which may number a label or a line of a list.

    In ``Phone 1 (212) 555-0100`` the same number remains, so it does not matter what the 1 is.
    """
    if "+" in text:
        return False
    found = _hours_before_zero(text) or _label(text)
    if not found or _is_area_code(found["digits"], region):
        return False
    rest = text[found.end() :]
    begins_anew = rest[0] == "0"
    if not begins_anew and not _is_label(found, region):
        return False
    other = _parse(rest, region)
    if not isinstance(other, PhoneNumber) or not is_valid_number(other):
        return other is Reason.AMBIGUOUS
    return (other.country_code, other.national_number) != (number.country_code, number.national_number)


def _is_area_code(digits: str, region: str | None) -> bool:
    """Tell whether digits before a zero are an area code: in Germany ``040``, but ``049`` is its country code."""
    return re.fullmatch(r"0\d\d", digits) is not None and digits != f"0{country_code_for_region(region or '')}"


def _is_label(found: re.Match[str], region: str | None) -> bool:
    if not (_find_label(found["words"]) or _is_mark_of_a_list(found["marks"])):
        return False
    # Where no area codes exist, several digits in front are none either.
    has_areas = region is None or ndd_prefix_for_region(region, True)
    return len(found["digits"]) == 1 or not has_areas


def _why_not_parsed(text: str, error: NumberParseException) -> Reason:
    if not text.strip(WRAPPING + "()-"):
        return Reason.EMPTY
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return Reason.UNKNOWN_COUNTRY_CODE if "+" in text else Reason.NO_COUNTRY_CODE
    return _PARSE_ERRORS[error.error_type]


def _refused_kind(number: PhoneNumber, kind: int, allowed: frozenset[Reason]) -> Reason | None:
    if kind == PhoneNumberType.UNKNOWN:
        is_short = phonenumbers.is_valid_short_number(number)
        return Reason.SHORT_NUMBER if is_short else _LENGTHS[phonenumbers.is_possible_number_with_reason(number)]
    found = _KINDS.get(kind)
    if found is None and number.country_code in _GLOBAL_CODES:
        found = Reason.GLOBAL_NETWORK
    if found and found not in allowed:
        return found
    return Reason.EXTENSION if number.extension and Reason.EXTENSION not in allowed else None
