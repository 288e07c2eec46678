"""Recognise what surrounds a phone number in a cell: spreadsheet damage, several numbers, labels and notes."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

from airflow_truedy.contacts.reasons import Reason

LEAST_DIGITS_OF_A_NUMBER = 7
_HOURS_OF_A_DAY = 24
#: libphonenumber's own limit; the patterns below would take seconds for a long text.
LONGEST_CELL = 250

_DAMAGE = (
    (Reason.EXPONENT, re.compile(r"[+-]?\d+([.,]\d+)?\s*[eE]\s*[+-]?\s*\d+")),
    (Reason.THOUSANDS_SEPARATORS, re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d*)?")),
    (Reason.DECIMAL_TAIL, re.compile(r"[+-]?(\d+[.,]0+|\d{7,}[.,]\d{1,2})")),
    (Reason.SPREADSHEET_ERROR, re.compile(r"#(#+|[A-Z/0]+[!?]?|N/A.*)")),
)
#: Quotes, the = of ="0123", marks of writing direction and the byte order mark around a number.
WRAPPING = (
    " \t\r\n='\"`\u00b4\u2018\u2019\u02bc\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
#: Marks that are not seen, without those that turn the order of what follows.
_UNSEEN = dict.fromkeys(
    map(ord, "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202d\u2060\u2066\u2068\u2069\ufeff")
)
#: Japanese hands write the mark of a long vowel for a hyphen.
_LONG_VOWEL_MARK = re.compile(r"(?<=\d)\s*\u30fc\s*(?=\d)")
_BETWEEN_NUMBERS = re.compile(r"[;,/|&\n\r]|\s(?:or|and|und|oder|ou|et|y|o)\s", re.IGNORECASE)
#: ``030 23 12 50 42 / 43`` and ``12345-67/-68`` mean two numbers, which differ in their last digits.
_other_last_digits = re.compile(r"(?P<head>.*\d)\s*(?:[/\\|;&]+|\.{2,}|\s\.\s)\s*[-\u2013]?\s*\d{1,4}\s*").fullmatch
#: A negative number: an export went wrong, or the digits are not a phone number.
_is_negative = re.compile(r"[-\u2212]\d").match
#: A spreadsheet or a report cut the number: ``030 2312 50...``
_is_cut_off = re.compile(r".*\d\s*\.{3,}\s*").fullmatch
#: A letter or mark directly behind, which may stand for digits that nobody could read: ``030 23 12 50 4?``
_with_placeholder = re.compile(r"(?P<head>.*\d)(?:[^\W\d_]|[?*_\u00d7])\D*").fullmatch
#: Digits behind a number that are none of its own: ``030 1234567 [5]``, ``030 1234567 * 5``.
_find_digits_behind = re.compile(r"\d\s*[(\[]\s*\d{1,3}\s*[)\]]$|\d.*[*~]\s*\d").search
#: ``(9-17) 030 1234567``, ``[8:00-12:00] ...``; but ``(0-5) 212 3456`` and ``(0-612) 31803`` are how Lithuania writes.
_hours_before = re.compile(
    r"[^\d+]*(?!\([08]-[346]\d\d\)|\((?:0-5|[08]-[34]\d)\)\s*[1-9])"
    r"[(\[{]\s*\d{1,2}([:.h]\d\d)?\s*[-\u2013]\s*\d{1,2}"
).match
#: Digits in brackets at the end, closed or not: hours, a year, or the last part of the number.
_brackets_behind = re.compile(r"(?P<head>.*\d.*?)[(\[{][^()\[\]{}]*\d[^()\[\]{}]*[)\]}]?\s*").fullmatch
#: ``030 23125042 5)``, if the bracket was never opened.
_closed_behind = re.compile(r"(?P<head>.*\d)\s+\d{1,4}(?:-\d{1,2})?[)\]}]\s*").fullmatch
#: A time or a date: ``01 512345 17.30``, ``01 512345 1.12.2024``
_dotted_behind = re.compile(r"(?P<head>.*\d)\s+\d{1,2}(?:\.\d{1,4}){1,2}\s*").fullmatch
#: Hours without brackets behind: ``030 23125042 9-17``.
_hours_behind = re.compile(r"(?P<head>.*\d)\s+(?P<from>\d{1,2})\s*[-\u2013]\s*(?P<until>\d{1,2})\s*").fullmatch
#: An hour, a count or an amount: ``030 23125042 18h``, ``... 2nd call``, ``... 5 %``
_unit_behind = re.compile(
    r"(?P<head>.*\d)\s+\d{1,4}(?:[^\W\d_]|\s?[%$\u00a3\u00a5\u20ac]|\s(?:am|pm|uhr)\b).*", re.IGNORECASE
).fullmatch
#: Symbols that only say that this is a phone number, or whose.
_FOR_A_PHONE = frozenset("\u260e\u260f\u2706\U0001f4de\U0001f4f1\U0001f4f2\U0001f57f\U0001f3e0\U0001f3e2\u00b0")
_find_letters = re.compile(r"[^\W\d_]").search
_find_words = re.compile(r"[^\W\d_]+").findall
_first_digit = re.compile(r"[+\d]").search
_KEYCAP = "\u20e3"


def cleaned(text: str) -> str | Reason:
    """
    Return the text of a cell in plain characters, without quotes and unseen marks around and inside.

    :return: or :data:`Reason.TOO_LONG`, or :data:`Reason.SEVERAL_NUMBERS` for a raised or circled digit.
    """
    text = text.strip().strip(WRAPPING)
    if len(text) > LONGEST_CELL:
        return Reason.TOO_LONG
    if not text.isascii() and any(map(_is_set_apart, text)):
        return Reason.SEVERAL_NUMBERS
    text = unicodedata.normalize("NFKC", text).translate(_UNSEEN).strip(WRAPPING)
    return _LONG_VOWEL_MARK.sub("-", text)


def _is_set_apart(character: str) -> bool:
    """Tell whether a character is a digit of a footnote or list: raised, in a circle or on a key."""
    if character.isascii() or character.isdecimal():
        return False
    return character == _KEYCAP or any(map(str.isdigit, unicodedata.normalize("NFKC", character)))


def damage(text: str) -> Reason | None:
    """Return what is wrong with a cell in every region, ``None`` if nothing is."""
    for reason, pattern in _DAMAGE:
        if pattern.fullmatch(text):
            return reason
    if _is_negative(text) or _is_cut_off(text):
        return Reason.NOT_A_NUMBER
    several = _holds_several(text) or _find_digits_behind(text) or _hours_before(text)
    return Reason.SEVERAL_NUMBERS if several else None


def _holds_several(text: str) -> bool:
    if text.count("+") > 1:
        return True
    tail = _other_last_digits(text)
    if tail and digits_in(tail["head"]) >= LEAST_DIGITS_OF_A_NUMBER:
        return True
    parts = _BETWEEN_NUMBERS.split(text)
    return len(parts) > 1 and sum(digits_in(part) >= LEAST_DIGITS_OF_A_NUMBER for part in parts) > 1


def digits_in(text: str) -> int:
    """Return how many digits a text has."""
    return sum(map(str.isdigit, text))


def before_tail(text: str) -> str | None:
    """
    Return what comes before digits in brackets, a few digits behind a stroke, hours or an amount at the end.

    :return: ``None`` if there are none.
    """
    hours = _hours_behind(text)
    if hours and _are_hours(int(hours["from"]), int(hours["until"])):
        return hours["head"]
    found = _brackets_behind(text) or _other_last_digits(text) or _dotted_behind(text) or _unit_behind(text)
    if not found and sum(map(text.count, ")]}")) > sum(map(text.count, "([{")):
        found = _closed_behind(text)
    return found["head"] if found else None


def _are_hours(begin: int, end: int) -> bool:
    """Tell whether two numbers may be hours of a day: ``9-17``, or ``9-5`` on a clock of twelve."""
    return begin < end <= _HOURS_OF_A_DAY or 0 < end <= begin <= _HOURS_OF_A_DAY // 2


def number_and_words(text: str) -> tuple[str, list[str]]:
    """
    Return the part of a cell from its first digit or ``+`` to its last digit, and what is on both sides besides
    punctuation and labels: words, and marks such as a cross, a question mark or a currency. Without digits it is the
    whole text.
    """
    first = _first_digit(text)
    if first is None:
        return text, []
    last = max(at for at, character in enumerate(text) if character.isdigit() or character == "+")
    around = f"{text[: first.start()]} {text[last + 1 :]}"
    marks = list(filter(_is_mark, around))
    if not _find_letters(text):
        return text, marks
    words = [word.casefold() for word in _find_words(around)]
    labels, words_for_number = _known_words()
    notes = [word for word in words if word not in labels]
    if len(notes) < len(words):
        notes = [word for word in notes if word not in words_for_number]
    return text[first.start() : last + 1], [*notes, *marks]


def before_placeholder(text: str) -> str | None:
    """Return what comes before a letter or mark that may stand for further digits; ``None`` if there is none."""
    found = _with_placeholder(text)
    return found["head"] if found else None


def _is_mark(character: str) -> bool:
    """Tell whether a symbol beside a number may say that it is not to be called, or is an amount."""
    is_symbol = unicodedata.category(character) in ("So", "Sc") or character in "?!*~\u2020\u2021\u00d7"
    return is_symbol and character not in _FOR_A_PHONE


@cache
def _known_words() -> tuple[frozenset[str], frozenset[str]]:
    """Return the labels of all languages, and the words for "number"."""
    lines = (Path(__file__).with_name("labels.txt")).read_text(encoding="utf-8").splitlines()
    words = [(language, word) for language, *found in map(str.split, lines) if language != "#" for word in found]
    for_number = {word for language, word in words if language == "number"}
    return frozenset(word for language, word in words if language != "number"), frozenset(for_number)


def letters_inside(body: str, extension: str | None) -> bool:
    """
    Tell whether letters are between the digits (``212555O1OO``); those of an extension may.

    :param body: from the first digit to the last.
    :param extension: the digits that libphonenumber took for an extension.
    """
    if extension:
        body = re.sub(r"\D*$", "", body[: body.rfind(extension)])
    return bool(_find_letters(body))
