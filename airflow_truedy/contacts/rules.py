"""The rules by which a list of contacts is made: one object, built by the operators."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_truedy.contacts.columns import Columns
from airflow_truedy.contacts.errors import MissingColumnError, UnknownRegionError
from airflow_truedy.contacts.reasons import ALLOWABLE, Reason
from airflow_truedy.contacts.regions import REGIONS
from airflow_truedy.files.formats import told_columns

if TYPE_CHECKING:
    from airflow_truedy.calling_hours.policy import CallingHours
    from airflow_truedy.contacts.consent import Consent

_WORDS_FOR_A_REGION = {"UK": "GB", "EN": "GB", "USA": "US", "U.S.": "US", "GER": "DE", "GERMANY": "DE"}


@dataclass(frozen=True)
class RegionColumn:
    """
    The region is in a column of each row.

    :param name: the column; it holds ISO 3166 codes of two letters such as ``US``, in any case. A row whose number
        has no ``+`` and whose region is empty or unknown (``UK``, ``USA``) is refused.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"RegionColumn: {self.name!r} is not the name of a column")


#: In which region numbers without ``+`` are read: an ISO 3166 code, a column that holds such codes, or ``None``: only
#: numbers that start with ``+`` are taken.
Region = str | RegionColumn | None
#: Which row stays when several have one number. ``"last"`` writes the rows to disk once; ``"fail"`` keeps the first
#: and fails after the files are written.
Duplicates = Literal["first", "last", "fail"]
OnEmpty = Literal["fail", "skip"]
_DUPLICATES: tuple[Duplicates, ...] = ("first", "last", "fail")


