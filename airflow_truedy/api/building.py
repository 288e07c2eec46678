"""How an endpoint's call is put together: one JSON encoding, quoted ids, readers of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.models import Answer, Request
from airflow_truedy.api.request import Call, Envelope, ListCall, Page

IDEMPOTENCY_HEADER = "X-Idempotency-Key"

A = TypeVar("A", bound=Answer)
_JSON = (("Content-Type", "application/json"),)


def read_one(path: str, model: type[A]) -> Call[A]:
    """A call that reads one object."""
    return Call("GET", path, one(model), repeatable=True)


def read_all(path: str, model: type[A], key: Callable[[A], str | None], **filters: str | None) -> ListCall[A]:
    """A list; ``key`` tells its objects apart. A filter that is None is not sent."""
    query = tuple((name, value) for name, value in filters.items() if value is not None)

    def parse(envelope: Envelope) -> Page[A]:
        if not isinstance(envelope.data, list):
            raise ValueError("a list was expected")
        return Page([model.model_validate(item).brought_by(envelope) for item in envelope.data], envelope.pagination)

    return ListCall(path, parse, key, query)


def create(
    path: str,
    request: Request,
    model: type[A],
    idempotency_key: str | None = None,
    *,
    slow: bool = False,
) -> Call[A]:
    """A call that makes one object; repeatable with an idempotency key, where the endpoint honours it."""
    headers: tuple[tuple[str, str], ...] = _JSON
    if idempotency_key is not None:
        headers = (*_JSON, (IDEMPOTENCY_HEADER, header_value("idempotency_key", idempotency_key)))
    return Call(
        "POST",
        path,
        one(model),
        body=request.to_json(),
        headers=headers,
        repeatable=idempotency_key is not None,
        slow=slow,
    )


def change(method: str, path: str, request: Request, parse: Callable[[Envelope], A], *, slow: bool = False) -> Call[A]:
    """A call that changes something and must not be repeated unseen."""
    return Call(method, path, parse, body=request.to_json(), headers=_JSON, slow=slow)


def one(model: type[A]) -> Callable[[Envelope], A]:
    """A reader of an object that must be there."""
    return lambda envelope: model.model_validate(envelope.data).brought_by(envelope)


def maybe(model: type[A]) -> Callable[[Envelope], A]:
    """
    A reader of what an action says, if anything: an empty body, or one that is no object, is success too.
    """

    def parse(envelope: Envelope) -> A:
        data = envelope.data if isinstance(envelope.data, Mapping) else {}
        return model.model_validate(data).brought_by(envelope)

    return parse


def by_id(item: Any) -> str | None:
    """An object's own id."""
    return str(item.id)


def given_id(value: str, field: str = "id") -> str:
    """An id as the server gave it, refused when it can be none."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or _is_person(value):
        raise InvalidPayloadError("invalid id", problems=[(field, repr(value), "must be an id from the server")])
    return value


def _is_person(value: str) -> bool:
    # Logs of requests show paths.
    return value.startswith("+") or "@" in value


def quoted(value: str) -> str:
    """
    An id as a part of a path. An empty one would turn one object into the list, dots would leave the path.
    """
    if given_id(value) in (".", ".."):
        raise InvalidPayloadError("invalid id", problems=[("id", repr(value), "must be an id from the server")])
    return quote(value, safe="")


def header_value(name: str, value: str) -> str:
    """A header's value, refused when it could not be sent as it is."""
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        rule = "must be printable ASCII text without spaces around it"
        raise InvalidPayloadError("invalid header", problems=[(name, repr(value), rule)])
    return value
