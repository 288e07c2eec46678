"""
The people in a request, to be taken out of whatever the server writes about it.

A server that refuses a contact likes to say which: by name, in capitals, with its own idea of accents, as JSON inside
text. No log or exception of ours may repeat that.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_truedy.formats import is_email

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

_NAMES = frozenset({"first_name", "last_name", "full_name", "contact_name", "search"})
# In a file of contacts ``name`` is a person's; in a request it is a campaign's or a folder's.
_NAMES_IN_A_FILE = _NAMES | {"name"}
_GROUPS = frozenset({"custom_fields", "variables", "metadata"})
_ORDINARY = frozenset({"true", "false", "none", "null", "yes"})
_SHORTEST_NAME = 2
_SHORTEST_VALUE = 4
_FEWEST_DIGITS = 5
_LONGEST_READ = 2000
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_DIGITS = re.compile(r"\d(?:[\s().\-/\u00b7\u2010-\u2015\u2212]{0,4}\d){4,}")


class SentPeople:
    """
    Names, numbers, e-mail addresses and custom values that a request held.

    :param request: what was sent.
    """

    def __init__(self, request: Request[Any]) -> None:
        self._request = request

    def hide(self, text: str) -> str:
        """Return at most the first 2,000 characters of ``text`` with everything that was sent of a person masked."""
        text = _unescaped(text[:_LONGEST_READ])
        if not any(self._sent):
            return text
        return self._without_words(_DIGITS.sub(self._without_number, text))

    def hide_in(self, value: Any) -> Any:
        """Return a decoded JSON value in which every text is treated as in :meth:`hide`."""
        if isinstance(value, Mapping):
            return {self.hide(str(key)): self.hide_in(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.hide_in(item) for item in value]
        return self.hide(value) if isinstance(value, str) else value

    @cached_property
    def _sent(self) -> tuple[set[str], set[str]]:
        """Words, folded, and all runs of five digits of the numbers. Gathered only when there is something to hide."""
        words: set[str] = set()
        digits: set[str] = set()
        for kind, value in _personal_values(self._request):
            number = re.sub(r"\D", "", value)
            if len(number) >= _FEWEST_DIGITS:
                digits.update(number[start : start + _FEWEST_DIGITS] for start in range(len(number) - 4))
            words.update(_words(kind, value))
        return words, digits

    def _without_number(self, found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        runs = (digits[start : start + _FEWEST_DIGITS] for start in range(len(digits) - 4))
        return "***" if any(run in self._sent[1] for run in runs) else found[0]

    def _without_words(self, text: str) -> str:
        folded, where = _folded_with_places(text)
        present = [re.escape(word) for word in sorted(self._sent[0], key=len, reverse=True) if word in folded]
        if not present:
            return text
        # In scripts that write no spaces a name has no boundary.
        pattern = "|".join(rf"(?<![^\W\d_]){word}(?![^\W\d_])" if word.isascii() else word for word in present)
        shown, last = [], 0
        for found in re.finditer(pattern, folded):
            begin, end = where[found.start()], where[found.end() - 1] + 1
            shown += [text[last:begin], "***"]
            last = end
        return "".join([*shown, text[last:]])


def _personal_values(request: Request[Any]) -> Iterator[tuple[str, str]]:
    """Yield ``("name" | "value", text)`` for everything that was sent of a person."""
    yield from (("name", value) for name, value in request.query if name == "search")
    if request.file is not None:
        yield from _in_a_file(request.file.content)
    elif request.body:
        yield from _in_json(json.loads(request.body), "")


def _in_json(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _in_json(item, key if key in _GROUPS else name)
    elif isinstance(value, list):
        for item in value:
            yield from _in_json(item, key)
    elif isinstance(value, str):
        if key in _NAMES:
            yield "name", value
        elif key in _GROUPS or key in ("phone_number", "from_number", "email"):
            yield "value", value


def _in_a_file(content: bytes) -> Iterator[tuple[str, str]]:
    rows = csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    # What cannot be read as CSV is not worth an error in place of the one that is being told.
    with suppress(csv.Error):
        header = [name.strip().lower() for name in next(rows, [])]
        for row in rows:
            for name, value in zip(header, row, strict=False):
                yield ("name" if name in _NAMES_IN_A_FILE else "value"), value


def _words(kind: str, value: str) -> Iterator[str]:
    """Yield the forms, folded, under which a server may repeat a value."""
    if is_email(value):
        kind, value = "name", value.partition("@")[0]
    if kind == "value":
        forms, shortest = {value}, _SHORTEST_VALUE
    else:
        letters = re.findall(r"[^\W\d_]+", value)
        # O'Brien-Lee also comes as OBrien Lee.
        names = ["".join(re.findall(r"[^\W\d_]", part)) for part in re.split(r"[\s\-_.,]+", value)]
        forms, shortest = {value, *letters, *names, "".join(letters), "".join(letters[::-1])}, _SHORTEST_NAME
    for form in forms:
        for word in {_folded(form), _folded(form.lower().translate(_UMLAUTS))}:
            if len(word) >= shortest and word not in _ORDINARY and any(map(str.isalpha, word)):
                yield word


def _folded(text: str) -> str:
    return " ".join(_folded_with_places(text)[0].split())


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """Return the text without case and accents, and where each of its characters stood."""
    characters, places = [], []
    for place, character in enumerate(text):
        for each in unicodedata.normalize("NFKD", character).casefold():
            if not unicodedata.combining(each):
                characters.append(each)
                places.append(place)
    return "".join(characters), places


def _unescaped(text: str) -> str:
    """Undo what HTML, JSON and addresses do to letters."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    # Two escapes of JSON may be one character; half of one cannot be printed.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = html.unescape(text)
    return unquote(text) if "%" in text else text
