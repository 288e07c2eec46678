"""
Parameters of operators, declared once each: kind, whether templated, whether it may render to nothing.

The same declaration is checked while a Dag is parsed, as far as values are known then, and read in the run. ::

    PARAMETERS = Parameters(
        Parameter("agent_id", text),
        Parameter("working_days", items, may_vanish=False),
        Parameter("on_past", one_of("fail", "start_now", "skip")),
        Parameter("chunk_size", whole(1), templated=False),
    )

    class SomeOperator(BaseOperator):
        template_fields = PARAMETERS.template_fields

        def __init__(self, ...):
            ...
            self._stated = PARAMETERS.check(self)

        def execute(self, context):
            values = PARAMETERS.read(self, self._stated)

A kind is a function: it takes a rendered value and returns what it means, or raises :class:`NotOfKindError`.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.compat import XComArg
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.operators.private_fields import PrivateValue, reveal
from airflow_truedy.operators.restrictions import ONLY_PLANNED, is_only_planned

Kind = Callable[[Any], Any]

#: The rule of a parameter that is stated and may not render to nothing.
VANISHED = "its template rendered to nothing; leave the parameter out if that is meant"

_NOTHING = ("", "None", "null")
_SHOWN = 60


class NotOfKindError(ValueError):
    """A value that is not of its parameter's kind. Its text is the rule, such as "must be true or false"."""


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of an operator.

    :param name: as the author of a Dag writes it.
    :param kind: what its values are; one of the functions below.
    :param templated: whether it is a template field. Default: yes, for whatever varies from run to run.
    :param may_vanish: whether a stated value may render to nothing and then counts as left out. Default: yes.
    :param required: whether it must be stated, in the Dag as in the run. Default: no.
    :param attribute: where the operator keeps it. Default: ``name``.
    """

    name: str
    kind: Kind
    templated: bool = True
    may_vanish: bool = True
    attribute: str = ""
    required: bool = False

    def value_in(self, operator: Any) -> Any:
        """Return what the operator was given."""
        return getattr(operator, self.attribute or self.name)

    def read(self, operator: Any) -> tuple[Any, list[tuple[str, str, str]]]:
        """Return what the operator's value means, and what is wrong with it."""
        value = self.value_in(operator)
        try:
            return self.kind(reveal(value)), []
        except NotOfKindError as refused:
            return None, [self.problem(value, str(refused))]

    def unstated(self, value: Any) -> str | None:
        """Return which rule a required value breaks while the Dag is parsed; a number of digits is not text yet."""
        bare = reveal(value)
        if self.required and anything(bare) is None:
            return "must be stated"
        return "must be text" if self.required and self.kind is text and isinstance(bare, int) else None

    def problem(self, value: Any, rule: str) -> tuple[str, str, str]:
        """Return the problem with a value, as :class:`InvalidPayloadError` takes it; people are not shown."""
        shown = type(value.value).__name__ if isinstance(value, PrivateValue) else repr(value)
        return (self.name, shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...", rule)


@dataclass(frozen=True)
class Stated:
    """
    What a Dag states about a task.

    :param names: the parameters that are given, whatever they render to.
    :param known: what each parameter means, by name; ``None`` for a template, and for what may hold people.
    """

    names: frozenset[str]
    known: Mapping[str, Any]


class Parameters:
    """
    All parameters of an operator, in the order in which they are rendered.

    :param declared: the parameters; another table may stand among them.
    """

    def __init__(self, *declared: Parameter | Parameters) -> None:
        nested = (each if isinstance(each, Parameters) else (each,) for each in declared)
        self._all = tuple(chain.from_iterable(nested))

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._all)

    @property
    def template_fields(self) -> Sequence[str]:
        """The attributes that Airflow renders."""
        return tuple(each.attribute or each.name for each in self if each.templated)

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of these parameters alone."""
        return {each.name: values[each.name] for each in self}

    def check(self, operator: Any) -> Stated:
        """
        Check what is known while the Dag is parsed, and return what is stated.

        :param operator: whose ``__init__`` has set all attributes; also a do-not-call list, which has no task yet.
        :raises InvalidPayloadError: naming the task or class, each parameter, its value and the rule.
        """
        names: set[str] = set()
        known: dict[str, Any] = {}
        problems = []
        for each in self:
            value = each.value_in(operator)
            known[each.name] = None
            if value is not None and not (isinstance(value, str) and not value):
                names.add(each.name)
            if rule := each.unstated(value):
                problems.append(each.problem(value, rule))
            elif not is_template(value):
                meant, found = each.read(operator)
                problems += found
                known[each.name] = None if isinstance(value, PrivateValue) else meant
            elif not each.templated:
                problems.append(each.problem(value, "is decided in the Dag and cannot be a template"))
        if problems:
            is_task = hasattr(operator, "task_id")
            where = f"task {operator.task_id!r}" if is_task else type(operator).__name__
            raise InvalidPayloadError(where, problems=problems)
        return Stated(frozenset(names), known)

    def read(self, operator: Any, stated: Stated) -> dict[str, Any]:
        """
        Return what the rendered parameters mean, by name.

        :param stated: the answer of :meth:`check`.
        :raises InvalidPayloadError: naming each parameter, its value and the rule.
        """
        values, problems = {}, []
        for each in self:
            values[each.name], found = each.read(operator)
            if not found and values[each.name] is None and each.name in stated.names:
                found = [] if each.may_vanish and not each.required else [(each.name, "(nothing)", VANISHED)]
            problems += found
        if problems:
            raise InvalidPayloadError("invalid parameter", problems=problems)
        return values


def is_template(value: Any) -> bool:
    """Return whether a parameter is not known yet while the Dag is parsed: a template, or another task's output."""
    if isinstance(value, PrivateValue):
        return is_template(value.value)
    if hasattr(value, "task_id"):
        return False  # A whole task in place of its output. Airflow would look into its parameters.
    if isinstance(value, str):
        return "{{" in value or "{%" in value or value.endswith((".json", ".yaml", ".yml"))
    if isinstance(value, Mapping):
        return any(is_template(each) for each in value.values())
    if isinstance(value, (list, tuple, set)):
        return any(is_template(each) for each in value)
    return value is not None and any(XComArg.iter_xcom_references(value))


