"""
A fast path through libphonenumber's numbering plans, for digits that need no interpretation.

libphonenumber compiles and tries some thirty patterns for a number, most of them twice. Where nothing has to
be interpreted (a country code or the national prefix in front, digits behind), this module asks the same
metadata in the same order, compiled once, several times as fast. It answers only for ordinary numbers; for
everything else libphonenumber decides.

It stays only while ``make bench`` shows what it buys (``benchmarks/contacts_million.py`` prints the time without it),
and while ``tests/contacts/test_numbers.py`` holds it against libphonenumber in every region.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY, PhoneMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

#: The order in which libphonenumber asks; a number is of the first kind that matches.
_UNWANTED = ("premium_rate", "toll_free", "shared_cost")
_WANTED_EARLY = ("voip",)
_UNWANTED_LATE = ("personal_number", "pager", "uan", "voicemail")
_WANTED = ("fixed_line", "mobile")
_LONGEST_COUNTRY_CODE = 3
_E164_DIGITS = 15


class _Kind(NamedTuple):
    wanted: bool
    lengths: frozenset[int]
    matches: Callable[[str], Any]


class _Region:
    """The numbering plan of one region."""

    def __init__(self, metadata: PhoneMetadata) -> None:
        self.country_code = str(metadata.country_code)
        self.is_general = _matcher(metadata.general_desc)
        self.has_leading_digits = _pattern(metadata.leading_digits).match if metadata.leading_digits else None
        self.has_prefix = _pattern(metadata.national_prefix_for_parsing).match
        self.has_idd = _pattern(metadata.international_prefix).match
        self.replaces_prefix = bool(metadata.national_prefix_transform_rule)
        names = ((_UNWANTED, False), (_WANTED_EARLY, True), (_UNWANTED_LATE, False), (_WANTED, True))
        self.kinds = [
            _Kind(wanted, frozenset(desc.possible_length), _pattern(desc.national_number_pattern).fullmatch)
            for group, wanted in names
            for desc in (getattr(metadata, name) for name in group)
            if desc is not None and desc.national_number_pattern
        ]
        general = metadata.general_desc
        self.general_lengths = frozenset(general.possible_length if general else ())

    def is_wanted(self, nsn: str) -> bool | None:
        """Tell whether the number is an ordinary one; ``None``: it is not one of this region."""
        length = len(nsn)
        if (self.general_lengths and length not in self.general_lengths) or not self.is_general(nsn):
            return None
        for wanted, lengths, matches in self.kinds:
            if (not lengths or length in lengths) and matches(nsn):
                return wanted
        return None


def shortcut(digits: str, region: str | None) -> str | None:
    """
    Return the E.164 number of an ordinary number, if it takes no interpretation.

    :param digits: ASCII digits with or without ``+``, nothing else.
    :param region: ISO 3166 code of the region in which digits without ``+`` are read, known to exist.
    :return: ``None``: ask libphonenumber.
    """
    if digits.startswith("+"):
        country_code, nsn = _country_code_of(digits)
        main = _main_region(country_code)
        if main is None or main.has_prefix(nsn):
            return None
    elif region is None:
        return None
    else:
        home = _region(region)
        found = _national(digits, home)
        if found is None:
            return None
        country_code, nsn = home.country_code, found
    is_doubled = len(country_code) > 1 and nsn.startswith(country_code)
    if is_doubled or len(country_code) + len(nsn) > _E164_DIGITS or not _is_ordinary(country_code, nsn):
        return None
    return f"+{country_code}{nsn}"


def _national(digits: str, home: _Region) -> str | None:
    """The national significant number of digits as they are dialled at home."""
    if home.has_idd(digits):
        return None
    code = home.country_code
    prefix = home.has_prefix(digits)
    if digits.startswith(code):
        # Two readings, unless the country code is what is dialled inside the country too, as the 1 of North America.
        rest = digits[len(code) :]
        if home.is_general(digits) or not home.is_general(rest) or home.has_prefix(rest):
            return None
        return rest if not prefix or prefix[0] == code else None
    if not prefix:
        return digits
    if home.replaces_prefix or home.is_general(digits):
        return None
    return digits[prefix.end() :]


def _is_ordinary(country_code: str, nsn: str) -> bool:
    """
    Ask the regions of a country code in libphonenumber's order; the first that knows the number decides.
    """
    regions = _regions(country_code)
    if len(regions) == 1:
        return regions[0].is_wanted(nsn) is True
    for region in regions:
        if region.has_leading_digits is None:
            wanted = region.is_wanted(nsn)
            if wanted is not None:
                return wanted
        elif region.has_leading_digits(nsn):
            return region.is_wanted(nsn) is True
    return False


def _country_code_of(digits: str) -> tuple[str, str]:
    for end in range(2, _LONGEST_COUNTRY_CODE + 2):
        code = digits[1:end]
        if code in _country_codes():
            return code, digits[end:]
    return "", ""


@cache
def _country_codes() -> frozenset[str]:
    """The codes of countries, without those of satellite and other networks."""
    return frozenset(
        str(code)
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
        if REGION_CODE_FOR_NON_GEO_ENTITY not in regions
    )


@cache
def _region(code: str) -> _Region:
    metadata = PhoneMetadata.metadata_for_region(code, None)
    assert metadata is not None  # the code comes from the library itself, or was checked against it
    return _Region(metadata)


@cache
def _regions(country_code: str) -> list[_Region]:
    return [_region(code) for code in COUNTRY_CODE_TO_REGION_CODE[int(country_code)]]


@cache
def _main_region(country_code: str) -> _Region | None:
    return _regions(country_code)[0] if country_code else None


def _matcher(desc: Any) -> Callable[[str], Any]:
    return _pattern(desc.national_number_pattern if desc else None).fullmatch


def _pattern(text: str | None) -> re.Pattern[str]:
    """A pattern of the metadata; where there is none, one that matches nothing."""
    return re.compile(text or r"(?!)")
