"""
Parameters that may hold people, kept out of what Airflow stores and shows of a Dag and of its task instances.

Airflow's own ``mask_secret`` does not do it. Measured on 3.0.6, 3.1.8, 3.2.2 and 3.3.2: a serialised Dag shows every
literal whatever is masked. Rendered fields are stored before ``execute`` could mask what a template rendered; of what
was masked in time they show everything on 3.0, names below five characters and integers later. And masking 2,000
numbers takes 40 to 100 seconds, because each rebuilds one expression of all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_truedy.compat import (
    LiteralValue,
    OperatorPartial,
    ResolveMixin,
    Templater,
    XComArg,
    count_as_expanded,
    is_from_mapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import MappedOperator

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(eq=False, repr=False)
class PrivateValue(ResolveMixin):
    """
    A value that renders like any other and shows nothing of itself.

    :param value: anything that may be templated.
    :param is_data: whether it came out of another task: such text is never a template. Default: no.
    """

    value: Any
    is_data: bool = False

    def resolve(self, context: Context) -> PrivateValue:
        """Return the rendered value, hidden again. Airflow asks values of this kind to render themselves."""
        if self.is_data:
            return self
        # As text whatever the Dag states: native rendering would make an integer of an E.164 number.
        as_text = Templater()
        as_text.template_ext = context["task"].template_ext
        dag = context.get("dag")
        environment = dag.get_template_env(force_sandboxed=True) if dag else as_text.get_template_env()
        return PrivateValue(as_text.render_template(self.value, context, environment), is_data=True)

    def iter_references(self) -> Iterator[Any]:
        """Yield the tasks whose output is in the value; Airflow makes them upstream."""
        return XComArg.iter_xcom_references(self.value)

    def serialize(self) -> str:
        """Return what Airflow may show."""
        size = f"{len(self.value)} items" if isinstance(self.value, (list, tuple)) else "a value"
        return f"({size}, not shown)"

    def __repr__(self) -> str:
        return self.serialize()


class PrivateField:
    """
    An attribute of an operator that hides what it is given, whoever sets it: ``__init__``, a template, a template file.

    :param holds_people: tells whether a value has to be hidden. Default: every value.
    """

    def __init__(self, holds_people: Callable[[Any], bool] = lambda _: True) -> None:
        self._holds_people = holds_people

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, operator: Any, owner: type) -> Any:
        if operator is None:
            return self
        try:
            return operator.__dict__[self._name]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, operator: Any, value: Any) -> None:
        # Of a mapped task, what the Dag gives is hidden already: bare is another task's output, never a template.
        operator.__dict__[self._name] = self.hidden(value, is_data=is_from_mapped(operator))

    def hidden(self, value: Any, *, is_data: bool = False) -> Any:
        """Return the value, hidden if it has to be. The output of a task only names that task."""
        is_reference = isinstance(value, ResolveMixin) and not isinstance(value, LiteralValue)
        if value is None or is_reference or callable(value) or not self._holds_people(value):
            return value
        return PrivateValue(value, is_data=is_data)


class PrivateFieldsOperator(BaseOperator):
    """Base of the operators with a :class:`PrivateField`: hides what mapped tasks are given, too."""

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Begin a mapped task, see Airflow's dynamic task mapping."""
        return _PrivatePartial.of(super().partial(**kwargs))


class _PrivatePartial(OperatorPartial):
    """What ``partial`` returns: Airflow's own, which hides the people that it is given."""

    @classmethod
    def of(cls, partial: OperatorPartial) -> _PrivatePartial:
        """Take the place of what Airflow made."""
        count_as_expanded(partial)
        kwargs = _with_hidden(partial.operator_class, partial.kwargs)
        return cls(operator_class=partial.operator_class, kwargs=kwargs, params=partial.params)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Map over lists of values; of contacts, over a list of lists."""
        for name, field in _private_fields(self.operator_class):
            values = mapped_kwargs.get(name)
            if isinstance(values, (list, tuple)):
                mapped_kwargs[name] = [field.hidden(one) for one in values]
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Map over a list of mappings of parameters."""
        if isinstance(kwargs, (list, tuple)):
            kwargs = [_with_hidden(self.operator_class, one) if isinstance(one, Mapping) else one for one in kwargs]
        return super().expand_kwargs(kwargs, strict=strict)


def _private_fields(operator_class: type) -> Iterator[tuple[str, PrivateField]]:
    for kind in operator_class.__mro__:
        yield from ((name, field) for name, field in vars(kind).items() if isinstance(field, PrivateField))


def _with_hidden(operator_class: type, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {name: field.hidden(kwargs[name]) for name, field in _private_fields(operator_class) if name in kwargs}
    return {**kwargs, **hidden}


def reveal(value: Any) -> Any:
    """Return the value itself, out of its hiding if it is hidden."""
    return value.value if isinstance(value, PrivateValue) else value


def holds_people(value: Any) -> bool:
    """Return whether a ``contacts`` value holds people itself, and does not only say where they are."""
    if isinstance(value, str):
        # Beside its expressions: what they say is not there yet.
        return is_content(_EXPRESSION.sub("", value))
    return not (isinstance(value, Mapping) and "uri" in value)


def is_content(text: str) -> bool:
    """Return whether a text is the contacts themselves (JSON, YAML, a printed list, a number), not a path or URI."""
    from airflow_truedy.files.formats import may_be_somebody

    return "\n" in text.strip() or text.lstrip()[:1] in ("[", "{", "(", "-") or may_be_somebody(text)
