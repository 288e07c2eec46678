"""Which batch call a rendered parameter means: an id, or what an earlier task returned about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.operators.templating import restored


def batch_call_id_of(value: Any, field: str = "batch_call_id") -> str:
    """
    Return the id of one batch call.

    :param value: an id, a mapping with ``batch_call_id`` (what ``CreateBatchCallOperator`` returns), or one as text.
    :raises InvalidPayloadError: if it is none of these.
    """
    # Ids are opaque: only what reads as a mapping is read as one, so that "123" or "1e5" stays an id.
    given = restored(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    found = given.get("batch_call_id") if isinstance(given, Mapping) else given
    rule = "the id of a batch call, or the dict that CreateBatchCallOperator returns"
    if given is None or (isinstance(found, str) and found.strip() in ("", "None")):
        raise InvalidPayloadError("invalid parameter", problems=[(field, repr(found), f"is empty; it must be {rule}")])
    if not isinstance(found, str):
        raise InvalidPayloadError("invalid parameter", problems=[(field, type(value).__name__, rule)])
    return found.strip()


def batch_call_ids_of(value: Any, field: str = "batch_call_ids") -> list[str]:
    """
    Return the ids of several batch calls, each once.

    :param value: one of what :func:`batch_call_id_of` takes, or many of them, also as text.
    :raises InvalidPayloadError: if one is no id, or there is none.
    """
    given = restored(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "(") else value
    many = [given] if isinstance(given, (str, Mapping)) or not hasattr(given, "__iter__") else list(given)
    ids = list(dict.fromkeys(batch_call_id_of(each, field) for each in many))
    if not ids:
        raise InvalidPayloadError("invalid parameter", problems=[(field, "empty", "at least one batch call")])
    return ids
