"""Before contacts are uploaded: the agent exists, is active, and has a number to call from."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError, PermissionDeniedError
from airflow_truedy.campaigns.errors import AgentNotReadyError

if TYPE_CHECKING:
    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.campaigns.plan import CampaignPlan

log = logging.getLogger(__name__)

_AGENTS_SHOWN = 10


def check_agent(client: TruedyClient, plan: CampaignPlan) -> None:
    """
    Refuse a campaign whose agent cannot call. One request, and one more where ``phone_number_ids`` are stated.

    A key that may not read agents is believed to have a good one.

    :raises AgentNotReadyError: naming the agents that there are.
    """
    try:
        problem = _problem(client, str(plan.fields["agent_id"]), list(plan.fields.get("phone_number_ids") or ()))
    except (NotFoundError, PermissionDeniedError) as unreadable:
        log.warning("Agent and numbers could not be checked before the upload: %s", unreadable)
        return
    if problem:
        raise AgentNotReadyError(f"{problem} Nothing was uploaded.")


def _problem(client: TruedyClient, agent_id: str, number_ids: list[str]) -> str | None:
    """Tell why the agent cannot call; ``None`` if it can."""
    try:
        agent = client.send(endpoints.get_agent(agent_id))
    except NotFoundError:
        return f"There is no agent {agent_id!r}.{_agents_there_are(client)}"
    named = f"Agent {agent_id!r} ({agent.name})"
    if agent.status and agent.status != "active":
        return f"{named} is {agent.status!r}, not active.{_agents_there_are(client)}"
    if not number_ids and agent.outbound_phone_numbers == []:
        return f"{named} has no outbound number. Assign one in the Truedy dashboard, or state phone_number_ids."
    known = {number.id for number in client.pages(endpoints.list_numbers())} if number_ids else set()
    unknown = [each for each in number_ids if each not in known]
    if unknown:
        return f"phone_number_ids: {', '.join(unknown)} not among the {len(known)} numbers of the organisation."
    return None


def _agents_there_are(client: TruedyClient) -> str:
    agents = list(islice(client.pages(endpoints.list_agents()), _AGENTS_SHOWN + 1))
    shown = ", ".join(f"{agent.id} ({agent.name}, {agent.status})" for agent in agents[:_AGENTS_SHOWN])
    return f" There are: {shown}{', ...' if len(agents) > _AGENTS_SHOWN else ''}." if agents else " There are none."
