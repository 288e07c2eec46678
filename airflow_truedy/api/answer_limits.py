"""Limits of size and time for one answer: a server must fill neither the worker's memory nor its day."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import RequestTimeoutError, UnreadableAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_truedy.api.request import Request

#: Bytes of one answer after decompression. A page of 100 contacts has some 100 kB, the longest transcript a few MB;
#: a compressed answer of 300 kB may hold 2 GB, which would take the worker's memory.
LARGEST_ANSWER = 32 * 1024 * 1024
#: Times the timeout that one attempt may last as a whole. The timeout itself starts anew with every byte, so a server
#: that sends one now and then would keep a task for ever.
WHOLE_REQUEST_FACTOR = 3.0
TOO_SLOW = "the answer came too slowly to be waited for"
_SHORTEST_READ = 0.001
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
        self._content = bytearray()
        if encoding.strip().lower() not in _KNOWN_ENCODINGS:
            raise UnreadableAnswerError("compressed in a way that was not asked for", **self._where)

    def add(self, piece: bytes) -> None:
        """
        Take the next piece, decompressed.

        :raises UnreadableAnswerError: if the answer has become too large.
        :raises RequestTimeoutError: if it has taken too long.
        """
        self._content += piece
        if len(self._content) > LARGEST_ANSWER:
            raise UnreadableAnswerError(f"the answer is larger than {LARGEST_ANSWER // 1024**2} MB", **self._where)
        if time.monotonic() > self._ends:
            raise RequestTimeoutError(TOO_SLOW, **self._where)

    def whole(self) -> bytes:
        """Return all that came."""
        return bytes(self._content)


class _Exchange(threading.local):
    ends = math.inf


#: Until when the blocking request of this thread may last, in seconds of the monotonic clock.
exchange = _Exchange()


def limit_reads(event: str, info: Mapping[str, Any]) -> None:
    """
    End every read of a new connection when the time of the whole request is over; the library calls it at connect.

    The library's own timeout starts anew with every byte, and during the headers nothing else could stop a blocking
    client.
    """
    if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
        return
    stream = info["return_value"]
    read = stream.read

    def limited(max_bytes: int, timeout: float | None = None) -> bytes:
        left = max(_SHORTEST_READ, exchange.ends - time.monotonic())
        received: bytes = read(max_bytes, left if timeout is None else min(timeout, left))
        return received

    stream.read = limited
