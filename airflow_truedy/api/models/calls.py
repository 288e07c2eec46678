"""Single calls, and the agents and numbers that make them: what is sent about them, and what the API answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import StrictBool, model_validator

from airflow_truedy.api.models.base import (
    LENIENT,
    Amount,
    Answer,
    AnsweredMoment,
    Id,
    Number,
    Payload,
    Seconds,
    State,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class CallSettings(Payload):
    """
    How a single call is made.

    :param recording_enabled: the server's default is true.
    :param transcription_enabled: the server's default is true.
    :param greeting: what the agent says first.
    :param max_duration: seconds with the unit, e.g. ``"3600s"``.
    :param join_timeout: seconds with the unit, e.g. ``"30s"``.
    """

    label: ClassVar[str] = "call settings"

    recording_enabled: StrictBool | None = None
    transcription_enabled: StrictBool | None = None
    greeting: str | None = None
    max_duration: Seconds | None = None
    join_timeout: Seconds | None = None


class CallRequest(Payload):
    """
    ``POST /calls``: one outbound call, at once.

    :param agent_id: the agent that calls; must be active.
    :param phone_number: the number to call, E.164.
    :param from_number: a number assigned to the agent, E.164. Default: the server chooses.
    :param call_settings: recording, transcription, greeting, durations.
    :param variables: values for the agent's prompt, text to text.
    """

    label: ClassVar[str] = "call"

    agent_id: Id
    phone_number: Number
    from_number: Number | None = None
    call_settings: CallSettings | None = None
    variables: dict[str, str] | None = None


class Call(Answer):
    """One phone call. ``status`` is as the server sent it."""

    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "to_number": ("to", "phone_number"),
        "from_number": ("from",),
        "batch_call_id": ("metadata.campaign_id",),
        "contact_id": ("metadata.contact_id",),
    }
    shown: ClassVar[tuple[str, ...]] = ("id", "status", "direction", "agent_id", "duration_seconds")

    id: Id
    status: State = ""
    direction: Text = None
    agent_id: Text = None
    to_number: Text = None
    from_number: Text = None
    duration_seconds: Amount = None
    summary: Text = None
    cost_credits: Amount = None
    batch_call_id: Text = None
    #: The contact it went to; the prefix may differ from that in the batch call's rows.
    contact_id: Text = None
    started_at: AnsweredMoment = None
    ended_at: AnsweredMoment = None
    created_at: AnsweredMoment = None


class Transcript(Answer):
    """The transcript of a call: each line a mapping with ``speaker``, ``text`` and seconds from the start."""

    shown: ClassVar[tuple[str, ...]] = ("call_id",)

    call_id: Text = None
    transcript: Annotated[list[dict[str, Any]] | None, LENIENT] = None
    summary: Text = None

    @model_validator(mode="before")
    @classmethod
    def _lines_alone(cls, data: Any) -> Any:
        return {"transcript": data} if isinstance(data, list) else data


class PhoneNumber(Answer):
    """A number of the organization, or of an agent."""

    shown: ClassVar[tuple[str, ...]] = ("id", "agent_id", "status")

    id: Id
    phone_number: Text = None
    agent_id: Text = None
    status: State = ""


class Agent(Answer):
    """A voice agent. It must be ``active`` to call."""

    shown: ClassVar[tuple[str, ...]] = ("id", "name", "status")

    id: Id
    name: Text = None
    status: State = ""
    outbound_phone_numbers: Annotated[list[PhoneNumber] | None, LENIENT] = None
