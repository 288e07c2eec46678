"""Values as databases and files give them, as the text that is sent."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from typing import Any

from airflow_truedy.files.rows import as_integer

_MOST_DIGITS = 30  # a number that would be longer stays as 1E+40


class UnreadableTextError(ValueError):
    """A value that cannot be sent as text."""


def is_nothing(value: Any) -> bool:
    """
    Tell whether a value means no value: ``None``, NaN, and the NaT and NA of numpy and pandas.

    :param value: what a database or a file gives.
    """
    if isinstance(value, Decimal):
        return value.is_nan()
    if value is None or type(value).__name__ in ("NaTType", "NAType", "MaskedConstant"):
        return True
    # NaN, and the NaT of numpy, differ from themselves.
    return (isinstance(value, float) or is_numpy(value)) and bool(value != value)


def is_numpy(value: Any) -> bool:
    """Tell whether a value is a scalar of numpy, which is not imported for it."""
    return type(value).__module__ == "numpy" and hasattr(value, "dtype") and not getattr(value, "shape", ())


def text_of(value: Any) -> str:
    """
    Return a value as the text that is sent: no blanks around it, ``true``/``false``, ISO dates, numbers without
    exponent, JSON for lists and objects; nothing for what means no value.

    :param value: what a database or a file gives.
    :raises UnreadableTextError: bytes, or what cannot be written down: keys that are not text, thousands of digits,
        lists in lists a thousand deep.
    """
    if type(value) is str:
        return value.strip()
    if value is None or is_nothing(value):
        return ""
    try:
        return _written(value)
    except (TypeError, ValueError, RecursionError):
        raise UnreadableTextError from None


def key_of(value: Any) -> str:
    """
    Return a customer's own key as text, see :func:`text_of`. A whole number that a data frame or spreadsheet keeps as a
    float (``1001.0``) is that number, or it would not be found in the customer's table again.

    :raises UnreadableTextError: as there.
    """
    return text_of(as_integer(value))


def _written(value: Any) -> str:
    if is_numpy(value):
        value = str(value) if value.dtype.kind in "mM" else value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise UnreadableTextError
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(_for_json(value), ensure_ascii=False, allow_nan=False)
    if isinstance(value, (float, Decimal)):
        return _without_exponent(str(value))
    return str(value).strip()


def _for_json(value: Any) -> Any:
    """Return a value in a list or object as JSON has it."""
    if isinstance(value, dict):
        return {name: _for_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(item) for item in value]
    if is_nothing(value):
        return None
    if is_numpy(value) and value.dtype.kind not in "mM":
        value = value.item()
    return value if isinstance(value, (str, int, float)) else _written(value)


def _without_exponent(number: str) -> str:
    """``1e-05`` as ``0.00001``: whoever reads it aloud knows no exponents."""
    if "e" not in number.lower() or abs(Decimal(number).adjusted()) > _MOST_DIGITS:
        return number
    return format(Decimal(number), "f")
