"""Rendered values back into what they mean."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.compat import XComArg


def is_template(value: Any) -> bool:
    """Whether a parameter is not known yet while the Dag is parsed."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or value.endswith((".json", ".yaml", ".yml"))
    return value is not None and any(XComArg.iter_xcom_references(value))


def restored(value: Any) -> Any:
    """
    Return the list, mapping, number, truth value or ``None`` that a template rendered as text.

    Text that is none of these comes back as it is. Only for parameters that are not text themselves.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text in ("", "None", "null"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for parse in (json.loads, ast.literal_eval, _yaml_collection):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def _yaml_collection(text: str) -> Any:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("no YAML") from None
    if not isinstance(found, (list, dict)):
        raise ValueError("YAML, but plain text")
    return found


def restored_text(value: Any) -> Any:
    """Return a text parameter: ``None`` where it rendered to nothing, digits that native rendering made a number."""
    if isinstance(value, str):
        return None if value.strip() in ("", "None") else value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def vanished(field: str) -> InvalidPayloadError:
    """Return the error for a parameter that was stated in the Dag and whose template rendered to nothing."""
    rule = "its template rendered to nothing; leave the parameter out if that is meant"
    return InvalidPayloadError("invalid parameter", problems=[(field, "(nothing)", rule)])


def number(field: str, value: Any, *, at_least: int, whole: bool = False) -> Any:
    """
    Return a rendered number.

    :param whole: whether it has to be a whole one.
    :raises InvalidPayloadError: if it is none, or below ``at_least``.
    """
    number = restored(value)
    kinds = int if whole else (int, float)
    if isinstance(number, bool) or not isinstance(number, kinds) or not at_least <= number < math.inf:
        rule = f"a {'whole ' if whole else ''}number, {at_least} or more"
        raise InvalidPayloadError("invalid parameter", problems=[(field, repr(value), rule)])
    return number


def truth(field: str, value: Any) -> bool:
    """
    Return a rendered truth value.

    :raises InvalidPayloadError: if it is none: ``"no"`` must not count as true.
    """
    found = restored(value)
    if not isinstance(found, bool):
        raise InvalidPayloadError("invalid parameter", problems=[(field, repr(value), "true or false")])
    return found
