"""
One phone number as it stands in a cell -> E.164, or the reason why not.

libphonenumber decides what a number is. Around it stands what it lets pass: damage by spreadsheets, whose
digits still parse into somebody else's number, letters read as keypad digits, and kinds nobody wants to ring.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from airflow_truedy.contacts.numbering_plans import shortcut
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.contacts.values import is_nothing

if TYPE_CHECKING:
    from collections.abc import Callable


#: What one cell becomes inside this package: the E.164 number or the reason.
Verdict = str | Reason

_E164_MAX_LENGTH = 16
#: Most cells look like this, and nothing but libphonenumber needs to look at them.
#: Not those that may begin with the number of a label, ``2) 030`` or ``(2) 030``, or end in one, ``030 (2)``.
_is_plain = re.compile(r"\s*[+\uff0b]?(?:\((?!\d\))\d|\d(?!\d?\)))[\d \t\xa0()\-]*\d[ \t\xa0]*").fullmatch
#: Groups of digits between dots; one dot alone may be a decimal point.
_is_dotted = re.compile(r"[+]?\d{1,4}(\.\d{2,4}){2,}").fullmatch
_WITHOUT_PUNCTUATION = str.maketrans("\uff0b", "+", " \t\xa0()-.")
_find_letter = re.compile(r"[^\W\d_]").search
_PEOPLE = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
)
_KINDS = {
    PhoneNumberType.TOLL_FREE: Reason.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: Reason.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: Reason.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER: Reason.PERSONAL_NUMBER,
    PhoneNumberType.PAGER: Reason.PAGER,
    PhoneNumberType.UAN: Reason.UAN,
    PhoneNumberType.VOICEMAIL: Reason.VOICEMAIL,
}
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

_DAMAGE = (
    (Reason.EXPONENT, re.compile(r"[+-]?\d+([.,]\d+)?\s*[eE]\s*[+-]?\s*\d+")),
    (Reason.THOUSANDS_SEPARATORS, re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d*)?")),
    (Reason.DECIMAL_TAIL, re.compile(r"[+-]?(\d+[.,]0{1,2}|\d{7,}[.,]\d{1,2})")),
    (Reason.SPREADSHEET_ERROR, re.compile(r"#(#+|[A-Z/0]+[!?]?|N/A.*)")),
)
#: Quotes, the = of ="0123", marks of writing direction and the byte order mark around a number.
_WRAPPING = (
    " \t\r\n='\"`\u00b4\u2018\u2019\u02bc\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_BETWEEN_NUMBERS = re.compile(r"[;,/|&\n\r]|\s(?:or|and|und|oder|ou|et|y|o)\s", re.IGNORECASE)
#: 1234567/8 means 1234567 or 1234568.
_OTHER_LAST_DIGITS = re.compile(r"\d{5}\s*/\s*\d{1,2}$")
_LEAST_DIGITS_OF_A_NUMBER = 7
_LONGEST_CELL = 250  # libphonenumber's own limit; the patterns below would take seconds for a long text
#: A negative number: an export went wrong, or the digits are no phone number.
_is_negative = re.compile(r"[-\u2212]\d").match
#: Digits behind a number that are none of its own: ``030 1234567 [5]``, ``030 1234567 * 5``.
_find_digits_behind = re.compile(r"\d\s*[(\[]\s*\d{1,3}\s*[)\]]$|\d.*[*~]\s*\d").search
#: What may be a label with a digit of its own before a number: ``Tel2 030 ...``, ``2. 030 ...``
_label = re.compile(r"(?P<words>\D*)(?P<digits>[1-9]\d?)(?P<marks>\D+)(?=\d)").match
_find_label = re.compile(r"[^\W\d_]|#").search
_is_mark_of_a_list = re.compile(r"\s*[.:)\]]\s+").match


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
        if _is_plain(text) or _is_dotted(text):
            text = text.translate(_WITHOUT_PUNCTUATION)
            ordinary = shortcut(text, region) if text.isascii() else None
            if ordinary:
                return ordinary
            number = _parse(text, region)
        else:
            number = _parse_other(text, region)
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


def _parse_other(text: str, region: str | None) -> PhoneNumber | Reason:
    text = text.strip().strip(_WRAPPING)
    if len(text) > _LONGEST_CELL:
        return Reason.TOO_LONG
    text = unicodedata.normalize("NFKC", text).strip(_WRAPPING)
    damage = _damage(text)
    if damage:
        return damage
    number = _parse(text, region)
    if _find_letter(text) and _letters_between_digits(text, number):
        return Reason.LETTERS
    if isinstance(number, PhoneNumber) and _holds_digit_of_a_label(text, number, region):
        return Reason.SEVERAL_NUMBERS
    return number


def _parse(text: str, region: str | None) -> PhoneNumber | Reason:
    # A + says that a country code follows. With a region at hand libphonenumber would pass over a wrong one.
    try:
        return phonenumbers.parse(text, None if "+" in text else region)
    except NumberParseException as error:
        return _why_not_parsed(text, error)


def _text_of(raw: Any) -> str | Reason:
    if is_nothing(raw):
        return Reason.EMPTY
    if isinstance(raw, str):
        return str(raw)
    if isinstance(raw, float):
        return Reason.DECIMAL_TAIL
    if isinstance(raw, bool) or not isinstance(raw, (int, Decimal)):
        return Reason.NOT_A_NUMBER
    try:
        return str(raw)
    except ValueError:  # thousands of digits
        return Reason.TOO_LONG


def _damage(text: str) -> Reason | None:
    for reason, pattern in _DAMAGE:
        if pattern.fullmatch(text):
            return reason
    if _is_negative(text):
        return Reason.NOT_A_NUMBER
    return Reason.SEVERAL_NUMBERS if _holds_several(text) or _find_digits_behind(text) else None


def _holds_several(text: str) -> bool:
    if text.count("+") > 1 or _OTHER_LAST_DIGITS.search(text):
        return True
    parts = _BETWEEN_NUMBERS.split(text)
    return len(parts) > 1 and sum(sum(map(str.isdigit, part)) >= _LEAST_DIGITS_OF_A_NUMBER for part in parts) > 1


def _holds_digit_of_a_label(text: str, number: PhoneNumber, region: str | None) -> bool:
    """
    Whether another number remains without the first digits, which may number a label or a line of a list.

    In ``Phone 1 (212) 555-0100`` the same number remains, so it does not matter what the 1 is.
    """
    found = None if "+" in text else _label(text)
    if not found:
        return False
    rest = text[found.end() :]
    begins_anew = rest[0] == "0"
    is_label = len(found["digits"]) == 1 and (_find_label(found["words"]) or _is_mark_of_a_list(found["marks"]))
    if not begins_anew and not is_label:
        return False
    other = _parse(rest, region)
    if isinstance(other, Reason) or not phonenumbers.is_valid_number(other):
        return False
    return (other.country_code, other.national_number) != (number.country_code, number.national_number)


def _why_not_parsed(text: str, error: NumberParseException) -> Reason:
    if not text.strip(_WRAPPING + "()-"):
        return Reason.EMPTY
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return Reason.UNKNOWN_COUNTRY_CODE if "+" in text else Reason.NO_COUNTRY_CODE
    return _PARSE_ERRORS[error.error_type]


def _letters_between_digits(text: str, number: PhoneNumber | Reason) -> bool:
    """
    Whether letters were read as digits or passed over (``212555O1OO``); a label and an extension may be.
    """
    first_digit = re.search(r"[+\d]", text)
    body = text[first_digit.start() :] if first_digit else text
    if isinstance(number, Reason):
        enough = sum(map(str.isdigit, body)) >= _LEAST_DIGITS_OF_A_NUMBER
        return number is Reason.NOT_A_NUMBER and enough and any(map(str.isalpha, body))
    if number.extension:
        body = re.sub(r"\D*$", "", body[: body.rfind(number.extension)])
    return any(map(str.isalpha, body))


def _refused_kind(number: PhoneNumber, kind: int, allowed: frozenset[Reason]) -> Reason | None:
    if kind == PhoneNumberType.UNKNOWN:
        return _why_not_valid(number)
    found = _KINDS.get(kind)
    if found is None and number.country_code in _GLOBAL_CODES:
        found = Reason.GLOBAL_NETWORK
    if found and found not in allowed:
        return found
    return Reason.EXTENSION if number.extension and Reason.EXTENSION not in allowed else None


def _why_not_valid(number: PhoneNumber) -> Reason:
    if phonenumbers.is_valid_short_number(number):
        return Reason.SHORT_NUMBER
    return _LENGTHS[phonenumbers.is_possible_number_with_reason(number)]