@contextmanager
def naming_task(operator: Any) -> Iterator[None]:
    """Put the task's id before an error that is found while the Dag is parsed."""
    try:
        yield
    except TimingError as error:
        raise type(error)(f"task {operator.task_id!r}: {error}") from None
    except InvalidPayloadError as error:
        raise InvalidPayloadError(f"task {operator.task_id!r}", problems=error.problems) from None
    except ContactsError as error:
        raise type(error)(f"task {operator.task_id!r}: {error}") from None
    except ValueError as error:
        raise ValueError(f"task {operator.task_id!r}: {error}") from None


# Kinds.


def text(value: Any) -> str | None:
    """Text; a number that native rendering made of digits is text again."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise NotOfKindError(f"must be text{_hint(value)}")
    return None if value is None or value.strip() in _NOTHING else value


def moment(value: Any) -> datetime | str | None:
    """A datetime, or text that gives one."""
    return value if isinstance(value, datetime) else text(value)


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


#: What people are often given as, and what to write instead.
_NO_CONTACTS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda value: hasattr(value, "iterrows"), "is a DataFrame: make a contacts file of it with contacts_from_rows"),
    (lambda value: callable(value) and not isinstance(value, XComArg), "is a function: give what it returns"),
    (
        lambda value: isinstance(value, str) and value.lower().endswith((".parquet", ".xlsx", ".xls", ".tsv", ".txt")),
        "is not a file of contacts, which is JSON Lines or CSV: make one of it with FileToContactsOperator",
    ),
    (
        lambda value: isinstance(value, str) and value.lower().split(maxsplit=1)[:1] in (["select"], ["with"]),
        "is a query: make contacts of its rows with SqlToContactsOperator",
    ),
    (
        lambda value: isinstance(value, (bool, int, float)),
        "is a number: people are a list of mappings with phone_number",
    ),
)


def contacts(value: Any) -> Any:
    """People, or where they are; read by the task. Here only what is surely a mistake is refused."""
    many = value if isinstance(value, (list, tuple)) else [value]
    for one in many:
        if hint := _hint(one):
            raise NotOfKindError(f"must be people, or where they are{hint}")
    if many is value and value and all(isinstance(one, Mapping) and "uri" in one for one in value):
        raise NotOfKindError(
            "is a list of manifests, one for each part of a split list: make a task of each with "
            ".partial(...).expand(contacts=...)"
        )
    if many is value and any(isinstance(one, str) and not is_template(one) for one in many):
        raise NotOfKindError("is a list of texts: each person is a mapping with phone_number")
    for suspect, what_to_do in _NO_CONTACTS:
        if any(map(suspect, many)):
            raise NotOfKindError(what_to_do)
    return anything(value)


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
    return lambda value: _number(value, at_least, f"must be a number, {at_least} or more")


def whole(at_least: int) -> Kind:
    """Return the kind of a whole number that is not smaller, also as text."""

    def kind(value: Any) -> int:
        rule = f"must be a whole number, {at_least} or more"
        found = _number(value, at_least, rule)
        if not isinstance(found, int):
            raise NotOfKindError(rule)
        return found

    return kind


def seconds(value: Any) -> float | None:
    """A duration: a number of seconds, a timedelta, or nothing."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return None if anything(value) is None else float(_number(value, 0, "must be seconds (0 or more) or a timedelta"))


def duration(value: Any) -> float:
    """A number of seconds or a timedelta, which must be stated."""
    found = seconds(value)
    if found is None:
        raise NotOfKindError("must be seconds (0 or more) or a timedelta")
    return found


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


def batch_calls(value: Any) -> list[str]:
    """The ids of several batch calls, each once: one of what :func:`batch_call` takes, or a list, also as text."""
    given = collection(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "(") else value
    many = [given] if isinstance(given, (str, Mapping)) or not hasattr(given, "__iter__") else list(given)
    ids = list(dict.fromkeys(map(batch_call, many)))
    if not ids:
        raise NotOfKindError("must name at least one batch call")
    return ids


def _number(value: Any, at_least: float, rule: str) -> Any:
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            raise NotOfKindError(rule) from None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not at_least <= found < math.inf:
        raise NotOfKindError(rule)
    return found


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
