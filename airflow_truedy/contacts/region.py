"""In which region numbers without a ``+`` are read. It is always stated, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_truedy.contacts.errors import MissingRegionError, UnknownRegionError


@dataclass(frozen=True)
class RegionColumn:
    """
    The region stands in a column of each row.

    :param name: the column; it holds ISO 3166 codes of two letters such as ``US``, in any case. A row whose
        number has no ``+`` and whose region is empty or unknown (``UK``, ``USA``) is refused.
    """

    name: str


#: An ISO 3166 code, a column that holds such codes, or ``None``: only numbers that start with ``+`` are
#: taken.
Region = str | RegionColumn | None


class Unsaid:
    """Stands where a region must be said, so that forgetting it gives a useful error."""

    def __repr__(self) -> str:
        return "<say the region>"


UNSAID = Unsaid()


def said(region: Region | Unsaid) -> Region:
    """
    Check that a region was stated and has the form of one. Whether it exists is checked when numbers are
    read.

    :raises MissingRegionError: it was not stated.
    :raises UnknownRegionError: a text that cannot be an ISO 3166 code.
    """
    if isinstance(region, Unsaid):
        raise MissingRegionError
    if isinstance(region, str) and not re.fullmatch(r"[A-Z]{2}", region):
        raise UnknownRegionError(f'region={region!r} is no ISO 3166 code of two capital letters such as "US"')
    return region


def require_known(region: str) -> None:
    """
    Check that a region has phone numbers.

    :raises UnknownRegionError: it has none, e.g. ``UK`` (the United Kingdom is ``GB``).
    """
    from phonenumbers import SUPPORTED_REGIONS

    if region not in SUPPORTED_REGIONS:
        raise UnknownRegionError(
            f'region={region!r} is no ISO 3166 code that has phone numbers (the United Kingdom is "GB")'
        )


def region_to_dict(region: Region) -> dict[str, Any]:
    """
    How a region stands in a manifest: ``{"code": "US"}``, ``{"column": "country"}`` or ``{"only": "+"}``.
    """
    if isinstance(region, RegionColumn):
        return {"column": region.name}
    return {"only": "+"} if region is None else {"code": region}
