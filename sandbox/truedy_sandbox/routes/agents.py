"""Agents and phone numbers."""

# ruff: noqa: TC001, TC002 - FastAPI reads these annotations when the app starts
from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from truedy_sandbox.agents import AGENTS, NUMBERS, find_agent, numbers_of
from truedy_sandbox.answers import answer
from truedy_sandbox.problems import not_found
from truedy_sandbox.reading import page_answer, places_on_page
from truedy_sandbox.routes.common import Limit, Offset

router = APIRouter(tags=["agents and numbers"])


@router.get("/agents")
async def list_agents(
    request: Request,
    status: Literal["active", "draft", "creating", "failed"] | None = None,
    name: str | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """List agents."""
    found = [
        each.as_json(numbers_of(each.id))
        for each in AGENTS
        if status in (None, each.status) and (name or "").lower() in each.name.lower()
    ]
    rows = [found[at] for at in places_on_page(request, len(found), limit, offset)]
    return page_answer(request, rows, len(found), limit, offset)


@router.get("/agents/{agent_id}")
async def get_agent(request: Request, agent_id: str) -> Response:
    """Read an agent."""
    agent = find_agent(agent_id)
    if agent is None:
        raise not_found("Agent")
    return answer(request, agent.as_json(numbers_of(agent.id)))


@router.get("/telephony/numbers")
async def list_numbers(request: Request, limit: Limit = 50, offset: Offset = 0) -> Response:
    """List the organisation's phone numbers."""
    rows = [NUMBERS[at].as_json() for at in places_on_page(request, len(NUMBERS), limit, offset)]
    return page_answer(request, rows, len(NUMBERS), limit, offset)
