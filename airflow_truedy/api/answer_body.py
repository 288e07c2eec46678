"""Receive the body of an answer within limits of size and time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import RequestTimeoutError, UnreadableAnswerError

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

#: Bytes of one answer after decompression. A page of 100 contacts has some 100 kB, the longest transcript a few MB;
#: a compressed answer of 300 kB may hold 2 GB, which would take the worker's memory.
LARGEST_ANSWER = 32 * 1024 * 1024
#: Times the timeout that one attempt may last as a whole. The timeout itself starts anew with every byte, so a server
#: that sends one now and then would keep a task for ever.
WHOLE_REQUEST_FACTOR = 3.0
TOO_SLOW = "the answer came too slowly to be waited for"
# Twice compressed, or by a better method, a small piece of an answer could already fill the memory.
_KNOWN_ENCODINGS = ("", "identity", "gzip", "deflate")


class AnswerBody:
    """
    Collects the pieces of an answer.

    :param request: what was sent.
    :param status: the answer's HTTP status.
    :param encoding: its header ``Content-Encoding``; empty if there is none.
    :param ends: when it must be complete, in seconds of the monotonic clock.
    :raises UnreadableAnswerError: if its size cannot be limited.
    """

    def __init__(self, request: Request[Any], status: int, encoding: str, ends: float) -> None:
        self._where: dict[str, Any] = {"operation": request.operation, "status": status}
        self._ends = ends
        self._pieces: list[bytes] = []
        self._size = 0
        if encoding.strip().lower() not in _KNOWN_ENCODINGS:
            raise UnreadableAnswerError("compressed in a way that was not asked for", **self._where)

    def add(self, piece: bytes) -> None:
        """
        Take the next piece, decompressed.

        :raises UnreadableAnswerError: if the answer has become too large.
        :raises RequestTimeoutError: if it has taken too long.
        """
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGEST_ANSWER:
            raise UnreadableAnswerError(f"the answer is larger than {LARGEST_ANSWER // 1024**2} MB", **self._where)
        if time.monotonic() > self._ends:
            raise RequestTimeoutError(TOO_SLOW, **self._where)

    def whole(self) -> bytes:
        """Return all that came."""
        return b"".join(self._pieces)
