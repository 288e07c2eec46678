"""What endpoints share: paging parameters, creates that honour a key, inline contacts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from truedy_sandbox.answers import JsonAnswer, meta_of, world_of
from truedy_sandbox.idempotency import Remember, fingerprint
from truedy_sandbox.schemas import InlineContact

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000)]


async def create_with_key(request: Request, command: str, arguments: dict[str, Any]) -> JsonAnswer:
    """
    Carry out a create; a key that came with the same request before answers that one again.

    A create that is carried out late is accepted here, and its answer is lost.
    """
    world = world_of(request)
    meta = meta_of(request.scope, world.settings, world.clock.now())
    key = request.headers.get("x-idempotency-key")
    remember = None
    if key and not world.settings.ignore_idempotency_keys:
        mark = fingerprint(key, request.url.path, request.scope["headers"], await request.body())
        kept = world.kept_answers.find(mark)
        if kept:
            request.state.replayed = True
            return JsonAnswer(kept[1], kept[0])
        remember = Remember(mark, 201, meta)
    delay = request.scope["state"].get("delay") or (world.settings.create_delay if command == "create_batch" else 0)
    if delay:
        request.state.lost = True
        world.do_later(delay, command, arguments, remember)
        return JsonAnswer(None, 202)
    return JsonAnswer({"data": world.do(command, arguments, remember), "meta": meta}, 201)


def read_contacts(request: Request, raw: list[Any]) -> tuple[list[dict[str, Any]], int]:
    """
    Check inline contacts.

    :return: the valid ones, and how many were dropped (if the settings say so).
    :raises RequestValidationError: for the first invalid one otherwise.
    """
    request.state.contacts = len(raw)
    drops = world_of(request).settings.bad_contacts == "drop"
    contacts, dropped = [], 0
    for place, each in enumerate(raw):
        try:
            contacts.append(InlineContact.model_validate(each).model_dump(exclude_none=True))
        except ValidationError as error:
            if not drops:
                problems = [{**one, "loc": ("body", "contacts", place, *one["loc"])} for one in error.errors()]
                raise RequestValidationError(problems) from None
            dropped += 1
    return contacts, dropped
