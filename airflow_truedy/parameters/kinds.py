"""Kinds of parameters: each takes a rendered value and returns what it means, or raises :class:`NotOfKindError`."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

Kind = Callable[[Any], Any]

_NOTHING = ("", "None", "null")
#: Stands for the id of a batch call that a dry run only planned.
ONLY_PLANNED = "(only planned by a dry run)"


class NotOfKindError(ValueError):
    """A value that is not of its parameter's kind. Its text is the rule, such as "must be true or false"."""


def text(value: Any, also: type = str) -> Any:
    """Text, or what is of another type; a number that native rendering made of digits is text again."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, (str, also)):
        raise NotOfKindError(f"must be text{_hint(value)}")
    return None if isinstance(value, str) and value.strip() in _NOTHING else value


#: A datetime, or text that gives one.
moment = partial(text, also=datetime)


def place(value: Any) -> Any:
    """A path or URI: text, or a path object such as Airflow's ``ObjectStoragePath``."""
    return str(value) if hasattr(value, "joinpath") else text(value)


def day(value: Any) -> date | None:
    """A date, also as text. Of a moment nobody could say in which zone its day is meant."""
    if type(value) is date:
        return value
    found = anything(value)
    if found is None:
        return None
    try:
        if isinstance(found, str) and len(found) == len("2026-12-01"):
            return date.fromisoformat(found)
    except ValueError:
        pass
    raise NotOfKindError(f"must be a date such as 2026-12-01, without a time of day{_hint(value)}")


#: Endings of files that are often given as contacts.
_NO_FILES = (".parquet", ".xlsx", ".xls", ".tsv", ".txt")


def contacts(value: Any) -> Any:
    """People, or where they are; read by the task. Here only what is surely a mistake is refused."""
    if not isinstance(value, (list, tuple)):
        if rule := _not_contacts(value):
            raise NotOfKindError(rule)
        return anything(value)
    for place, one in enumerate(value, 1):
        if not isinstance(one, Mapping) or not one:
            found = f"is a list with {type(one).__name__} in place {place}: each person is a mapping with phone_number"
            raise NotOfKindError(_not_contacts(one) or found)
    if value and all("uri" in one for one in value):
        raise NotOfKindError(
            "is a list of manifests, one for each part of a split list: make a task of each with "
            ".partial(...).expand(contacts=...)"
        )
    return value


def contacts_or_parts(value: Any) -> Any:
    """What :func:`contacts` takes, or a list of manifests, which mapped tasks take one by one."""
    return value if isinstance(value, (list, tuple)) and are_manifests(value) else contacts(value)


def manifests(value: Any) -> Any:
    """One contacts manifest or a list of them, also as text."""
    found = collection(value)
    if found is None:
        return []
    several = [found] if isinstance(found, Mapping) or not hasattr(found, "__iter__") else list(found)
    if not are_manifests(several):
        raise NotOfKindError("must be the manifest, or the list of manifests, of an earlier list")
    return several


def are_manifests(values: Collection[Any]) -> bool:
    """Return whether values are contacts manifests, one or more."""
    return bool(values) and all(isinstance(one, Mapping) and "uri" in one for one in values)


def _not_contacts(value: Any) -> str | None:
    """Return what people are often given as, and what to write instead."""
    if hint := _hint(value):
        return f"must be people, or where they are{hint}"
    if hasattr(value, "iterrows"):
        return "is a DataFrame: make a contacts file of it with contacts_from_rows"
    if callable(value):
        return "is a function: give what it returns"
    if isinstance(value, (bool, int, float)):
        return "is a number: people are a list of mappings with phone_number"
    if isinstance(value, Mapping) and not value:
        return "is an empty mapping: people are a list of mappings with phone_number"
    if value is not None and (isinstance(value, bytes) or not hasattr(value, "__iter__")):
        return f"is {type(value).__name__}: people are a list of mappings with phone_number"
    if isinstance(value, str) and value.lower().endswith(_NO_FILES):
        return "is not a file of contacts, which is JSON Lines or CSV: make one of it with FileToContactsOperator"
    if isinstance(value, str) and value.lower().split(maxsplit=1)[:1] in (["select"], ["with"]):
        return "is a query: make contacts of its rows with SqlToContactsOperator"
    return None


def anything(value: Any) -> Any:
    """Whatever it is, ``None`` for blank text."""
    return None if isinstance(value, str) and value.strip() in _NOTHING else value


def truth(value: Any) -> bool:
    """``True`` or ``False``, also as text. ``"no"`` must not count as true."""
    found = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise NotOfKindError("must be true or false")
    return found


def optional(kind: Kind) -> Kind:
    """Return the kind of what may be left out; ``None`` then."""
    return lambda value: None if anything(value) is None else kind(value)


