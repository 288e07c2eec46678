"""The agents and phone numbers that a sandbox starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from truedy_sandbox.ids import uuid_id

_SEEDED_AT = "2026-01-05T09:00:00Z"


@dataclass(frozen=True)
class PhoneNumber:
    """A number of the organisation; at most one agent calls from it."""

    id: str
    phone_number: str
    agent_id: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the item of GET /telephony/numbers."""
        return {
            "id": self.id,
            "phone_number": self.phone_number,
            "agent_id": self.agent_id,
            "status": "active",
            "is_trudy_managed": True,
            "created_at": _SEEDED_AT,
            "updated_at": _SEEDED_AT,
        }


@dataclass(frozen=True)
class Agent:
    """A voice agent."""

    id: str
    name: str
    status: str

    def as_json(self, numbers: list[PhoneNumber]) -> dict[str, Any]:
        """Return the agent object."""
        assigned = [{"id": each.id, "phone_number": each.phone_number} for each in numbers]
        return {
            "id": self.id,
            "name": self.name,
            "description": None,
            "voice_id": "voice_sandbox",
            "system_prompt": "You are a friendly assistant. Greet {{first_name}}.",
            "model": "sandbox",
            "status": self.status,
            "inbound_phone_numbers": [],
            "outbound_phone_numbers": assigned,
            "created_at": _SEEDED_AT,
            "updated_at": _SEEDED_AT,
        }


AGENTS = (
    Agent("agt_f9447372", "Follow-up agent", "active"),
    Agent("agt_5e1ec7ed", "Renewals agent", "active"),
    Agent("agt_d4af7000", "Unfinished agent", "draft"),
    Agent("agt_0000ca11", "Agent without a number", "active"),
)

NUMBERS = (
    PhoneNumber(f"num_{uuid_id('number', 1)}", "+18005550142", "agt_f9447372"),
    PhoneNumber(f"num_{uuid_id('number', 2)}", "+12125550143", "agt_f9447372"),
    PhoneNumber(f"num_{uuid_id('number', 3)}", "+442079460144", "agt_5e1ec7ed"),
    PhoneNumber(f"num_{uuid_id('number', 4)}", "+12125550145", "agt_d4af7000"),
    PhoneNumber(f"num_{uuid_id('number', 5)}", "+12125550146", None),
)


def find_agent(agent_id: str) -> Agent | None:
    """Return an agent by its id."""
    return next((each for each in AGENTS if each.id == agent_id), None)


def numbers_of(agent_id: str) -> list[PhoneNumber]:
    """Return the numbers that an agent calls from."""
    return [each for each in NUMBERS if each.agent_id == agent_id]
