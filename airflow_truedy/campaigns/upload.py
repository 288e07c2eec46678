"""
Bring the contacts of a plan into its batch call, each exactly once, whatever answer gets lost on the way.

Before that the agent is checked, and behind it the count.
"""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import NotFoundError, OutcomeUnknownError, PermissionDeniedError
from airflow_truedy.campaigns.errors import AgentNotReadyError, CountMismatchError, UnsettledError
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.steps import PATIENT, Settling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.campaigns.progress import Progress

log = logging.getLogger(__name__)

Chunk = list[dict[str, Any]]
_TRIES = 5
_LISTED_TO_BE_SURE = 5_000
_AGENTS_SHOWN = 10
_WHY_WAIT = "so that contacts which are under way would be counted"


def check_agent(client: TruedyClient, plan: CampaignPlan) -> None:
    """
    Refuse a campaign whose agent cannot call. One request, and one more where ``phone_number_ids`` are stated.

    A key that may not read agents is believed to have a good one.

    :raises AgentNotReadyError: naming the agents that there are.
    """
    try:
        problem = _agent_problem(client, str(plan.fields["agent_id"]), list(plan.fields.get("phone_number_ids") or ()))
    except (NotFoundError, PermissionDeniedError) as unreadable:
        log.warning("Agent and numbers could not be checked before the upload: %s", unreadable)
        return
    if problem:
        raise AgentNotReadyError(f"{problem} Nothing was uploaded.")


def _agent_problem(client: TruedyClient, agent_id: str, number_ids: list[str]) -> str | None:
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


class ContactUpload:
    """
    Adds a plan's contacts to its batch call chunk by chunk.

    :param progress: how far it is; changed as it goes on.
    :param checkpoint: called before and after every request: keeps the progress, and may raise to stop.
    :param settling: how long a count or a list is given to show what was added.
    """

    def __init__(
        self,
        client: TruedyClient,
        plan: CampaignPlan,
        progress: Progress,
        checkpoint: Callable[[], None],
        settling: Settling = PATIENT,
    ) -> None:
        self._client = client
        self._plan = plan
        self._progress = progress
        self._checkpoint = checkpoint
        self._settling = settling

    def upload(self, batch: BatchCall) -> None:
        """Add every contact that ``batch`` does not contain yet."""
        contacts = self._plan.contacts
        if contacts is None:
            return
        progress, count = self._progress, self._count(batch)
        if (progress.in_flight or not self._is_in_step(count)) and count < contacts.count:
            # Maybe an earlier attempt's last chunk is under way, or counters lag.
            arrived = progress.accepted + progress.in_flight
            count = self._settling.look_until(
                lambda: self._count(self._settling.read(self._client, batch.id)),
                lambda seen: seen >= contacts.count or 0 < seen == arrived,
                _WHY_WAIT,
            )
            if progress.in_order and progress.in_flight and count == arrived:
                progress.guessed = True
                self._acknowledge(sent=progress.in_flight, accepted=progress.in_flight)
        if self._is_in_step(count) or count == 0:
            start = self._progress.sent if count else 0
            for chunk in contacts.chunks(self._plan.chunk_size, start=start):
                self._add(batch.id, chunk)
        elif count < contacts.count or (count == contacts.count > self._plan.chunk_size and self._may_doubt_counts):
            # Also where the count is right: a zombie's chunk may have come in place of one that never arrived.
            log.info("Batch call %s has %d of %d contacts; comparing the list.", batch.id, count, contacts.count)
            self._settling.wait(self._settling.seconds, _WHY_WAIT)
            self._add_missing(batch.id, count)
        while self._progress.guessed and self._may_doubt_counts:
            self._progress.guessed = False
            self._settling.wait(self._settling.seconds, _WHY_WAIT)
            self._add_missing(batch.id, self._count(self._settling.read(self._client, batch.id)))
        self._progress.sent = contacts.count
        self._checkpoint()

    @property
    def _may_doubt_counts(self) -> bool:
        """
        Whether the list is short enough to be read only to be surer than the count.

        A page has 100 contacts: for a million that would be 10,000 requests, two hours and more, because of one lost
        answer. A right count is wrong only if a zombie adds to the same draft on a server that keeps doubles.
        """
        return self._plan.contacts is not None and self._plan.contacts.count <= _LISTED_TO_BE_SURE

    def _count(self, batch: BatchCall) -> int:
        return count_of(self._client, batch) - len(self._plan.fields.get("contact_ids") or ())

    def _is_in_step(self, count: int) -> bool:
        """Whether what was sent from the start of the list is surely there, and nothing else."""
        return self._progress.in_order and 0 < count == self._progress.accepted

    def _add(self, batch_call_id: str, chunk: Chunk) -> None:
        for _ in range(_TRIES):
            self._progress.in_flight = len(chunk)
            self._checkpoint()
            try:
                added = self._client.send(endpoints.add_contacts(batch_call_id, chunk))
            except OutcomeUnknownError as lost:
                log.warning("%s Comparing the server's count before anything is sent again.", lost)
                chunk = self._not_added(batch_call_id, chunk)
                if not chunk:
                    break
            else:
                taken = len(chunk) if added.added_count is None else added.added_count
                self._acknowledge(sent=len(chunk), accepted=taken)
                break
        else:
            raise UnsettledError(
                f"The answer to adding contacts to batch call {batch_call_id} was lost {_TRIES} times. "
                "It is not started; the next try goes on where this one stopped."
            )
        self._checkpoint()

    def _not_added(self, batch_call_id: str, chunk: Chunk) -> Chunk:
        """After a lost answer: return the part of ``chunk`` that did not arrive, by count, else by the numbers."""
        arrived = self._settling.look_until(
            lambda: self._count(self._settling.read(self._client, batch_call_id)) - self._progress.accepted,
            lambda seen: seen >= len(chunk),
            _WHY_WAIT,
        )
        if arrived <= 0:
            self._acknowledge(sent=0, accepted=0)
            self._checkpoint()
            return chunk
        missing: Chunk = []
        if arrived == len(chunk):
            # Most likely ours; but a zombie's chunk looks the same where a server keeps doubles. One list at the end.
            self._progress.guessed = True
        else:
            wanted = {_digits(contact["phone_number"]) for contact in chunk}
            there = {number for number in self._numbers(batch_call_id) if number in wanted}
            missing = [contact for contact in chunk if _digits(contact["phone_number"]) not in there]
            # What arrived may be any part of the chunk, so the next attempt cannot go on by count alone.
            self._progress.in_order = False
        self._acknowledge(sent=len(chunk) - len(missing), accepted=arrived)
        return missing

    def _add_missing(self, batch_call_id: str, count: int) -> None:
        """Compare with the server's whole list; 28 bytes a number, so a million are some 60 MB here."""
        contacts = self._plan.contacts
        assert contacts is not None
        there = set(self._numbers(batch_call_id))
        self._progress.in_order, self._progress.accepted, self._progress.in_flight = False, count, 0
        missing: Chunk = []
        for chunk in contacts.chunks(self._plan.chunk_size):
            missing += [contact for contact in chunk if _digits(contact["phone_number"]) not in there]
            if len(missing) >= self._plan.chunk_size:
                self._add(batch_call_id, missing[: self._plan.chunk_size])
                missing = missing[self._plan.chunk_size :]
        if missing:
            self._add(batch_call_id, missing)

    def _numbers(self, batch_call_id: str) -> Iterator[int]:
        rows = self._client.pages(endpoints.list_batch_call_contacts(batch_call_id))
        return (_digits(row.phone_number) for row in rows if row.phone_number)

    def _acknowledge(self, *, sent: int, accepted: int) -> None:
        self._progress.in_flight = 0
        self._progress.sent += sent
        self._progress.accepted += accepted