@dataclass(frozen=True, kw_only=True)
class ContactRules:
    """
    The rules that decide which rows become contacts, and how.

    :param region: in which region numbers without ``+`` are read: an ISO 3166 code such as ``"US"``, a
        ``RegionColumn("country")``, or ``None``: only numbers with ``+`` are taken. There is no default.
    :param columns: which columns become which fields: a ``Columns``, or its fields as a mapping. Default: the number
        alone, from ``phone_number``.
    :param allow: codes of kinds of numbers to take besides landlines, mobiles and VoIP numbers: ``extension`` (the
        number is taken and its extension dropped), ``toll_free``, ``premium_rate``, ``shared_cost``,
        ``personal_number``, ``pager``, ``uan``, ``voicemail``, ``global_network``. Default: none.
    :param duplicates: which row stays when several have one number: ``"first"`` (default), ``"last"``, or ``"fail"``:
        the files are written and the task fails.
    :param suppression: do-not-call lists, or one of them: anything whose method ``open`` returns a
        :class:`~airflow_truedy.contacts.suppression.Suppression`. Default: none.
    :param max_rejected: fail, after the files are written, when more rows than this are refused (duplicates and
        suppressed rows do not count): an ``int`` is a number of rows, a ``float`` a share of the rows read. Default: no
        limit.
    :param on_empty: what happens when no row became a contact: ``"fail"``, or ``"skip"`` the task; both after the files
        are written. Default: neither, the list is empty.
    :param consent: consent that each row has to show. Default: none is asked for.
    :param calling_hours: when people may be called: a
        :class:`~airflow_truedy.calling_hours.policy.CallingHours`. Whoever cannot be placed is refused, and the list is
        split by the hours in which its people may be called, into as few parts as that leaves. Default: it is not known
        here when anybody may be called.
    :param split_by: column by whose values the list is split; rows where it is empty are a part of their own, a value
        of more than 200 characters refuses its row. Default: the list is not split.
    :param max_splits: how many parts there may be. Each takes about 0.3 MB of memory. Parts with different hours are
        merged into hours that suit all of their people until there are no more. Default 50.
    :raises UnknownRegionError: ``region`` is not an ISO 3166 code that has phone numbers.
    :raises MissingColumnError: ``columns`` has a field that does not exist.
    :raises ValueError: another value cannot be; or ``split_by`` is a column of people.
    """

    region: Region
    columns: Columns = field(default_factory=Columns)
    allow: frozenset[Reason] = frozenset()
    duplicates: Duplicates = "first"
    suppression: Any = ()
    max_rejected: int | float | None = None
    on_empty: OnEmpty | None = None
    consent: Consent | None = None
    calling_hours: CallingHours | None = None
    split_by: str | None = None
    max_splits: int = 50

    def __post_init__(self) -> None:
        check_region(self.region)
        object.__setattr__(self, "columns", columns_of(self.columns))
        object.__setattr__(self, "allow", allowed(self.allow))
        check_suppression(self.suppression)
        if self.max_rejected is not None:
            check_limit("max_rejected", self.max_rejected, "rows")
        if self.duplicates not in _DUPLICATES:
            raise ValueError(f"duplicates={self.duplicates!r} is none of {_DUPLICATES}")
        if self.split_by is not None and (not isinstance(self.split_by, str) or not self.split_by):
            raise ValueError(f"split_by={self.split_by!r} is not the name of a column")
        if type(self.max_splits) is not int or self.max_splits < 1:
            raise ValueError(f"max_splits={self.max_splits!r} must be a whole number, 1 or more")
        if self.split_by is not None and self.split_by in self.columns.personal():
            raise ValueError(f"split_by={self.split_by!r}: its values get into file names and XCom")
        if self.on_empty not in (None, "fail", "skip"):
            raise ValueError(f"on_empty={self.on_empty!r} is neither 'fail' nor 'skip'")
        for name, kind in (("consent", "Consent"), ("calling_hours", "CallingHours")):
            if (value := getattr(self, name)) is not None and type(value).__name__ != kind:
                raise ValueError(f"{name}= takes a {kind}, not {type(value).__name__}")

    @property
    def is_split(self) -> bool:
        """Tell whether the list may become several files."""
        return self.split_by is not None or self.calling_hours is not None

    def named(self) -> set[str]:
        """Return every column that these rules name."""
        region = {self.region.name} if isinstance(self.region, RegionColumn) else set()
        split = set() if self.split_by is None else {self.split_by}
        consent = self.consent.named() if self.consent else set()
        place = self.calling_hours.columns.named() if self.calling_hours else set()
        return self.columns.named() | region | split | consent | place

    def found_in(self, present: Iterable[str]) -> ContactRules:
        """
        Return these rules with the columns named as the rows have them: upper and lower case may differ.

        :param present: the columns that there are.
        :raises MissingColumnError: some do not exist.
        """
        there, region = {*present}, self.region
        named: dict[Any, Any] = {}
        for name in self.named() - there:
            named[name] = column_called(name, there)
        missing = sorted(str(name) for name, found in named.items() if found is None)
        if missing:
            raise MissingColumnError(f"No column {missing} in the rows; there are {told_columns(there)}")
        if not named:
            return self
        return replace(
            self,
            columns=self.columns.renamed(named),
            region=RegionColumn(named.get(region.name, region.name)) if isinstance(region, RegionColumn) else region,
            split_by=named.get(self.split_by, self.split_by),
            consent=self.consent and self.consent.renamed(named),
            calling_hours=self.calling_hours
            and replace(self.calling_hours, columns=self.calling_hours.columns.renamed(named)),
        )


