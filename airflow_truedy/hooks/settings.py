"""What an Airflow connection of type ``truedy`` says, read and checked in one place for both hooks."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

DEFAULT_HOST = "https://api.truedy.ai"
DEFAULT_PATH = "/api/public/v1"


class ConnectionFieldError(ValueError):
    """
    A field of the connection is missing or unusable; the message names connection and field.

    :param conn_id: the connection.
    :param problem: what is wrong with which field.
    """

    #: Whether trying again later, unchanged, can help.
    retryable: ClassVar[bool] = False

    def __init__(self, conn_id: str, problem: str) -> None:
        super().__init__(conn_id, problem)
        self.conn_id = conn_id
        self.problem = problem

    def __str__(self) -> str:
        return f"Connection {self.conn_id!r}: {self.problem}"


class ConnectionLike(Protocol):
    """The parts of an Airflow connection that are read here."""

    conn_id: str
    host: str | None
    port: int | None
    schema: str | None
    password: str | None


@dataclass(frozen=True)
class ClientSettings:
    """
    How to reach Truedy; the keyword arguments of both clients.

    :param base_url: with the API's path, without a slash at its end.
    :param user_agent: added to the client's own User-Agent.
    :param timeout: seconds to wait for an answer; ``None`` (also stated as 0) keeps the client's default.
    :param requests_per_minute: pace of this process; the API allows about 100 a minute for a whole organisation.
    """

    api_key: str = field(repr=False)
    base_url: str
    user_agent: str
    requests_per_minute: float = 60
    timeout: float | None = None
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, connection: ConnectionLike, extra: Mapping[str, Any]) -> ClientSettings:
        """
        Read a connection.

        :param extra: the connection's extra, already parsed (sync and async code get at it differently).
        :raises ConnectionFieldError: if the key is missing or a field cannot be used.
        """
        conn_id = connection.conn_id
        api_key = (connection.password or "").strip()
        if not api_key:
            raise ConnectionFieldError(conn_id, "there is no API key: put it into the field 'API key' (password).")
        return cls(
            api_key=api_key,
            base_url=_base_url(conn_id, connection),
            user_agent=_user_agent(),
            requests_per_minute=_number(conn_id, extra, "requests_per_minute", 60.0) or 0.0,
            timeout=_number(conn_id, extra, "timeout", None) or None,
            proxy=extra.get("proxy") or None,
            verify=_verify(extra.get("verify")),
            headers=_headers(conn_id, extra.get("headers")),
        )


def _base_url(conn_id: str, connection: ConnectionLike) -> str:
    text = (connection.host or DEFAULT_HOST).strip()
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        port = url.port or connection.port
    except ValueError:
        raise _no_address(conn_id) from None
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise _no_address(conn_id)
    if url.username or url.password:
        raise ConnectionFieldError(conn_id, "host must hold no user name or password; the API key is the password.")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise ConnectionFieldError(
            conn_id,
            f"host {text!r} would send the API key unencrypted. Use https://; "
            "http:// is for a sandbox on this machine (127.0.0.1, localhost) only.",
        )
    # Airflow takes the path of a connection that is written as a URI for its schema.
    path = url.path.strip("/") or (connection.schema or "").strip("/") or DEFAULT_PATH.strip("/")
    return f"{url.scheme}://{_address(url.hostname, port)}/{path}"


def _no_address(conn_id: str) -> ConnectionFieldError:
    # What stands there is not repeated: it may be a key in the wrong field.
    return ConnectionFieldError(conn_id, f"host is no address. Write e.g. {DEFAULT_HOST}{DEFAULT_PATH}")


def _address(hostname: str, port: int | None) -> str:
    name = f"[{hostname}]" if ":" in hostname else hostname
    return f"{name}:{port}" if port else name


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _number(conn_id: str, extra: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < math.inf or isinstance(value, bool):
        raise ConnectionFieldError(conn_id, f"extra {name!r} must be a number, 0 or more; it is {value!r}.")
    return number


def _verify(value: Any) -> bool | str:
    """Read ``verify``: true, false, or the path of a CA bundle; forms and URIs make text of it."""
    if value is None or value == "":
        return True
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), value)
    return bool(value)


def _headers(conn_id: str, value: Any) -> dict[str, str]:
    if not value:
        return {}
    if isinstance(value, str):
        # A connection that is written as a URI holds nothing but text.
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, Mapping):
        raise ConnectionFieldError(conn_id, "extra 'headers' must be a JSON object of names and values.")
    return {str(name): str(text) for name, text in value.items()}


def _user_agent() -> str:
    """Return what the client adds to its own User-Agent, which names provider and Python."""
    from airflow import __version__ as airflow_version

    return f"apache-airflow/{airflow_version}"
