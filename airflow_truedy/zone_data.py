"""
Zones by the newest database there is: leaf of the package.

Python reads the database of the system first, which may be years old: one from 2025 is an hour wrong in Vancouver,
Edmonton and Winnipeg since the autumn of 2026. Here the newer one of the system's and the package ``tzdata`` counts.
"""

from __future__ import annotations

import re
import zoneinfo
from functools import cache, lru_cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

_is_version = re.compile(r"\d{4}[a-z]").fullmatch
#: Names that cannot lead out of the database's folder.
_is_name = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*").fullmatch
# In the zone directory, but fixed offsets: where there is daylight saving time, an hour beside the clock on the wall.
_FIXED = ("EST", "HST", "MST")
# In the zone directory, but no region's: this machine's own, a rule for others, and copies that count leap seconds.
_is_no_region = re.compile(r"(localtime|posixrules|Factory|(right|posix)/.*)", re.IGNORECASE).fullmatch


def region_zone(name: object) -> ZoneInfo:
    """
    Return the zone of a region, by the newer database.

    :raises ValueError: if ``name`` is none; the text is what follows the name in an error.
    """
    if isinstance(name, str) and _is_no_region(name):
        raise ValueError("is not the zone of a region. Write one such as 'America/New_York'.")
    if name in _FIXED:
        raise ValueError(
            "has no daylight saving time, so it is not the clock of a region. Write the IANA zone of a place, such as "
            "'America/New_York', 'America/Phoenix' or 'Pacific/Honolulu'."
        )
    zone = newest_zone(name) if isinstance(name, str) else None
    if zone is None:
        raise ValueError("is not an IANA zone. Write one such as 'America/New_York' or 'UTC'.")
    return zone


def is_same_zone(one: str, other: str) -> bool:
    """Whether two names mean one zone, such as ``US/Eastern`` and ``America/New_York``. An alias is a copied file."""
    if one == other:
        return True
    first, second = _content_of(one), _content_of(other)
    return first is not None and first == second


def _content_of(name: str) -> bytes | None:
    try:
        region_zone(name)
        for folder in map(Path, zoneinfo.TZPATH):
            if (folder / name).is_file():
                return (folder / name).read_bytes()
        return package_file(name).read_bytes()
    except (ValueError, OSError):
        return None


@lru_cache(maxsize=2_000)
def newest_zone(name: str) -> ZoneInfo | None:
    """
    Return a zone by the newer database, or by the other one if only that has it; ``None`` if there is none.

    One object for each name, which cannot be pickled.
    """
    if not _is_name(name):
        return None
    if _version_of_system() > _version_of_package():
        return system_zone(name) or _package_zone(name)
    return _package_zone(name) or system_zone(name)


@lru_cache(maxsize=2_000)
def system_zone(name: str) -> ZoneInfo | None:
    """Return a zone as Python finds it; ``None`` if there is none."""
    try:
        return ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def package_file(name: str) -> Path:
    """Return a file of the package ``tzdata``, whether it is there or not."""
    return Path(str(files("tzdata"))) / "zoneinfo" / name


def _package_zone(name: str) -> ZoneInfo | None:
    try:
        with package_file(name).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        return None


@cache
def _version_of_package() -> str:
    return str(import_module("tzdata").IANA_VERSION)


@cache
def _version_of_system() -> str:
    for folder in map(Path, zoneinfo.TZPATH):
        for name in ("tzdata.zi", "+VERSION"):
            if (folder / name).is_file():
                with (folder / name).open(encoding="utf-8") as file:
                    words = file.readline().split()
                if words and _is_version(words[-1]):
                    return words[-1]
    return ""
