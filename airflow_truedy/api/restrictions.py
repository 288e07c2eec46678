"""
What a connection that may not dial refuses to send.

Operators ask before they send anything, so that a task ends green (``dry_run``), or fails before it leaves a draft
behind (``only_numbers``). The client asks again before each request: the last line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import ForbiddenByConnectionError
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

# People whose numbers the server knows and we do not.
_UNKNOWN_PEOPLE = ("contact_ids", "contact_folder_id")


def dry_summary(log: Any, would: str, **known: Any) -> dict[str, Any]:
    """
    Log what a task would do, and return what it returns instead.

    :param log: the task's own.
    :param would: what that is, behind "this task would".
    :param known: what else downstream tasks may need.
    """
    log.warning("Dry run: nothing was written and nobody is called. Without it, this task would %s.", would)
    return {"dry_run": True, "would": would, **known}


def refuse_if_forbidden(request: Request[Any], *, dry_run: bool, only_numbers: Collection[str]) -> None:
    """
    Refuse what the connection does not allow. Reading is always allowed.

    :param request: what is about to be sent.
    :param dry_run: whether nothing may be changed.
    :param only_numbers: the only numbers that may be called, E.164; empty allows all.
    :raises ForbiddenByConnectionError: if it may not be sent.
    """
    if request.reads_only:
        return
    if dry_run:
        raise ForbiddenByConnectionError("the connection has dry_run set", operation=request.operation)
    if only_numbers and request.body:
        _refuse(_people(json.loads(request.body)), only_numbers, request.operation)


def refuse_other_numbers(
    numbers: Iterable[str], only_numbers: Collection[str], *, unknown: Mapping[str, Any] | None = None
) -> None:
    """
    Refuse people that a connection may not call.

    :param numbers: everybody who would be called, E.164; not read where everybody may be called.
    :param only_numbers: who may be called; empty allows everybody.
    :param unknown: parameters that name people whose numbers only the server knows, by name.
    :raises ForbiddenByConnectionError: showing a masked number, or the parameter.
    """
    if only_numbers:
        _refuse(((name, value) for name, value in (unknown or {}).items() if value), only_numbers)
        _refuse((("phone_number", number) for number in numbers), only_numbers)


def _refuse(people: Iterable[tuple[str, Any]], only_numbers: Collection[str], operation: str = "") -> None:
    for name, value in people:
        if name in _UNKNOWN_PEOPLE:
            problem = f"the connection has only_numbers set, and {name} may stand for others"
        elif value in only_numbers:
            continue
        else:
            problem = f"{mask_number(str(value))} is not among the connection's only_numbers"
        raise ForbiddenByConnectionError(problem, operation=operation)


def _people(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _people(item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name == "phone_number" or name in _UNKNOWN_PEOPLE:
                yield name, item
            elif name == "contacts":
                yield from _people(item)
