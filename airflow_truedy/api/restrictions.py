"""What a connection that may not dial refuses to send: the last line behind what the operators check themselves."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import ForbiddenByConnectionError
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from airflow_truedy.api.request import Request

# People whose numbers the server knows and we do not.
_UNKNOWN_PEOPLE = ("contact_ids", "contact_folder_id")


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
        for name, value in _people(json.loads(request.body)):
            if name in _UNKNOWN_PEOPLE:
                problem = f"the connection has only_numbers set, and {name} may stand for others"
            elif value in only_numbers:
                continue
            else:
                problem = f"{mask_number(str(value))} is not among the connection's only_numbers"
            raise ForbiddenByConnectionError(problem, operation=request.operation)


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
