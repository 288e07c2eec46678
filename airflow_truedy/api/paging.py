"""
Walk through a list in either of the API's paging styles, without sending anything.

Lists come with ``offset`` and ``total``/``has_more``, with ``page``/``pages``, or with nothing said at all
(API notes (a.6), (f) 18-20). Sort order is not promised and rows shift between pages while data changes, so
ids are remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from airflow_truedy.api.request import ListRequest, Page, Request

T = TypeVar("T")

# Pages in a row that bring nothing new before the list counts as read: rows may shift a little, not for ever.
_MOST_STALE_PAGES = 3


class Pager(Generic[T]):
    """
    Says which page to ask for next and which of its objects are new.

    :param list_request: the list to read.
    """

    def __init__(self, list_request: ListRequest[T]) -> None:
        self._list = list_request
        self._position: tuple[str, int] | None = ("offset", 0)
        self._read = 0
        self._stale = 0
        # Hashes, not ids: a list may hold a million objects.
        self._seen: set[int] = set()
        self._last: Page[T] | None = None

    def next_request(self) -> Request[Page[T]] | None:
        """Return the request for the next page, or None when the list is read."""
        return self._list.page(self._position) if self._position else None

    def take(self, page: Page[T]) -> list[T]:
        """
        The page's objects that were not seen before; decides where to go on.

        :param page: the answer to the last ``next_request()``.
        """
        keys = [self._list.key(item) for item in page.items]
        repeated = self._repeats_last(page, keys)
        fresh = [] if repeated else [item for item, key in zip(page.items, keys, strict=True) if self._is_new(key)]
        self._last = page
        self._read += len(page.items)
        self._stale = 0 if fresh else self._stale + 1
        ended = not page.items or repeated or self._stale >= _MOST_STALE_PAGES
        self._position = None if ended or not self._more_after(page) else self._after(page)
        return fresh

    def _repeats_last(self, page: Page[T], keys: list[str | None]) -> bool:
        if self._last is None or not page.items:
            return False
        if None in keys:
            return page.items == self._last.items
        return keys == [self._list.key(item) for item in self._last.items]

    def _is_new(self, key: str | None) -> bool:
        if key is None:
            return True
        mark = hash(key)
        if mark in self._seen:
            return False
        self._seen.add(mark)
        return True

    def _more_after(self, page: Page[T]) -> bool:
        # One sign of more is enough: an empty page costs one request, a lost one costs people.
        said = page.pagination
        total = _number(said.get("total"))
        pages = _number(said.get("pages"))
        more = said.get("has_more")
        if more is True or (total is not None and self._read < total):
            return True
        if pages is not None and (_number(said.get("page")) or 1) < pages:
            return True
        if more is False or total is not None or pages is not None:
            return False
        return len(page.items) >= self._list.limit

    def _after(self, page: Page[T]) -> tuple[str, int]:
        said = page.pagination
        if "offset" not in said and ("page" in said or "pages" in said):
            name, number = self._position or ("page", 1)
            current = _number(said.get("page")) or (number if name == "page" else 1)
            # A server that ignores ``page`` keeps answering 1: go by what was asked, and see the repeat.
            return "page", max(current, number if name == "page" else 1) + 1
        return "offset", self._read


def _number(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
