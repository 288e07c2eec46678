"""
What a task does with a connection that may not dial, and behind a task that only told what it would do.

The client refuses by itself what such a connection does not allow. Here it is found out before anything is sent, so
that a task ends green (``dry_run``), or fails before it leaves a draft behind (``only_numbers``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_truedy.api.errors import ForbiddenByConnectionError
from airflow_truedy.masking import mask_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from airflow.sdk.types import Logger

    from airflow_truedy.api.client import TruedyClient


def dry_summary(log: Logger, would: str, **known: Any) -> dict[str, Any]:
    """
    Log what a task would do, and return what it returns instead.

    :param would: what that is, behind "this task would".
    :param known: what else downstream tasks may need.
    """
    log.warning("Dry run: nothing was written and nobody is called. Without it, this task would %s.", would)
    return {"dry_run": True, "would": would, **known}


def refuse_other_numbers(
    numbers: Iterable[str], only_numbers: Collection[str], *, unknown: Mapping[str, Any] | None = None
) -> None:
    """
    Refuse people that a connection may not call.

    :param numbers: everybody who would be called, E.164.
    :param only_numbers: who may be called; empty allows everybody.
    :param unknown: parameters that name people whose numbers only the server knows, by name.
    :raises ForbiddenByConnectionError: showing a masked number, or the parameter.
    """
    if not only_numbers:
        return
    for name, value in (unknown or {}).items():
        if value:
            raise ForbiddenByConnectionError(f"the connection has only_numbers set, and {name} may stand for others")
    for number in numbers:
        if number not in only_numbers:
            raise ForbiddenByConnectionError(f"{mask_number(number)} is not among the connection's only_numbers")


def refuse_others_in(client: TruedyClient, batch_call_id: str, only_numbers: Collection[str]) -> None:
    """
    Refuse to start or resume a batch call that holds people that a connection may not call; see above.

    Costs one request for every 100 contacts, and none where the connection allows everybody.
    """
    if only_numbers:
        from airflow_truedy.api import endpoints

        people = client.pages(endpoints.list_batch_call_contacts(batch_call_id))
        refuse_other_numbers((str(one.phone_number) for one in people), only_numbers)
