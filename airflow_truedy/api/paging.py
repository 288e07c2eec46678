"""
Walk through a list page by page, and notice when the list contradicts itself.

That a campaign does not exist yet rests on a list, so the end of a list is believed only on evidence. Servers page by
``offset`` or by ``page``; some count, some only say ``has_more``, some say nothing; rows move while they are read. Each
style is a small strategy with one contract: take the page that came (:meth:`Paging.update`), say whether there is
another one (:attr:`Paging.has_next`), and where it begins (:attr:`Paging.position`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow_truedy.api.errors import InconsistentListError
from airflow_truedy.api.request import whole_number

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from airflow_truedy.api.request import ListRequest, Page, Request

T = TypeVar("T")

# Rows at the end of a page that are asked for again at the begin of the next. They show that the offset is honoured
# and that no row was lost: of one row deleted in between at least the other is still there.
_OVERLAP = 2
# Pages with fewer rows are not overlapped, or a server with tiny pages would be read for ever.
_SHORTEST_OVERLAPPED = 5
# Pages in a row that bring nothing new. Rows that are added while we read push known ones into view, but not for ever.
_MOST_STALE_PAGES = 3


class Paging(ABC):
    """
    One style of paging.

    :param limit: rows asked for per page.
    """

    #: Name of the query parameter that says where a page begins.
    parameter: ClassVar[str]

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: Where the next page begins.
        self.position = 0
        #: How many rows of the list have been shown, by their places.
        self.read = 0
        self.has_next = True
        #: Whether the server promises rows beyond those it has shown.
        self.promises_more = False
        #: How many rows of the page before the next page begins with.
        self.overlap = 0
        # The last answer ended the list, and the next one only makes sure.
        self._ended = False

    def update(self, rows: int, stated: Mapping[str, Any]) -> None:
        """Take the page that came: how many rows it holds, and what the server states about the list."""
        self.advance(rows, stated)
        more, total = stated.get("has_more"), whole_number(stated.get("total"))
        self.promises_more = more is True or self.falls_short(stated)
        was_ended, self._ended = self._ended, not self.promises_more
        states_nothing = total is None and more is None and "pages" not in stated
        if self.promises_more:
            self.has_next = True
        elif states_nothing:
            # Silence does not mean the end: the server may cap its pages. Only a page without a new row is one.
            self.has_next = rows > 0 and rows <= self.limit
        else:
            self.has_next = not was_ended and self._looks_capped(rows, stated)

    @abstractmethod
    def advance(self, rows: int, stated: Mapping[str, Any]) -> None:
        """Move the position behind the page that came."""

    @abstractmethod
    def falls_short(self, stated: Mapping[str, Any]) -> bool:
        """Tell whether the server counts more than it has shown."""

    def _looks_capped(self, rows: int, stated: Mapping[str, Any]) -> bool:
        """
        Tell whether a list that states its end may still continue.

        Some servers count the rows of the page instead of the list's. Then the count equals the page, and the page is
        full or has the round size of a cap.
        """
        total, limit = whole_number(stated.get("total")), whole_number(stated.get("limit")) or self.limit
        full = rows >= min(limit, self.limit) or rows % 10 == 0 or rows % 25 == 0
        return full and total is not None and 0 < total <= rows


class OffsetPaging(Paging):
    """``offset`` and ``limit``; ends by ``total`` or ``has_more``, or with a page that brings nothing new."""

    parameter = "offset"

    def __init__(self, limit: int, *, overlapped: bool = True) -> None:
        super().__init__(limit)
        self._overlapped = overlapped

    def advance(self, rows: int, stated: Mapping[str, Any]) -> None:
        """Begin the next page a little before the end of what was read."""
        self.read = self.position + rows
        self.overlap = _OVERLAP if self._overlapped and rows >= _SHORTEST_OVERLAPPED else 0
        self.position = self.read - self.overlap

    def falls_short(self, stated: Mapping[str, Any]) -> bool:
        """Compare the rows read with the total."""
        total = whole_number(stated.get("total"))
        return total is not None and self.read < total


class PageNumberPaging(Paging):
    """``page``, counted from 1, and ``pages``."""

    parameter = "page"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.position = 1

    def advance(self, rows: int, stated: Mapping[str, Any]) -> None:
        """Count the pages asked for: a server that ignores ``page`` keeps answering 1."""
        self.position += 1
        self.read += rows

    def falls_short(self, stated: Mapping[str, Any]) -> bool:
        """Compare the page read with the number of pages."""
        pages = whole_number(stated.get("pages"))
        return pages is not None and self.position <= pages


class Pager(Generic[T]):
    """
    Says which page to ask for next and which of its objects are new.

    :param list_request: the list to read.
    """

    def __init__(self, list_request: ListRequest[T]) -> None:
        self._list = list_request
        self._paging: Paging = OffsetPaging(list_request.limit)
        self._first = True
        # Hashes, not ids: a list may hold a million objects.
        self._seen: set[int] = set()
        self._nameless = 0
        self._stale = 0
        self._last_keys: list[Hashable] = []
        self._fewest: int | None = None

    def next_request(self) -> Request[Page[T]] | None:
        """Return the request for the next page, or None when the list is read."""
        if not self._paging.has_next:
            return None
        return self._list.page((self._paging.parameter, self._paging.position))

    def take(self, page: Page[T]) -> list[T]:
        """
        Take the answer to the last ``next_request()``; return its objects that were not seen before.

        :raises InconsistentListError: if the list contradicts its own paging.
        """
        keys = [self._list.key(item) for item in page.items]
        if self._first:
            self._paging = self._style_of(page, keys)
        else:
            self._check_continuation(page, keys)
        overlap_before = self._paging.overlap
        fresh = self._fresh(page, keys)
        self._first = False
        self._last_keys = _identities(page, keys)
        self._paging.update(len(page.items), page.pagination)
        if page.total is not None:
            self._fewest = page.total if self._fewest is None else min(self._fewest, page.total)
        self._check_progress(page, fresh, overlap_before)
        if not self._paging.has_next:
            self._check_completeness()
        return fresh

    def _style_of(self, page: Page[T], keys: list[str | None]) -> Paging:
        stated = page.pagination
        if "offset" not in stated and ("page" in stated or "pages" in stated):
            return PageNumberPaging(self._list.limit)
        return OffsetPaging(self._list.limit, overlapped=None not in keys)

    def _fresh(self, page: Page[T], keys: list[str | None]) -> list[T]:
        fresh, here = [], set()
        for item, key in zip(page.items, keys, strict=True):
            mark = None if key is None else hash(key)
            if mark is None or mark in here:
                # Nothing tells it from another, or the key is not the server's: it counts, to know when all are read.
                self._nameless += 1
            if mark is None or mark not in self._seen:
                fresh.append(item)
            if mark is not None:
                here.add(mark)
                self._seen.add(mark)
        return fresh

    def _check_continuation(self, page: Page[T], keys: list[str | None]) -> None:
        """Refuse a page that does not follow the one before."""
        overlap = self._paging.overlap
        if not page.items:
            if self._paging.promises_more or overlap:
                raise self._contradiction("an empty page came although more was promised")
            return
        if self._last_keys == _identities(page, keys):
            if self._list.may_be_unpaged and not page.pagination.keys() & {"offset", "has_more", "page", "pages"}:
                return
            raise self._contradiction(f"the same page came again: the server ignores {self._paging.parameter!r}")
        if overlap and not any(key is None or hash(key) in self._seen for key in keys[:overlap]):
            raise self._contradiction("rows moved between two pages, some may have been skipped")

    def _check_progress(self, page: Page[T], fresh: list[T], overlap: int) -> None:
        """Stop where nothing new comes, and refuse what is new behind the end."""
        if fresh:
            if page.total is not None and self._paging.read > page.total:
                raise self._contradiction(f"it counts {page.total} objects and shows more")
            self._stale = 0
            return
        self._stale += 1
        if not self._paging.promises_more:
            self._paging.has_next = False
        elif len(page.items) <= overlap or self._stale >= _MOST_STALE_PAGES:
            raise self._contradiction("it promises more objects than it shows")

    def _check_completeness(self) -> None:
        """Refuse the end of a list that brought fewer objects than its lowest stated total."""
        found = len(self._seen) + self._nameless
        if self._fewest is not None and found < self._fewest:
            raise self._contradiction(f"it counts {self._fewest} objects and {found} different ones came")

    def _contradiction(self, what: str) -> InconsistentListError:
        found = len(self._seen) + self._nameless
        return InconsistentListError(
            f"the list contradicts itself after {found} objects: {what}", operation=f"GET {self._list.path}"
        )


def _identities(page: Page[T], keys: list[str | None]) -> list[Hashable]:
    """Return what identifies a page: its objects' keys, or the objects themselves where they have none."""
    return [repr(vars(item)) if key is None else key for item, key in zip(page.items, keys, strict=True)]
