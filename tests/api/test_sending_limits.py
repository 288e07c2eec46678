"""What a server cannot make a task do: fill the memory, wait for ever, sleep for a year."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import respx

from airflow_truedy.api import endpoints, errors
from airflow_truedy.api.client import AsyncTruedyClient, TruedyClient
from tests.api.scripted import KEY, FakeTime

GET = endpoints.get_batch_call("batch_1")
PAUSE = endpoints.pause_batch_call("batch_1")


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request's head and then does as told; the yield is its base URL."""
    stop = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += connection.recv(4096)
                serve(connection)
            except OSError:
                pass

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api/public/v1"
    finally:
        stop.set()
        thread.join()
        listening.close()


def blocking(base_url: str, request: Any, **options: Any) -> Any:
    with TruedyClient(KEY, base_url, sleep=lambda _: None, requests_per_minute=None, **options) as client:
        return client.send(request)


def asynchronous(base_url: str, request: Any, **options: Any) -> Any:
    async def send() -> Any:
        async def sleep(_: float) -> None:
            return

        async with AsyncTruedyClient(KEY, base_url, sleep=sleep, requests_per_minute=None, **options) as client:
            return await client.send(request)

    return asyncio.run(send())


both_clients = pytest.mark.parametrize("send", [blocking, asynchronous], ids=["blocking", "async"])


def zeros(megabytes: int) -> bytes:
    """A gzip stream that unpacks to so much; its end is missing, nobody shall get there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    begin = packer.compress(b'{"data": "') + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + megabytes * (packer.compress(b"0" * 1024**2) + packer.flush(zlib.Z_FULL_FLUSH))


@both_clients
def test_a_small_answer_that_unpacks_to_a_huge_one_is_refused_without_holding_it(send: Any) -> None:
    packed = zeros(2048)
    assert len(packed) < 3_000_000

    def serve(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        connection.sendall(head.encode() + packed)

    with raw_server(serve) as base_url:
        tracemalloc.start()
        try:
            with pytest.raises(errors.OutcomeUnknownError, match="larger than 32 MB"):
                send(base_url, PAUSE)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 200 * 1024**2


@both_clients
def test_an_answer_that_never_ends_is_refused(send: Any) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw_server(serve) as base_url, pytest.raises(errors.OutcomeUnknownError, match="larger than 32 MB"):
        send(base_url, PAUSE)


@both_clients
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_an_answer_whose_size_cannot_be_limited_is_refused(send: Any, encoding: str) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    with raw_server(serve) as base_url, pytest.raises(errors.OutcomeUnknownError, match="not asked for"):
        send(base_url, PAUSE)


def test_no_other_compression_is_asked_for(client: TruedyClient, server: respx.MockRouter) -> None:
    route = server.route().respond(200, json={"data": {"id": "b"}})
    client.send(GET)
    assert route.calls.last.request.headers["accept-encoding"] == "gzip"


def test_a_compressed_answer_of_usual_size_is_read(client: TruedyClient, server: respx.MockRouter) -> None:
    packed = gzip.compress(b'{"data": {"id": "batch_1", "status": "draft"}}')
    server.route().respond(200, content=packed, headers={"Content-Encoding": "gzip"})
    assert client.send(GET).status == "draft"


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


@both_clients
def test_an_answer_that_drips_ends_after_three_times_the_timeout(send: Any) -> None:
    with raw_server(drip) as base_url:
        began = time.monotonic()
        with pytest.raises(errors.OutcomeUnknownError, match=r"too slowly|timed out") as raised:
            send(base_url, PAUSE, timeout=0.2)
        assert 0.5 < time.monotonic() - began < 3
    assert isinstance(raised.value.cause, errors.RequestTimeoutError)
    assert raised.value.cause.sent


@both_clients
def test_a_slow_answer_that_keeps_coming_in_time_is_read(send: Any) -> None:
    body = b'{"data": {"id": "b", "status": "draft"}}'

    def serve(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.002)

    with raw_server(serve) as base_url:
        assert send(base_url, GET, timeout=2).status == "draft"


@both_clients
@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_headers_that_drip_end_a_request_too(send: Any, begin: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(begin if b"100" in begin else b"x")
            time.sleep(0.02)

    with raw_server(serve) as base_url:
        began = time.monotonic()
        with pytest.raises(errors.OutcomeUnknownError):
            send(base_url, PAUSE, timeout=0.2)
        assert time.monotonic() - began < 3


def test_a_connection_that_was_limited_is_used_again() -> None:
    body = b'{"data": {"id": "b", "status": "draft"}}'
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def serve(connection: socket.socket) -> None:
        connection.sendall(answer)
        while connection.recv(4096):
            connection.sendall(answer)

    with raw_server(serve) as base_url, TruedyClient(KEY, base_url, requests_per_minute=None, timeout=0.2) as client:
        for _ in range(5):
            assert client.send(GET).status == "draft"
            # Longer than one request may last: the limit is the request's, not the connection's.
            time.sleep(0.3)


@pytest.mark.parametrize("retry_after", ["31536000", "3601", "1e9", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_an_unbelievable_retry_after_gives_way_to_the_next_minute(
    client: TruedyClient, server: respx.MockRouter, fake_time: FakeTime, retry_after: str
) -> None:
    route = server.route()
    route.side_effect = [
        httpx.Response(429, headers={"Retry-After": retry_after}),
        httpx.Response(200, json={"data": {"id": "b"}}),
    ]
    client.send(GET)
    assert sum(fake_time.slept) <= 62


def test_an_unbelievable_moment_in_the_body_gives_way_too(
    client: TruedyClient, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    body = {"error": {"code": "rate_limit_exceeded", "details": {"reset_at": "2999-01-01T00:00:00Z"}}}
    server.route().side_effect = [httpx.Response(429, json=body), httpx.Response(200, json={"data": {"id": "b"}})]
    client.send(GET)
    assert sum(fake_time.slept) <= 62


def test_a_moment_in_the_body_is_measured_by_the_clock_that_wrote_it(
    client: TruedyClient, server: respx.MockRouter, fake_time: FakeTime
) -> None:
    # The server's clock is an hour ahead of ours; its quota is free 20 seconds later all the same.
    fake_time.now = 1_772_539_220.0
    body = {
        "error": {"code": "rate_limit_exceeded", "details": {"reset_at": "2026-03-03T13:00:40Z"}},
        "meta": {"ts": "2026-03-03T13:00:20Z"},
    }
    server.route().side_effect = [httpx.Response(429, json=body), httpx.Response(200, json={"data": {"id": "b"}})]
    client.send(GET)
    assert 20 <= sum(fake_time.slept) <= 22
