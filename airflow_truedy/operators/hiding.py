"""Parameters that may hold people, kept out of what Airflow stores and shows of a Dag and of its task instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_truedy.operators.templating import PrivateValue, is_private, is_private_template

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator


class HidingOperator(BaseOperator):
    """
    Base of the operators that are given people.

    :cvar private_fields: names of the parameters that may hold people.
    """

    private_fields: ClassVar[tuple[str, ...]]

    @classmethod
    def hides(cls, value: Any) -> bool:
        """Whether such a parameter is hidden as the Dag gives it; what comes from a task shows which one that is."""
        return cls.hides_rendered(value) and not any(XComArg.iter_xcom_references(value))

    @classmethod
    def hides_rendered(cls, value: Any) -> bool:
        """Whether such a parameter is hidden once its templates are rendered."""
        return value is not None and not isinstance(value, PrivateValue)

    @classmethod
    def partial(cls, **kwargs: Any) -> HidingPartial:
        """Begin a mapped task, see Airflow's dynamic task mapping."""
        return HidingPartial.of(super().partial(**kwargs))

    def _hidden(self, value: Any) -> Any:
        # Of a mapped task, what the Dag gives is hidden already: bare is another task's output, never a template.
        is_data = getattr(self, "_BaseOperator__from_mapped", False)
        return PrivateValue(value, is_data=is_data) if self.hides(value) else value

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        # Airflow calls this one for mapped tasks too. What comes out of it is stored and shown.
        try:
            super()._do_render_template_fields(parent, *args, **kwargs)
        finally:
            if parent is self:
                for field in self.private_fields:
                    value = getattr(self, field)
                    if self.hides_rendered(value):
                        setattr(self, field, PrivateValue(value, is_data=True))


class HidingContactsOperator(HidingOperator):
    """Base of the operators whose parameter ``contacts`` holds people or says where they are."""

    private_fields = ("contacts",)
    contacts: Any

    @classmethod
    def hides(cls, value: Any) -> bool:
        """Hide people in any form; a template, path or URI may be seen."""
        return is_private_template(value) if isinstance(value, str) else isinstance(value, (list, tuple, Mapping))

    @classmethod
    def hides_rendered(cls, value: Any) -> bool:
        """Hide people in any form; a path, URI or manifest may be seen."""
        return is_private(value)

    def resolve_template_files(self) -> None:
        """Read template files. Airflow does so while the Dag is parsed, before it stores the Dag."""
        super().resolve_template_files()
        self.contacts = self._hidden(self.contacts)


class HidingPartial(OperatorPartial):
    """What ``partial`` of a :class:`HidingOperator` returns: Airflow's own, which hides the people that it is given."""

    @classmethod
    def of(cls, partial: OperatorPartial) -> HidingPartial:
        """Take over what Airflow made."""
        partial._expand_called = True  # Or it complains that it was never mapped.
        return cls(
            operator_class=partial.operator_class,
            kwargs=_hiding(partial.operator_class, partial.kwargs),
            params=partial.params,
        )

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Map over lists of values; of contacts, over a list of lists."""
        operator_class: Any = self.operator_class
        for field in operator_class.private_fields:
            values = mapped_kwargs.get(field)
            if isinstance(values, (list, tuple)):
                mapped_kwargs[field] = [_hide(operator_class, one) for one in values]
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Map over a list of mappings of parameters."""
        if isinstance(kwargs, (list, tuple)):
            kwargs = [_hiding(self.operator_class, one) if isinstance(one, Mapping) else one for one in kwargs]
        return super().expand_kwargs(kwargs, strict=strict)


def _hiding(operator_class: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    private = operator_class.private_fields
    return {name: _hide(operator_class, value) if name in private else value for name, value in kwargs.items()}


def _hide(operator_class: Any, value: Any) -> Any:
    return PrivateValue(value) if operator_class.hides(value) else value
