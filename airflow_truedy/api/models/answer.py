"""
What the API answers.

The API's pages disagree on names and shapes (API notes, section (f)): every spelling is read, unknown fields
are kept in ``model_extra``, a value that cannot be read is None instead of an error, and a time without an
offset is UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

if TYPE_CHECKING:
    from airflow_truedy.api.request import Envelope

T = TypeVar("T")


def _none_if_unreadable(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _utc_if_naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


UtcDatetime = Annotated[datetime, AfterValidator(_utc_if_naive)]

LENIENT = WrapValidator(_none_if_unreadable)
Text = Annotated[str | None, LENIENT]
Whole = Annotated[int | None, LENIENT]
Amount = Annotated[int | float | None, LENIENT]
Moment = Annotated[UtcDatetime | None, LENIENT]
_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(Moment)
Fields = Annotated[dict[str, Any] | None, LENIENT]
# A state that is missing or odd is the empty text, which no rule takes for a final one.
State = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]
Id = Annotated[str, Field(min_length=1)]


class Answer(BaseModel):
    """One object of the API. Its repr shows ids, states and counts, never a person."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    #: Field -> the other names under which it comes; the first that holds something is taken.
    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: What a repr may show.
    shown: ClassVar[tuple[str, ...]] = ("id", "status")

    _request_id: str | None = PrivateAttr(default=None)
    _server_time: Any = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _read_other_names(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        values = dict(data)
        for field, names in cls.other_names.items():
            if values.get(field) is None:
                values[field] = next((data[name] for name in names if data.get(name) is not None), None)
        return values

    @property
    def request_id(self) -> str | None:
        """
        The id of the request that brought this answer, for Truedy's support; None if the server gave none.
        """
        return self._request_id

    @property
    def answered_at(self) -> datetime | None:
        """
        When this was true by the server's own clock, which may differ from ours; None if the server did not say.
        """
        return _MOMENT.validate_python(self._server_time)

    def brought_by(self: A, envelope: Envelope) -> A:
        """
        The same answer, saying which request brought it and when.

        :param envelope: what it came in.
        """
        self._request_id, self._server_time = envelope.request_id, envelope.server_time
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(field, getattr(self, field)) for field in self.shown if hasattr(self, field)]


A = TypeVar("A", bound=Answer)
