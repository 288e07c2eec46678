"""People given to ``.partial`` and ``.expand``, kept out of the serialised Dag like those of a plain task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_truedy.operators.templating import hidden

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

_FIELD = "contacts"


class HidingPartial(OperatorPartial):
    """What ``CreateBatchCallOperator.partial`` returns: Airflow's own, which hides lists of people that it is given."""

    @classmethod
    def of(cls, partial: OperatorPartial) -> HidingPartial:
        """Take over what Airflow made."""
        partial._expand_called = True  # Or it complains that it was never mapped.
        return cls(operator_class=partial.operator_class, kwargs=_hiding(partial.kwargs), params=partial.params)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Map over lists of values; of contacts, over a list of lists."""
        lists = mapped_kwargs.get(_FIELD)
        if isinstance(lists, (list, tuple)):
            mapped_kwargs[_FIELD] = [hidden(one) for one in lists]
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Map over a list of mappings of parameters."""
        if isinstance(kwargs, (list, tuple)):
            kwargs = [_hiding(one) if isinstance(one, Mapping) else one for one in kwargs]
        return super().expand_kwargs(kwargs, strict=strict)


def _hiding(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: hidden(value) if name == _FIELD else value for name, value in kwargs.items()}
