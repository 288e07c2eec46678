"""
Parameters of operators, declared once each: kind, whether templated, whether it may render to nothing.

The same declaration is checked while a Dag is parsed, as far as values are known then, and read in the run. ::

    PARAMETERS = Parameters(
        Parameter("agent_id", kinds.text),
        Parameter("working_days", kinds.items, may_vanish=False),
        Parameter("on_past", kinds.one_of("fail", "start_now", "skip")),
        Parameter("chunk_size", kinds.whole(1), templated=False),
    )

    class SomeOperator(BaseOperator):
        template_fields = PARAMETERS.template_fields

        def __init__(self, ...):
            ...
            self._stated = PARAMETERS.check(self)

        def execute(self, context):
            values = PARAMETERS.read(self, self._stated)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.compat import XComArg
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.parameters.kinds import Kind, NotOfKindError, anything
from airflow_truedy.parameters.private_fields import PrivateValue

#: The rule of a parameter that is stated and may not render to nothing.
VANISHED = "its template rendered to nothing; leave the parameter out if that is meant"

_SHOWN = 60


@dataclass(frozen=True)
class Parameter:
    """
    One parameter of an operator.

    :param name: as the author of a Dag writes it.
    :param kind: what its values are; see :mod:`~airflow_truedy.parameters.kinds`.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "attribute", self.attribute or self.name)


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
        return tuple(each.attribute for each in self if each.templated)

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
        known: dict[str, Any] = dict.fromkeys(each.name for each in self)
        problems = []
        for each in self:
            given = getattr(operator, each.attribute)
            value = given.value if isinstance(given, PrivateValue) else given
            if given is not None and not (isinstance(given, str) and not given):
                names.add(each.name)
            try:
                if each.required and anything(value) is None:
                    raise NotOfKindError("must be stated")
                if not is_template(value):
                    meant = each.kind(value)
                    if each.required and isinstance(meant, str) and isinstance(value, int):
                        raise NotOfKindError("must be text")  # Only what a template rendered to digits is read as text.
                    known[each.name] = meant if given is value else None
                elif not each.templated:
                    raise NotOfKindError("is decided in the Dag and cannot be a template")
            except NotOfKindError as refused:
                problems.append((each.name, _shown(given), str(refused)))
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
        values: dict[str, Any] = {}
        problems = []
        for each in self:
            given = getattr(operator, each.attribute)
            try:
                values[each.name] = each.kind(given.value if isinstance(given, PrivateValue) else given)
            except NotOfKindError as refused:
                problems.append((each.name, _shown(given), str(refused)))
            else:
                must_be = each.required or not each.may_vanish
                if values[each.name] is None and each.name in stated.names and must_be:
                    problems.append((each.name, "(nothing)", VANISHED))
        if problems:
            raise InvalidPayloadError("invalid parameter", problems=problems)
        return values


def _shown(given: Any) -> str:
    """Return what an error shows of a value; of people only how they were given."""
    shown = type(given.value).__name__ if isinstance(given, PrivateValue) else repr(given)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def is_template(value: Any) -> bool:
    """Return whether a parameter is not known yet while the Dag is parsed: a template, or another task's output."""
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
    except InvalidPayloadError as error:
        raise InvalidPayloadError(f"task {operator.task_id!r}", problems=error.problems) from None
    except (ContactsError, ValueError) as error:
        raise type(error)(f"task {operator.task_id!r}: {error}") from None
