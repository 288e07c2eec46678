"""What an Airflow connection of type ``truedy`` states, read and checked in one place for both hooks."""

from __future__ import annotations

import contextlib
import json
import math
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import Connection

from airflow_truedy.api.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_truedy.connection_form import CONN_FIELDS
from airflow_truedy.formats import is_e164
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseHook

DEFAULT_HOST = "https://api.truedy.ai"
DEFAULT_PATH = "/api/public/v1"
DEFAULT_SETTLE = 15.0
_NUMBERS_SHOWN = 3


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
    extra: str | None


@dataclass(frozen=True)
class ClientSettings:
    """
    How to reach Truedy, and what a task may do with this connection.

    :param base_url: with the API's path, without a slash at its end.
    :param user_agent: added to the client's own User-Agent.
    :param timeout: seconds to wait for an answer; ``None`` (also stated as 0) keeps the client's default.
    :param requests_per_minute: pace of this process; the API allows about 100 a minute for a whole organisation.
    :param settle: seconds after which a change is seen in every read and list of the server. Default: 15.
    :param dry_run: whether tasks only tell what they would do. Default: no.
    :param only_numbers: the only numbers that may be called, E.164; empty allows all.
    :param dashboard_url: address of a campaign for people, with ``{batch_call_id}`` in it.
    :param name: the connection's id, for errors.
    """

    api_key: str = field(repr=False)
    base_url: str
    user_agent: str
    requests_per_minute: float = 60
    timeout: float | None = None
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    settle: float = DEFAULT_SETTLE
    dry_run: bool = False
    only_numbers: tuple[str, ...] = field(default=(), repr=False)
    dashboard_url: str | None = None
    name: str | None = None

    @classmethod
    def read(cls, connection: ConnectionLike, extra: Any) -> ClientSettings:
        """
        Read a connection.

        :param extra: the connection's extra, already parsed (sync and async code get at it differently).
        :raises ConnectionFieldError: if the key is missing or a field cannot be used.
        """
        conn_id = connection.conn_id
        api_key = (connection.password or "").strip()
        if not api_key:
            raise ConnectionFieldError(conn_id, "there is no API key: put it into the field 'API key' (password).")
        if not isinstance(extra, Mapping) or (not extra and not _is_empty(connection.extra)):
            raise ConnectionFieldError(conn_id, 'extra must be a JSON object, e.g. {"timeout": 60}.')
        _check_names(conn_id, extra)
        settle = _number(conn_id, extra, "settle", DEFAULT_SETTLE)
        return cls(
            api_key=api_key,
            base_url=_base_url(conn_id, connection),
            user_agent=_user_agent(),
            requests_per_minute=_number(conn_id, extra, "requests_per_minute", 60.0) or 0.0,
            timeout=_number(conn_id, extra, "timeout", None) or None,
            proxy=_text(conn_id, extra, "proxy"),
            verify=_verify(extra.get("verify")),
            headers=_headers(conn_id, extra.get("headers")),
            settle=DEFAULT_SETTLE if settle is None else settle,
            dry_run=_flag(conn_id, extra, "dry_run"),
            only_numbers=_only_numbers(conn_id, extra.get("only_numbers")),
            dashboard_url=_text(conn_id, extra, "dashboard_url"),
            name=conn_id,
        )

    @classmethod
    async def read_async(cls, hook: BaseHook | type[BaseHook], conn_id: str) -> ClientSettings:
        """
        Read a connection from an event loop, where Airflow's sync API can deadlock.

        :param hook: whose ``aget_connection`` is asked, so that an override is honoured.
        :param conn_id: connection of type ``truedy``.
        :raises ConnectionFieldError: if the key is missing or a field cannot be used.
        """
        if hasattr(Connection, "aextra_dejson"):
            connection = await hook.aget_connection(conn_id)
            return cls.read(connection, await connection.aextra_dejson())
        from asgiref.sync import sync_to_async

        def read() -> ClientSettings:
            connection = hook.get_connection(conn_id)
            return cls.read(connection, connection.extra_dejson)

        # Before Airflow 3.3.2 the async API masks secrets with a sync call, which may block in a thread. Not in any
        # thread: the triggerer of Airflow 3.0 comes back to its event loop only out of asgiref's, and dies in another.
        return await sync_to_async(read)()

    def client_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of both clients, without what is not stated."""
        names = ("api_key", "base_url", "user_agent", "requests_per_minute", "timeout", "proxy", "verify", "headers")
        stated = {name: getattr(self, name) for name in (*names, "dry_run", "only_numbers", "name")}
        return {name: value for name, value in stated.items() if value is not None}

    def restrictions(self) -> str:
        """Return what this connection does not allow, for a log or a person; empty if it allows everything."""
        told = []
        if self.dry_run:
            told.append("dry run, nothing is changed and nobody is called")
        if self.only_numbers:
            numbers = ", ".join(map(mask_number, self.only_numbers[:_NUMBERS_SHOWN]))
            others = len(self.only_numbers) - _NUMBERS_SHOWN
            told.append(f"only {numbers}{f' and {others} more' if others > 0 else ''} may be called")
        return "; ".join(told)


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "Truedy does not know this API key. Copy it again from Settings, API Keys."),
    (PermissionDeniedError, "The key is known but not allowed from here: look at its IP allow-list in Truedy."),
    (NotFoundError, "There is an HTTP server but no Truedy API at this host: look at host and path."),
    (UnreadableAnswerError, "What answers at this host is not the Truedy API: look at host and path."),
    (RequestTimeoutError, "The host does not answer in time: look at network, proxy and firewall."),
    (UnreachableError, "The host cannot be reached: look at its name, network, proxy, firewall and certificate."),
    (RateLimitedError, "The key works, but the organisation's rate limit is used up for now."),
)


def diagnose(problem: Exception) -> str:
    """Return the cause of a failed connection test in one line, with what the server or network answered."""
    cause = next((text for kind, text in _CAUSES if isinstance(problem, kind)), "The connection cannot be used.")
    # Without the connection's id: Airflow tests a copy that it has given a random one.
    told = problem.problem if isinstance(problem, ConnectionFieldError) else problem
    return f"{cause} ({told})"


def _base_url(conn_id: str, connection: ConnectionLike) -> str:
    text = (connection.host or DEFAULT_HOST).strip()
    schema = (connection.schema or "").strip().strip("/")
    # The http provider keeps the scheme there. Airflow itself takes the path of a URI for the schema.
    scheme, path = (schema.lower(), "") if schema.lower() in ("http", "https") else ("https", schema)
    try:
        url = urlsplit(text if "://" in text else f"{scheme}://{text}")
        port = url.port or connection.port
    except ValueError:
        raise _no_address(conn_id) from None
    # Every key of Truedy begins so, and no host that a certificate can name.
    is_key = (url.hostname or "").startswith("truedy_")
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or is_key:
        raise _no_address(conn_id)
    if url.username or url.password:
        raise ConnectionFieldError(conn_id, "host must hold no user name or password; the API key is the password.")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise ConnectionFieldError(
            conn_id,
            f"host {text!r} would send the API key unencrypted. Use https://; "
            "http:// is for a sandbox on this machine (127.0.0.1, localhost) only.",
        )
    path = url.path.strip("/") or path or DEFAULT_PATH.strip("/")
    return f"{url.scheme}://{_address(url.scheme, url.hostname, port)}/{path}"


def _check_names(conn_id: str, extra: Mapping[str, Any]) -> None:
    """Refuse a name that is nearly one of ours, such as ``dryrun``: what it states would not count."""
    known = [*CONN_FIELDS, "headers"]
    for name in map(str, extra):
        meant = get_close_matches(name.lower().removeprefix("extra__truedy__"), known, 1, 0.8)
        if meant and name not in known:
            raise ConnectionFieldError(conn_id, f"extra {name!r} does not exist; {meant[0]!r} is meant, it seems.")


def _is_empty(extra: str | None) -> bool:
    """Tell whether an extra states nothing. Airflow takes what it cannot read for nothing, and a dry run would dial."""
    return (extra or "").translate(dict.fromkeys(map(ord, string.whitespace))) in ("", "{}", "null")


def _no_address(conn_id: str) -> ConnectionFieldError:
    # The field's text is not repeated: it may be a key in the wrong field.
    return ConnectionFieldError(conn_id, f"host is not an address. Write e.g. {DEFAULT_HOST}{DEFAULT_PATH}")


def _address(scheme: str, hostname: str, port: int | None) -> str:
    name = f"[{hostname}]" if ":" in hostname else hostname
    # Port 0 is what Airflow's form sends for none.
    return name if not port or (scheme, port) in (("https", 443), ("http", 80)) else f"{name}:{port}"


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


def _text(conn_id: str, extra: Mapping[str, Any], name: str) -> str | None:
    value = extra.get(name)
    if value is not None and not isinstance(value, str):
        raise ConnectionFieldError(conn_id, f"extra {name!r} must be text.")
    return (value or "").strip() or None


def _flag(conn_id: str, extra: Mapping[str, Any], name: str) -> bool:
    """Read true or false; forms and URIs make text of it. A typing error must not let a dry run dial."""
    value = extra.get(name)
    text = str(value).strip().lower()
    if value in (None, "") or text in ("false", "0", "no", "off"):
        return False
    if text in ("true", "1", "yes", "on"):
        return True
    raise ConnectionFieldError(conn_id, f"extra {name!r} must be true or false.")


def _only_numbers(conn_id: str, value: Any) -> tuple[str, ...]:
    """Read a list of numbers; a form or a URI makes text of it, as JSON or separated by commas."""
    if value in (None, "", []):
        return ()
    if isinstance(value, str):
        listed = value
        with contextlib.suppress(ValueError):
            value = json.loads(listed)
        if not isinstance(value, list):
            value = [part.strip() for part in listed.replace(";", ",").split(",") if part.strip()]
    # An empty or unreadable list must not mean "everybody".
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and is_e164(each) for each in value):
        raise ConnectionFieldError(
            conn_id, "extra 'only_numbers' must be a list of E.164 numbers, e.g. [\"+15555550100\"]."
        )
    return tuple(dict.fromkeys(value))


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
