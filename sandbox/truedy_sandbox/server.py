"""Running the app under uvicorn: on a port, with connections that can be dropped, ending cleanly."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from fastapi import FastAPI

    from truedy_sandbox.connections import Connections


class _Listener(socket.socket):
    """Notes each connection it accepts, so that a fault can drop it."""

    connections: Connections

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self.connections.add(address, connection)
        return connection, address


def listen(app: FastAPI, host: str, port: int) -> socket.socket:
    """
    Listen for an app; who connects before it is served waits.

    :param port: 0 takes a free one.
    :raises OSError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol stated asyncio sends without Nagle's delay; else each answer on a kept connection takes 40 ms.
    listener = _Listener(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.connections = app.state.connections
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def _server(app: FastAPI) -> uvicorn.Server:
    # The loop is asyncio's own, because others do not call the listener's accept().
    return uvicorn.Server(
        uvicorn.Config(app, loop="asyncio", ws="none", lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    )


def serve_until_stopped(
    app: FastAPI, listener: socket.socket, on_ready: Callable[[], None], *, stop_with_stdin: bool = False
) -> None:
    """
    Serve until SIGINT or SIGTERM.

    :param on_ready: called once signals are handled and clients may connect.
    :param stop_with_stdin: end also when standard input ends, because the process that held it is gone.
    """
    server = _server(app)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    def stop_at_end_of_stdin() -> None:
        # The bare descriptor: a buffered reader would hold a lock that the interpreter wants when it ends.
        while os.read(0, 4096):
            pass
        server.should_exit = True

    # uvicorn raises the signal again after its shutdown; with these handlers that ends in a plain return.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if stop_with_stdin:
        threading.Thread(target=stop_at_end_of_stdin, daemon=True).start()
    on_ready()
    server.run(sockets=[listener])


class SandboxThread:
    """
    A sandbox on a free loopback port inside this process, for tests that hold its clock or state in hand.

    :param app: what :func:`truedy_sandbox.app.create_app` returned.
    """

    def __init__(self, app: FastAPI) -> None:
        self._listener = listen(app, "127.0.0.1", 0)
        self._server = _server(app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.base_url = f"{self.url}/api/public/v1"

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
