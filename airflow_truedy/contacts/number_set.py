"""Compact sets of phone numbers and of their digests; the memory that millions take is stated at each."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from pyroaring import BitMap64

_BUCKETS = 8  # bits
#: In Argentina a mobile is +54 9 and ten digits from abroad, and mostly +54 and ten digits too. Nobody else has either.
_ARGENTINE_MOBILES = range(549_0000000000, 550_0000000000)
_ARGENTINE_OTHERS = range(54_0000000000, 55_0000000000)
_ARGENTINE_NINE = _ARGENTINE_MOBILES.start - _ARGENTINE_OTHERS.start


def writings_of(number: int) -> tuple[int, ...]:
    """Return all numbers, as digits, that ring the same telephone as this one: itself and, maybe, another."""
    if number in _ARGENTINE_MOBILES:
        return number, number - _ARGENTINE_NINE
    if number in _ARGENTINE_OTHERS:
        return number, number + _ARGENTINE_NINE
    return (number,)


class NumberSet:
    """
    Phone numbers, each as the digits of its E.164 form. Two that ring the same telephone are one.

    A compressed bitmap: 1,000,000 numbers of two countries take 2 to 14 MB, 5,000,000 take 30 MB.
    """

    def __init__(self) -> None:
        self._numbers = BitMap64()

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return f"<NumberSet of {len(self)}>"

    def __contains__(self, number: int) -> bool:
        return (number if number not in _ARGENTINE_MOBILES else number - _ARGENTINE_NINE) in self._numbers

    def add(self, number: int) -> bool:
        """
        Add a number, 0 to 2**64 - 1.

        :return: whether it was new.
        """
        if number in _ARGENTINE_MOBILES:
            number -= _ARGENTINE_NINE
        if number in self._numbers:
            return False
        self._numbers.add(number)
        return True


class DigestSet:
    """
    Digests, of which the first 64 bits are kept: 8 bytes for each.

    They are spread too evenly for a bitmap. Among 10 million digests and 1 million numbers, the chance that one number
    is taken for another's is about one in two million.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(1 << _BUCKETS)]
        self._is_sorted = True

    def add(self, digest: bytes) -> None:
        """Add a digest of 8 bytes or more."""
        self._buckets[digest[0]].append(int.from_bytes(digest[:8], "big"))
        self._is_sorted = False

    def __contains__(self, digest: bytes) -> bool:
        if not self._is_sorted:
            self._buckets = [array("Q", sorted(bucket)) for bucket in self._buckets]
            self._is_sorted = True
        bucket, wanted = self._buckets[digest[0]], int.from_bytes(digest[:8], "big")
        at = bisect_left(bucket, wanted)
        return at < len(bucket) and bucket[at] == wanted
