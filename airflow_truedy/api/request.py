"""
One HTTP request as a value: what to send, how to read the answer, whether it may be sent again.

A ``Request`` is an HTTP request; a call is a phone call. The functions below put requests together: one JSON encoding,
quoted ids, readers of answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.models import Answer, Payload

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_truedy.api.models import Envelope

IDEMPOTENCY_HEADER = "X-Idempotency-Key"

A = TypeVar("A", bound=Answer)
T = TypeVar("T")


@dataclass(frozen=True)
class FormFile:
    """A CSV file to upload, with the text fields of the same form."""

    name: str
    content: bytes = field(repr=False)
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def boundary(self) -> str:
        """What separates the parts: from the content, not from chance, so that equal files give equal bytes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


@dataclass(frozen=True)
class Request(Generic[T]):
    """
    One request to send. Its repr shows method and path only.

    :param method: the HTTP method.
    :param path: below the base URL, ids already quoted.
    :param parse: reads the answer; raises ``ValueError`` (as pydantic does) for one that lacks what it must hold.
    :param query: query parameters in order.
    :param body: the bytes to send; made once, so that a repeat sends the same.
    :param file: a file to send as a form, in place of ``body``.
    :param headers: what this request sends besides the client's own headers.
    :param repeatable: whether it may be sent again while it is unknown what became of the first.
    :param slow: whether the server may need long (creates with many contacts, imports).
    :param not_after: the last moment, aware, at which it may be sent. Every attempt asks the server's clock first.
        Default: no such moment.
    """

    method: str
    path: str
    parse: Callable[[Envelope], T] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    file: FormFile | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    repeatable: bool = False
    slow: bool = False
    not_after: datetime | None = None

    @property
    def operation(self) -> str:
        """Method and path, as errors name it. Never the query, which may hold a person's name or number."""
        return f"{self.method} {self.path}"

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing on the server."""
        return self.method == "GET"

    def once(self) -> Request[T]:
        """Return the same request, never sent again while it is unknown what became of the first."""
        return replace(self, repeatable=False)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Objects of a list in the server's order, and what it says about the list; empty if nothing."""

    items: list[T] = field(repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> int | None:
        """How many objects the list holds by the server's count; None if it does not say."""
        return whole_number(self.pagination.get("total"))


@dataclass(frozen=True)
class ListRequest(Generic[T]):
    """
    A list to read page by page; see :class:`airflow_truedy.api.paging.Pager`.

    :param path: below the base URL.
    :param parse_page: reads one page.
    :param key: what tells an object from the others, or None for an object without an id.
    :param query: filters, in order.
    :param limit: objects to ask for per page; 100 is the API's maximum.
    :param may_be_unpaged: whether some servers answer the whole list to every request and say nothing about pages.
    """

    path: str
    parse_page: Callable[[Envelope], Page[T]] = field(repr=False)
    key: Callable[[T], str | None] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    limit: int = 100
    may_be_unpaged: bool = False

    def page(self, position: tuple[str, int]) -> Request[Page[T]]:
        """Return the request for the page at ``("offset", n)`` or ``("page", n)``."""
        name, number = position
        query = (*self.query, ("limit", str(self.limit)), (name, str(number)))
        return Request("GET", self.path, self.parse_page, query=query, repeatable=True)


def read_one(path: str, model: type[A]) -> Request[A]:
    """Make a request that reads one object."""
    return Request("GET", path, one(model), repeatable=True)


def read_all(
    path: str,
    model: type[A],
    *,
    key: Callable[[A], str | None] = lambda item: str(item.id),  # type: ignore[attr-defined]
    may_be_unpaged: bool = False,
    **filters: str | None,
) -> ListRequest[A]:
    """Make a list request; ``key`` tells the objects apart. A filter that is None is not sent."""
    query = tuple((name, value) for name, value in filters.items() if value is not None)

    def parse(envelope: Envelope) -> Page[A]:
        if not isinstance(envelope.data, list):
            raise ValueError("a list was expected")
        return Page([model.model_validate(item).brought_by(envelope) for item in envelope.data], envelope.pagination)

    return ListRequest(path, parse, key, query, may_be_unpaged=may_be_unpaged)


def change(
    method: str,
    path: str,
    payload: Payload,
    parse: Callable[[Envelope], A],
    *,
    idempotency_key: str | None = None,
    slow: bool = False,
) -> Request[A]:
    """
    Make a request that changes something, not to be repeated before the state is read.

    :param idempotency_key: makes it repeatable.
    """
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    if idempotency_key is not None:
        key = idempotency_key
        if not key or not key.isascii() or not key.isprintable() or key != key.strip():
            rule = "must be printable ASCII text without spaces around it"
            raise InvalidPayloadError("invalid header", problems=[("idempotency_key", repr(key), rule)])
        headers = (*headers, (IDEMPOTENCY_HEADER, key))
    repeatable = idempotency_key is not None
    return Request(method, path, parse, body=payload.to_json(), headers=headers, repeatable=repeatable, slow=slow)


def one(model: type[A]) -> Callable[[Envelope], A]:
    """Return a reader of an object that must be there."""
    return lambda envelope: model.model_validate(envelope.data).brought_by(envelope)


def maybe(model: type[A]) -> Callable[[Envelope], A]:
    """Return a reader of what an action answers; an empty body, or one that holds no object, is success too."""

    def parse(envelope: Envelope) -> A:
        data = envelope.data if isinstance(envelope.data, Mapping) else {}
        return model.model_validate(data).brought_by(envelope)

    return parse


def whole_number(value: Any) -> int | None:
    """Return a count as the server writes it, text too; None for anything else."""
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def given_id(value: str, field: str = "id") -> str:
    """
    Return an id as the server gave it; refuse what cannot be one.

    An empty id would turn one object into the list, dots would leave the path, and logs of requests show paths.
    """
    is_text = isinstance(value, str) and value.strip() and value.isprintable() and value not in (".", "..")
    if not is_text or value.startswith("+") or "@" in value:
        raise InvalidPayloadError("invalid id", problems=[(field, repr(value), "must be an id from the server")])
    return value


def quoted(value: str) -> str:
    """Return an id as a part of a path."""
    return quote(given_id(value), safe="")
