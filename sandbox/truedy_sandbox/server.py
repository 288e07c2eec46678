"""Running the app under uvicorn: on a port, with connections that can be dropped, ending cleanly."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from truedy_sandbox.gate import TRANSPORT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType

    from fastapi import FastAPI


class _Protocol(H11Protocol):
    """Hands the transport to the app, so that a fault can drop the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class SandboxServer(uvicorn.Server):
    """A uvicorn server on a socket that is bound already."""

    def __init__(self, app: FastAPI, listener: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
        config = uvicorn.Config(
            app, http=_Protocol, ws="none", lifespan="off", log_level="warning", timeout_graceful_shutdown=1
        )
        super().__init__(config)
        self._listener = listener
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self._on_ready:
            self._on_ready()

    def serve_until_stopped(self, *, stop_with_stdin: bool = False) -> None:
        """Serve until SIGINT or SIGTERM, or by wish until standard input ends (its writer is gone)."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        # uvicorn raises the signal again after its shutdown; with these handlers that ends in a plain return.
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        if stop_with_stdin:
            threading.Thread(target=self._stop_at_end_of_stdin, daemon=True).start()
        self.run(sockets=[self._listener])

    def _stop_at_end_of_stdin(self) -> None:
        # The bare descriptor: a buffered reader would hold a lock that the interpreter wants when it ends.
        while os.read(0, 4096):
            pass
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Bind a port; 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class SandboxThread:
    """
    A sandbox on a free loopback port inside this process, for tests that hold its clock or state in hand.

    :param app: what :func:`truedy_sandbox.app.create_app` returned.
    """

    def __init__(self, app: FastAPI) -> None:
        self._listener = listen("127.0.0.1", 0)
        self._ready = threading.Event()
        self._server = SandboxServer(app, self._listener, self._ready.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.base_url = f"{self.url}/api/public/v1"

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the sandbox did not start")
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
