"""The options of a client, checked before the HTTP library sees them: its own errors would repeat a secret."""

from __future__ import annotations

import os
import platform
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_truedy import __version__
from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.request import IDEMPOTENCY_HEADER
from airflow_truedy.api.scrub import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def own_headers(headers: Mapping[str, str] | None, user_agent: str | None) -> dict[str, str]:
    """Return the headers of every request: those that were stated, and the client's own."""
    agent = f"airflow-provider-truedy/{__version__} python/{platform.python_version()}"
    return {
        **(headers or {}),
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"{agent} {user_agent}" if user_agent else agent,
    }


def check_options(api_key: str, base_url: str, headers: Mapping[str, str]) -> None:
    """
    Refuse what cannot be sent.

    :raises InvalidPayloadError: naming each bad option; a key or a header's value is never shown.
    """
    problems = []
    if not api_key or not all("!" <= char <= "~" for char in api_key):
        # The library would repeat an illegal header, key and all, in its own error.
        problems.append(("api_key", HIDDEN, "must be printable ASCII text without spaces"))
    if not _is_http_url(base_url):
        problems.append(("base_url", base_url, "must be an http:// or https:// address with a host"))
    for name, value in headers.items():
        if name.lower() in ("authorization", IDEMPOTENCY_HEADER.lower()):
            problems.append((f"headers.{name}", HIDDEN, "is set by this client"))
        if not (f"{name}{value}".isascii() and f"{name}{value}".isprintable() and name):
            problems.append((f"headers.{name}", HIDDEN, "must be printable ASCII text"))
    if problems:
        raise InvalidPayloadError("invalid client settings", problems=problems)


def unusable_proxy(proxy: str | None, can_be_used: Callable[[str], bool]) -> InvalidPayloadError:
    """
    Return the error for a client that cannot be made: it names the proxy setting or the environment's variable.

    :param proxy: the proxy that was stated, None if the environment decides.
    :param can_be_used: whether the HTTP library takes an address as a proxy.
    """
    if proxy is not None:
        return _invalid("proxy", HIDDEN, _proxy_rule(proxy))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for variable in (name.lower(), name):
            value = os.environ.get(variable)
            if value and not can_be_used(value if "://" in value else f"http://{value}"):
                return _invalid(variable, HIDDEN, _proxy_rule(value))
    variable = "no_proxy" if os.environ.get("no_proxy") else "NO_PROXY"
    rule = "must hold names and addresses separated by commas, IPv6 without brackets and without networks"
    return _invalid(variable, os.environ.get(variable, ""), rule)


def _proxy_rule(proxy: str) -> str:
    if proxy.lower().startswith("socks"):
        return "names a SOCKS proxy, which needs another package: pip install 'httpx[socks]'"
    return "must be an address such as http://proxy.internal:3128, with user:password@ before the host if needed"


def certificates(verify: bool | str | ssl.SSLContext) -> bool | ssl.SSLContext:
    """
    Return what the HTTP library checks a server's certificate with.

    :param verify: whether to check it, or a file or directory of certificates.
    :raises InvalidPayloadError: there is no such file or directory, or it holds no certificates.
    """
    if not isinstance(verify, str):
        return verify
    path = Path(verify)
    try:
        return ssl.create_default_context(
            cafile=None if path.is_dir() else verify, capath=verify if path.is_dir() else None
        )
    except OSError:
        raise unusable_certificates("verify", verify) from None


def unusable_certificates(field: str, value: str) -> InvalidPayloadError:
    """Return the error for certificates that cannot be read: it names the setting or the environment's variable."""
    rule = "must be true, false, or a file or directory of certificates (PEM) on this machine"
    return _invalid(field, value, rule)


def _invalid(field: str, value: str, rule: str) -> InvalidPayloadError:
    return InvalidPayloadError("invalid client settings", problems=[(field, value, rule)])


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        # Reading the port is what finds a bad one.
        usable = url.port is None or url.port > 0
    except ValueError:
        return False
    has_spaces = any(char.isspace() for char in text)
    return usable and not has_spaces and url.scheme in ("http", "https") and bool(url.hostname) and not url.query
