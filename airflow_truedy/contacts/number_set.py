"""
A set of phone numbers that stays small: what millions of numbers cost is said here and measured in
benchmarks/.
"""

from __future__ import annotations

import sqlite3
from array import array

_MULTIPLIER = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: spreads neighbouring numbers over the table
_WORD = (1 << 64) - 1
_FIRST_BITS = 12


class NumberSet:
    """
    Numbers between 1 and 2**63 - 1, e.g. the digits of an E.164 number.

    A table of 64-bit words with open addressing: 12 to 24 bytes a number (1,000,000 numbers: 17 MB; a ``set``
    of ``int`` takes about 70 MB). Beyond ``in_memory`` numbers the further ones go to a temporary SQLite file
    with a cache of 16 MB: about 12 bytes of disk a number, and several times slower, but memory grows no
    more.

    :param in_memory: how many numbers are kept in memory; default 5,000,000 (67 MB, while growing 100 MB).
    """

    def __init__(self, in_memory: int = 5_000_000) -> None:
        self._in_memory = in_memory
        self._bits = _FIRST_BITS
        self._table = array("Q", bytes(8 << _FIRST_BITS))
        self._filled = 0
        self._spilled = 0
        self._disk: sqlite3.Connection | None = None

    def __len__(self) -> int:
        return self._filled + self._spilled

    def __repr__(self) -> str:
        return f"<NumberSet of {len(self)}>"

    def __contains__(self, number: int) -> bool:
        if self._table[self._slot(number)] == number:
            return True
        if self._disk is None:
            return False
        return self._disk.execute("SELECT 1 FROM seen WHERE number = ?", (number,)).fetchone() is not None

    def add(self, number: int) -> bool:
        """
        Add a number.

        :param number: 1 to 2**63 - 1.
        :return: whether it was new.
        """
        table = self._table
        mask = len(table) - 1
        slot = (number * _MULTIPLIER & _WORD) >> (64 - self._bits)
        # The loop of _slot, written out: a call for each of a million rows can be measured.
        while (kept := table[slot]) != 0:
            if kept == number:
                return False
            slot = (slot + 1) & mask
        if self._filled >= self._in_memory:
            return self._add_on_disk(number)
        table[slot] = number
        self._filled += 1
        if self._filled * 3 > len(table) * 2:
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Where the number stands in the table, or the free slot where it would."""
        table = self._table
        mask = len(table) - 1
        slot = (number * _MULTIPLIER & _WORD) >> (64 - self._bits)
        while (kept := table[slot]) != 0 and kept != number:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        numbers = self._table
        self._bits += 1
        self._table = array("Q", bytes(8 << self._bits))
        for number in numbers:
            if number:
                self._table[self._slot(number)] = number

    def _add_on_disk(self, number: int) -> bool:
        if self._disk is None:
            # "" is a private database in a temporary file, which SQLite removes by itself.
            self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000"):
                self._disk.execute(f"PRAGMA {pragma}")
            self._disk.execute("CREATE TABLE seen (number INTEGER PRIMARY KEY)")
            self._disk.execute("BEGIN")
        new = self._disk.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount == 1
        self._spilled += new
        return new