def number(at_least: float) -> Kind:
    """Return the kind of a number that is not smaller, also as text."""
    return _numeric((int, float), at_least, f"must be a number, {at_least} or more")


def whole(at_least: int) -> Kind:
    """Return the kind of a whole number that is not smaller, also as text."""
    return _numeric((int,), at_least, f"must be a whole number, {at_least} or more")


def amount(value: Any) -> Decimal:
    """A decimal number greater than 0, also as text; a float counts as it is written."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal(0)
    if isinstance(value, bool) or not found.is_finite() or found <= 0:
        raise NotOfKindError("must be a number greater than 0, such as '0.085'")
    return found


def _numeric(types: tuple[type[float], ...], at_least: float, rule: str) -> Kind:
    def kind(value: Any) -> Any:
        found: Any = value
        if isinstance(value, str):
            try:
                found = json.loads(value)
            except ValueError:
                found = None
        if isinstance(found, bool) or not isinstance(found, types) or not at_least <= found < math.inf:
            raise NotOfKindError(rule)
        return found

    return kind


_seconds = _numeric((int, float), 0, "must be seconds (0 or more) or a timedelta")


def seconds(value: Any) -> float:
    """A duration: a number of seconds, or a timedelta."""
    return float(_seconds(value.total_seconds() if isinstance(value, timedelta) else value))


def one_of(*words: str) -> Kind:
    """Return the kind of a choice between words."""

    def kind(value: Any) -> Any:
        if value not in words:
            raise NotOfKindError(f"must be one of {', '.join(words)}")
        return value

    return kind


def items(value: Any) -> Any:
    """A list, also as text: JSON, or as Python or YAML write it."""
    found = collection(value)
    if found is None or (isinstance(found, Collection) and not isinstance(found, (str, bytes, Mapping))):
        return found
    raise NotOfKindError(f"must be a list{_hint(value)}")


def several(value: Any) -> tuple[str, ...]:
    """One text or a list of them, without empty ones; nothing is an empty list."""
    found = collection(value)
    many = [found] if isinstance(found, str) else items(found) or []
    if not all(isinstance(each, str) for each in many):
        raise NotOfKindError("must be text or a list of texts")
    return tuple(each.strip() for each in many if each.strip() not in _NOTHING)


def mapping(value: Any) -> Any:
    """A mapping of names to values, also as text: JSON, or as Python or YAML write it."""
    found = collection(value)
    if found is None or isinstance(found, Mapping):
        return found
    raise NotOfKindError(f"must be a mapping of names to values{_hint(value)}")


def batch_call(value: Any) -> str:
    """
    The id of one batch call: an id, or the dict that ``CreateBatchCallOperator`` returns, also as text.

    ``ONLY_PLANNED`` for what a dry run returned.
    """
    rule = "must be the id of a batch call, or the dict that CreateBatchCallOperator returns"
    # Ids are opaque: only what looks like a mapping is read as one, so that "123" or "1e5" stays an id.
    given = collection(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    if is_only_planned(given):
        return ONLY_PLANNED
    found = given.get("batch_call_id") if isinstance(given, Mapping) else given
    if given is None or (isinstance(found, str) and found.strip() in ("", "None")):
        raise NotOfKindError(f"is empty; it {rule}")
    if not isinstance(found, str):
        raise NotOfKindError(f"{rule}{_hint(value) or f', not {type(value).__name__}'}")
    if len(re.split(r"[\s,;]+", found.strip())) > 1:
        # Read as one id, it would be one that nobody knows.
        raise NotOfKindError(f"{rule}; give several as a list")
    return found.strip()


def is_only_planned(value: Any) -> bool:
    """Return whether a value is what a dry run returned for a batch call that does not exist."""
    return isinstance(value, Mapping) and value.get("dry_run") is True and not value.get("batch_call_id")


def batch_calls(value: Any) -> list[str]:
    """The ids of several batch calls, each once: what :func:`batch_call` takes, or a list, also empty or as text."""
    given = collection(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "(") else value
    many = [given] if isinstance(given, (str, Mapping)) or not hasattr(given, "__iter__") else list(given)
    return list(dict.fromkeys(map(batch_call, many)))


def collection(value: Any) -> Any:
    """A list or mapping, also as text; anything else stays as it is, ``None`` for blank text."""
    value = anything(value)
    if not isinstance(value, str):
        return value
    for parse in (json.loads, ast.literal_eval, _yaml):
        try:
            found = parse(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, (list, tuple, set, dict)):
            return found
    return value


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("not YAML") from None


def _hint(value: Any) -> str:
    """Return what to write where a whole task was given in place of its output."""
    name = getattr(value, "task_id", None)
    return f": task {name!r} itself was given; write its output, such as {name}.output" if name else ""