def _digits(phone_number: str) -> int:
    # Small in memory, and the same however a server writes the number.
    return int("0" + re.sub(r"[^0-9]", "", phone_number))


def count_of(client: TruedyClient, batch: BatchCall) -> int:
    """Return how many contacts the server counts; older answers have no counter, then the list is counted."""
    if batch.total_contacts is not None:
        return batch.total_contacts
    return sum(1 for _ in client.pages(endpoints.list_batch_call_contacts(batch.id)))


def check_count(client: TruedyClient, plan: CampaignPlan, batch: BatchCall, settling: Settling = PATIENT) -> None:
    """
    Compare what the server counted with what was sent; too few are counted again, because counters may lag.

    :raises CountMismatchError: if they differ by more than the plan allows. The batch call is left as it is.
    """
    expected = plan.expected_contacts
    least = 1 if expected is None else expected - plan.may_refuse
    count = count_of(client, batch)
    if count < least:
        count = settling.look_until(
            lambda: count_of(client, settling.read(client, batch.id)), lambda seen: seen >= least, _WHY_WAIT
        )
    where = f"Batch call {batch.id} ({plan.name!r})"
    is_draft = not State.of(batch.status).may_have_called
    left = "It was not started and stays a draft." if is_draft else f"It is {batch.status!r}."
    if expected is None:
        if count == 0:
            raise CountMismatchError(f"{where} has 0 contacts: is the folder empty? {left}")
        return
    if count > expected:
        raise CountMismatchError(
            f"{where} has {count} contacts, {expected} were sent: somebody may be in it twice. {left}"
            + (" A cleared task throws this draft away and builds it again." if is_draft else "")
        )
    if count < least:
        raise CountMismatchError(
            f"{where} has {count} contacts, {expected} were sent: the server refused {expected - count}. {left} "
            f"max_rejected allows {plan.may_refuse}; raise it to start without them."
        )
