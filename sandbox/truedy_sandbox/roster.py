"""The contacts of one batch, packed: about 100 bytes each, so that a million fit."""

from __future__ import annotations

import json
import zlib
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 500


class Roster:
    """
    Contacts in the order they were added; a number comes in only once unless duplicates are allowed.

    :param allow_duplicates: keep the same number twice.
    """

    def __init__(self, allow_duplicates: bool = False) -> None:
        self._allow_duplicates = allow_duplicates
        self._numbers = array("Q")
        self._known: set[int] = set()
        self._blocks: list[bytes] = []
        self._open: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, contacts: Iterable[dict[str, Any]]) -> int:
        """Add contacts and return how many came in; the others were there already."""
        before = len(self._numbers)
        for contact in contacts:
            number = int(contact["phone_number"][1:])
            if number in self._known and not self._allow_duplicates:
                continue
            self._known.add(number)
            self._numbers.append(number)
            self._open.append({k: v for k, v in contact.items() if k != "phone_number" and v is not None})
            if len(self._open) == _BLOCK:
                self._blocks.append(zlib.compress(json.dumps(self._open).encode(), 1))
                self._open = []
        return len(self._numbers) - before

    def number(self, index: int) -> str:
        """Return the E.164 number of one contact."""
        return f"+{self._numbers[index]}"

    def numbers(self) -> Iterator[str]:
        """Return all numbers in order."""
        return (f"+{number}" for number in self._numbers)

    def rows(self, indexes: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Return the whole contacts at some places, a block unpacked once per run of neighbours."""
        unpacked = -1
        block: list[dict[str, Any]] = []
        for index in indexes:
            at, place = divmod(index, _BLOCK)
            if at != unpacked:
                block = self._unpack(at)
                unpacked = at
            yield index, {"phone_number": self.number(index), **block[place]}

    def _unpack(self, at: int) -> list[dict[str, Any]]:
        if at == len(self._blocks):
            return self._open
        block: list[dict[str, Any]] = json.loads(zlib.decompress(self._blocks[at]))
        return block
