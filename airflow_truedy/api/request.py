"""An endpoint call as a value: what to send, how to read the answer, whether it may be sent again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass(frozen=True)
class Envelope:
    """
    A successful answer, taken apart.

    :param data: the object or the list; the whole body where a server sends no envelope; None for an empty
        body.
    :param pagination: how far a list goes, in whatever style; empty if the server does not say.
    :param request_id: for Truedy's support.
    :param server_time: when it was given by the server's own clock, as it writes it; None if it does not say.
    """

    data: Any = field(default=None, repr=False)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    server_time: Any = None


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    One request to make. Its repr shows method and path only.

    :param method: the HTTP method.
    :param path: below the base URL, ids already quoted.
    :param parse: reads the answer; raises ``ValueError`` (as pydantic does) for one that lacks what it must
        hold.
    :param query: query parameters in order.
    :param body: the bytes to send; made once, so that a repeat sends the same.
    :param headers: what this call sends besides the client's own headers.
    :param repeatable: whether it may be sent again while it is unknown what became of the first.
    :param slow: whether the server may need long (creates with many contacts, imports).
    """

    method: str
    path: str
    parse: Callable[[Envelope], T] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    repeatable: bool = False
    slow: bool = False

    @property
    def operation(self) -> str:
        """Method and path, as errors name it. Never the query, which may hold a person's name or number."""
        return f"{self.method} {self.path}"

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing on the server."""
        return self.method == "GET"

    def once(self) -> Call[T]:
        """The same call, never sent again while it is unknown what became of the first."""
        return replace(self, repeatable=False)


@dataclass(frozen=True)
class Page(Generic[T]):
    """
    One page of a list.

    :param items: the page's objects, in the server's order.
    :param pagination: what the server says about the list; empty if nothing.
    """

    items: list[T] = field(repr=False)
    pagination: Mapping[str, Any]


@dataclass(frozen=True)
class ListCall(Generic[T]):
    """
    A list to read page by page; see :class:`airflow_truedy.api.paging.Pager`.

    :param path: below the base URL.
    :param parse_page: reads one page.
    :param key: what tells an object from the others, or None for one that has nothing of the kind.
    :param query: filters, in order.
    :param limit: objects to ask for per page; 100 is the API's maximum.
    """

    path: str
    parse_page: Callable[[Envelope], Page[T]] = field(repr=False)
    key: Callable[[T], str | None] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    limit: int = 100

    def page(self, position: tuple[str, int]) -> Call[Page[T]]:
        """
        The call for one page.

        :param position: ``("offset", n)`` or ``("page", n)``.
        """
        name, number = position
        query = (*self.query, ("limit", str(self.limit)), (name, str(number)))
        return Call("GET", self.path, self.parse_page, query=query, repeatable=True)
