"""
Tell whether a webhook really came from Truedy, for people who run a receiver of their own.

A webhook is a hint and nothing more: it may come twice, late, out of order or never, and the ids in it are those of the
voice provider, which the API does not map to batch calls. Take it as "look now", and read the truth from the API.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING

from airflow_truedy.formats import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Older servers write the name with one letter less.
_TIMESTAMP_HEADERS = ("x-truedy-timestamp", "x-trudy-timestamp")
_SIGNATURE_HEADERS = ("x-truedy-signature", "x-trudy-signature")
#: Seconds that the sender's clock may be ahead of ours.
_AHEAD = 60.0
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]+)?")


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    tolerance: float = 300.0,
    *,
    clock: Callable[[], float] = time.time,
) -> bool:
    """
    Return whether a webhook was signed with ``secret`` and is fresh. Answer 401 if not, and do nothing else.

    The signature is the HMAC-SHA256 of the timestamp header, a dot and the body, compared in constant time. The
    same webhook passes again until it is too old: keep the ids of those that were dealt with.

    :param headers: the request's headers, their names in any case.
    :param body: the bytes as they came in. Parsed and written again they differ.
    :param secret: the webhook's secret from Truedy's dashboard, such as ``whsec_...``.
    :param tolerance: greatest age in seconds. Default: 300.
    :param clock: our clock, seconds since 1970.
    :raises ValueError: for an empty secret, which anybody could sign with, or a tolerance below 0.
    :raises TypeError: for a body that was decoded already.
    """
    if not secret.strip():
        raise ValueError("The webhook's secret is empty. Copy it from Truedy's dashboard, Settings, Webhooks.")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more seconds; it is {tolerance!r}.")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"body must be the request's bytes as they came in; it is {type(body).__name__}.")
    by_name = {name.lower(): value for name, value in headers.items()}
    timestamp = _first(by_name, _TIMESTAMP_HEADERS)
    signature = _first(by_name, _SIGNATURE_HEADERS)
    signed = b".".join((timestamp.encode(errors="replace"), bytes(body)))
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    is_signed = hmac.compare_digest(expected.encode(), signature.strip().lower().encode(errors="replace"))
    sent_at = _seconds(timestamp)
    return is_signed and sent_at is not None and -_AHEAD <= clock() - sent_at <= tolerance


def _first(by_name: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((by_name[name] for name in names if name in by_name), "")


def _seconds(timestamp: str) -> float | None:
    """Read seconds since 1970, or ISO 8601 with its offset; ``None`` for anything else."""
    if _UNIX_SECONDS.fullmatch(timestamp.strip()):
        return float(timestamp)
    try:
        moment = moment_of(timestamp)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
