"""Ids that look random, come from the seed, and cost no memory."""

from __future__ import annotations

import hashlib
import uuid

_MASK_48 = (1 << 48) - 1
_FACTOR = 0x5DEECE66D  # odd, so that multiplying modulo 2**48 can be undone
_INVERSE = pow(_FACTOR, -1, 1 << 48)
_INDEX_BITS = 24


def digest(*parts: object) -> str:
    """Return 32 hex digits that depend on the parts only."""
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def short_id(prefix: str, *parts: object) -> str:
    """Return an id such as ``batch_c3d4e5f6``."""
    return f"{prefix}_{digest(prefix, *parts)[:8]}"


def uuid_id(*parts: object) -> str:
    """Return a UUID that depends on the parts only."""
    return str(uuid.UUID(digest("uuid", *parts)))


def call_id(batch_number: int, index: int, seed: int) -> str:
    """Return the id of the call to one contact of a batch; batch 0 holds the single calls."""
    plain = (batch_number << _INDEX_BITS) | index
    return f"call_{((plain * _FACTOR) & _MASK_48) ^ _salt(seed):012x}"


def read_call_id(text: str, seed: int) -> tuple[int, int] | None:
    """Return ``(batch number, index)`` of a call id, or ``None`` if it is not one of ours."""
    digits = text.removeprefix("call_")
    if len(digits) != 12 or not text.startswith("call_"):
        return None
    try:
        mixed = int(digits, 16) ^ _salt(seed)
    except ValueError:
        return None
    plain = (mixed * _INVERSE) & _MASK_48
    return plain >> _INDEX_BITS, plain & ((1 << _INDEX_BITS) - 1)


def _salt(seed: int) -> int:
    return (seed * 0x9E3779B97F4A7C15) & _MASK_48


def draw(seed: int, batch_number: int, index: int) -> int:
    """Return 64 well-mixed bits (splitmix64): cheap enough for a million contacts."""
    x = (seed * 0x9E3779B97F4A7C15 + batch_number * 0xD1B54A32D192ED03 + index * 0x8CB92BA72F3D8DD7) & (2**64 - 1)
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return x ^ (x >> 31)