def column_called(name: str, present: Iterable[Any]) -> str | None:
    """Return the column with this name; upper and lower case may differ where that leaves one. Else ``None``."""
    there = list(present)
    if name in there:
        return name
    alike = [each for each in there if isinstance(each, str) and each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def columns_of(stated: Columns | Mapping[str, Any] | None) -> Columns:
    """
    Return the columns that a Dag author stated, as an object or as a mapping.

    :raises MissingColumnError: a field that does not exist.
    """
    if stated is None or isinstance(stated, Columns):
        return stated or Columns()
    if not isinstance(stated, Mapping):
        raise MissingColumnError(
            'columns must be a mapping of fields to your columns, such as {"phone_number": "mobile"}'
        )
    unknown = sorted(map(str, set(stated) - set(Columns.__dataclass_fields__)))
    if unknown:
        raise MissingColumnError(
            f"columns: {unknown} are not fields of a contact. They are {list(Columns.__dataclass_fields__)}, such as "
            'columns={"phone_number": "mobile"}; any other value is one of custom_fields'
        )
    return Columns(**stated)


def allowed(kinds: Iterable[Reason | str]) -> frozenset[Reason]:
    """
    Return the kinds of numbers for their codes.

    :raises ValueError: a code is not one of those that may be allowed.
    """
    if not isinstance(kinds, Iterable):
        raise ValueError(f"allow={kinds!r} must be a list of kinds such as ['toll_free']")
    codes = [kinds] if isinstance(kinds, str) else list(kinds)
    known = {reason.value for reason in ALLOWABLE}
    unknown = sorted(str(code) for code in codes if code not in known)
    if unknown:
        raise ValueError(f"Cannot allow {unknown}; the kinds are {sorted(known)}")
    return frozenset(Reason(code) for code in codes)


def check_region(region: Region) -> None:
    """
    Check that a region has phone numbers.

    :raises UnknownRegionError: a value that is not the ISO 3166 code of one.
    """
    if region is None or isinstance(region, RegionColumn) or (isinstance(region, str) and region in REGIONS):
        return
    word = str(region).strip().upper()
    known = _WORDS_FOR_A_REGION.get(word, word if word in REGIONS else None)
    hint = f'did you mean "{known}"?' if known else 'such as "US" or "GB".'
    raise UnknownRegionError(
        f"region={region!r} is not an ISO 3166 code of two capital letters that has phone numbers, {hint} Say "
        'RegionColumn("country") for a column that holds such codes, None to take numbers with + only'
    )


def check_suppression(suppression: Any) -> None:
    """
    Check that do-not-call lists are stated as such.

    :raises ValueError: something else is among them, such as a path or a list of numbers.
    """
    sources = [suppression] if hasattr(suppression, "open") or isinstance(suppression, str) else suppression
    if not isinstance(sources, (list, tuple)) or any(
        not hasattr(source, "open") or hasattr(source, "read_text") or isinstance(source, type) for source in sources
    ):
        raise ValueError(
            'suppression must be a do-not-call list or several, such as FileSuppression("dnc.csv", region="US") or '
            "SqlSuppression(...); it is not shown, it may hold people"
        )


def check_limit(name: str, limit: Any, of: str) -> None:
    """
    Check a limit that is a number or a share.

    :param of: what it counts.
    :raises ValueError: it is neither.
    """
    is_number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
    if not is_number or not 0 <= limit <= (1 if isinstance(limit, float) else math.inf):
        raise ValueError(
            f"{name}={limit!r} must be a whole number of {of} such as 20, or a share of them from 0.0 to 1.0 such as "
            "0.05"
        )


def check_list(where: str, stated: Any) -> None:
    """
    Check what a do-not-call list states; text such as "no" must not count as true.

    :param where: what the list is called in errors.
    :param stated: an object with ``region``, ``hashed``, ``salt``, ``max_age``, ``max_unreadable`` and
        ``allow_empty``.
    :raises UnknownRegionError: its region is not stated, or cannot be one.
    :raises ValueError: another value cannot be.
    """
    for name in ("hashed", "allow_empty"):
        if not isinstance(getattr(stated, name), bool):
            raise ValueError(f"{where}: {name}={getattr(stated, name)!r} must be True or False")
    check_list_region(stated.region, stated.hashed)
    check_limit(f"{where}: max_unreadable", stated.max_unreadable, "entries")
    age = stated.max_age
    if age is not None and (not isinstance(age, timedelta) or age <= timedelta(0)):
        raise ValueError(f"{where}: max_age={age!r} must be a timedelta of more than nothing")
    if stated.salt is not None and not isinstance(stated.salt, str):
        raise ValueError(f"{where}: salt must be text; it is not shown")


def check_list_region(region: str | None, hashed: bool) -> None:
    """
    Check the region of a do-not-call list; a list of digests needs none.

    :raises UnknownRegionError: it is not stated, or cannot be one.
    """
    if region is not None and not isinstance(region, str):
        raise UnknownRegionError(f"region={region!r}: a do-not-call list has cells, not rows; state one region for all")
    if not hashed:
        check_region(region)


def region_to_dict(region: Region) -> dict[str, str]:
    """
    Return a region as a manifest has it: ``{"code": "US"}``, ``{"column": "country"}`` or ``{"only": "+"}``.
    """
    if isinstance(region, RegionColumn):
        return {"column": region.name}
    return {"only": "+"} if region is None else {"code": region}
