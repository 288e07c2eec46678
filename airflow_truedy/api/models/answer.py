"""
What the API answers.

The API's pages disagree on names and shapes (API notes, section (f)): every spelling is read, unknown fields
are kept in ``model_extra``, a value that cannot be read is None instead of an error, and a time without an
offset is UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any, ClassVar, TypeVar

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


@dataclass(frozen=True)
class Envelope:
    """
    A successful answer, taken apart.

    :param data: the object or the list; the whole body where a server sends no envelope; None for an empty body.
    :param pagination: how far a list goes, in whatever style; empty if the server does not say.
    :param request_id: for Truedy's support.
    :param server_time: when it was given by the server's own clock, as it writes it; None if it does not say.
    """

    data: Any = field(default=None, repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    server_time: Any = None


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
        for name_of_ours, names in cls.other_names.items():
            if values.get(name_of_ours) is None:
                values[name_of_ours] = next((data[name] for name in names if data.get(name) is not None), None)
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
        return [(name, getattr(self, name)) for name in self.shown if hasattr(self, name)]


A = TypeVar("A", bound=Answer)
