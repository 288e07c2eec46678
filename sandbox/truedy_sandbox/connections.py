"""The open connections of a server, so that a fault can drop one without an answer."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary


class Connections:
    """Connections by the address of the client; a closed one is forgotten by itself."""

    def __init__(self) -> None:
        self._by_client: WeakValueDictionary[tuple[Any, ...], socket.socket] = WeakValueDictionary()

    def add(self, client: tuple[Any, ...], connection: socket.socket) -> None:
        """Note a connection that was accepted."""
        self._by_client[client[:2]] = connection

    def drop(self, client: tuple[Any, ...] | None) -> bool:
        """Break the connection of a client; return whether there was one (in process there is none)."""
        connection = self._by_client.get(tuple(client[:2])) if client else None
        if connection is None:
            return False
        with suppress(OSError):  # the client may have left already
            connection.shutdown(socket.SHUT_RDWR)
        return True
