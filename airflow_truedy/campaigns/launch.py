"""
Launch a campaign exactly once, entering each step again from whatever is true.

    find or create the draft -> upload contacts -> no twin left, counts agree -> schedule once -> read back, look again

The server is the only truth; the store tells where to look first and saves requests, no more. A draft dials nobody, so
everything before the schedule step may be repeated or thrown away. That step is taken only after a read shows
``draft`` and every twin draft is gone. Two workers cannot both take it: to schedule its own draft, each must first
have deleted the other's, and a deleted draft cannot be scheduled. What a server shows may be old, so absence and old
values are believed only after a settle time, and absence never leads to another create once calls may have been placed.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    TooLateError,
    TruedyError,
)
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import (
    CampaignEndedError,
    CampaignError,
    LaunchInterruptedError,
    TagLostError,
    UnsettledError,
)
from airflow_truedy.campaigns.identity import cut_at
from airflow_truedy.campaigns.progress import NoStore, Progress, Store
from airflow_truedy.campaigns.reconcile import ReconcileAgain, Reconciler
from airflow_truedy.campaigns.started import StartedCampaign
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.steps import DEFAULT_SETTLE, Settling
from airflow_truedy.campaigns.upload import ContactUpload, check_agent, check_count

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.contacts.launched import Claim

log = logging.getLogger(__name__)

# Seconds before each round.
_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 8.0)
_LEAST_NAME = 8


@dataclass(frozen=True)
class Launched:
    """
    A campaign that exists once.

    :param batch: the batch call as read last.
    :param attached: whether an earlier attempt or run of the same key had launched it.
    """

    batch: BatchCall
    attached: bool


class Launch:
    """
    One attempt to bring a planned campaign about.

    :param client: the API.
    :param plan: what is to exist.
    :param store: where progress outlives the attempt; without one everything is read back from the server.
    :param settle: seconds by which the server's reads and lists may be behind. Default: 15.
    :param now: the clock, in UTC. Default: the server's, as far as the client knows it.
    :param sleep: how to wait.
    :param alone: whether no other worker, try or run can make this campaign: the first try, with a store, under a key
        of its own. Then nothing has to be waited for. Default: no.
    :param since: nothing that was made earlier can be this campaign's. Default: anything can.
    :param claim: of the people, where other campaigns of the run may not have them. Default: none.
    """

    def __init__(
        self,
        client: TruedyClient,
        plan: CampaignPlan,
        store: Store | None = None,
        *,
        settle: float = DEFAULT_SETTLE,
        now: Callable[[], datetime] | None = None,
        sleep: Callable[[float], Any] = time.sleep,
        alone: bool = False,
        since: datetime | None = None,
        claim: Claim | None = None,
    ) -> None:
        self._client = client
        self._plan = plan
        self._now = now or client.now
        self._settling = Settling(settle, self._sleep_unless_interrupted)
        self._sleep = sleep
        self._claim = claim
        self._interrupted = False
        self._reconciler = Reconciler(
            client, plan, store or NoStore(), self._settling, self._now, alone=alone, since=since
        )
        self._started = StartedCampaign(self._reconciler, self._checkpoint)

    @property
    def _progress(self) -> Progress:
        return self._reconciler.progress

    @property
    def batch_call_id(self) -> str | None:
        """The campaign's batch call, as soon as it is known."""
        return self._progress.batch_call_id

    def interrupt(self) -> None:
        """Stop before the next step. Only sets a flag, so a signal handler may call it."""
        self._interrupted = True

    def look(self) -> BatchCall | None:
        """
        Return the campaign's batch call if there is one, by reads alone.

        :raises CampaignError: if :meth:`run` would refuse what it found.
        """
        self._reconciler.recall()
        batch = self._reconciler.existing()
        if batch is not None:
            self._reconciler.same_payload(batch)
        return batch

    def run(self) -> Launched:
        """
        Make the campaign exist once, and started if the plan asks for it.

        :raises CampaignError: if a rule of the campaign forbids to go on; nothing is started then.
        :raises TruedyError: if the server refuses or cannot be reached.
        """
        self._reconciler.recall()
        try:
            return self._run()
        except Exception as error:
            self._tell_what_stays(error)
            raise

    def _run(self) -> Launched:
        last: ReconcileAgain | None = None
        for pause in _PAUSES:
            self._settling.wait(pause, "between two rounds of the launch")
            try:
                return self._round()
            except ReconcileAgain as change:
                log.warning("%s The campaign is looked up again.", change)
                last = change
        raise UnsettledError(
            f"The launch of campaign {self._plan.name!r} did not settle in {len(_PAUSES)} rounds: the server's answers "
            f"were lost, or another worker launches it too. Last: {last} The next try reads what is there and goes on."
        ) from last

    def _round(self) -> Launched:
        batch = self._reconciler.existing()
        if batch is None:
            batch = self._create()
        elif not self._reconciler.same_payload(batch) or self._reconciler.is_overfull_draft(batch):
            self._discard(batch.id, "Its payload or its count is another one.")
        elif self._reconciler.is_launched(batch):
            return self._attach(batch)
        if State.of(batch.status).may_have_called:
            return self._close(self._started.complete(batch))
        self._upload(batch)
        batch = self._verified_draft(batch)
        if not self._plan.start:
            return self._close(batch)
        batch = self._schedule(batch)
        self._started.check_twins(batch)
        return self._close(batch)

    def _attach(self, batch: BatchCall) -> Launched:
        log.info(
            "Found batch call %s (%r) of an earlier try or run of campaign %r; nothing was sent. To make another on "
            "purpose, give it another campaign_key or trigger a new Dag run.",
            batch.id,
            batch.status,
            self._plan.name,
        )
        state = State.of(batch.status)
        if state is State.PAUSED and self._plan.start:
            # Maybe by an attempt that stopped it with somebody in it twice: no later one may call that a success.
            check_count(self._client, self._plan, batch, self._settling)
        if state in (State.SCHEDULED, State.ACTIVE) and self._plan.start and not self._progress.launched:
            # The attempt that scheduled it may have died before it read back.
            self._started.verify_stored_start(batch)
        # Twin drafts of a started campaign dial nobody, but a person could start them by mistake.
        steps.delete(self._client, self._reconciler.strays)
        return self._close(batch, attached=True)

    def _create(self) -> BatchCall:
        plan, progress = self._plan, self._progress
        step = plan.start_step(self._now()) if plan.start else None
        self._reconciler.check_duplicates()
        check_agent(self._client, plan)
        if self._claim:
            self._claim.make()
        at_once = step is not None and step.at is None
        create = plan.create_request(at_once=at_once, name_limit=progress.name_limit)
        body = endpoints.create_batch_call(create).body or b""
        key = plan.key.idempotency_key(body, progress.generation)
        # Not repeated blindly, although it carries a key: a server that ignores keys would make two.
        request = endpoints.create_batch_call(create, idempotency_key=key).once()
        if step is not None:
            request = replace(request, not_after=step.not_after)
        progress.begun = True
        self._checkpoint()  # The intent is kept before the first request.
        try:
            batch = self._client.send(request)
        except OutcomeUnknownError as lost:
            self._reconciler.doubt_absence()
            raise ReconcileAgain(f"{lost} It may have been created all the same.") from lost
        except TruedyError as failed:
            if self._claim and self._claim.may_be_given_up and self._reconciler.surely_made_nothing(failed):
                # Other campaigns may have the people of a create that made none.
                self._claim.give_up()
            if isinstance(failed, TooLateError):
                raise ReconcileAgain(str(failed)) from failed
            raise
        self._reconciler.adopt(batch)
        progress.sent = len(create.contacts or ())
        others = len(plan.fields.get("contact_ids") or ())
        progress.accepted = progress.sent if batch.total_contacts is None else batch.total_contacts - others
        progress.may_have_called |= State.of(batch.status).may_have_called
        self._reconciler.save()
        log.info("Created batch call %s (%s) with %s contacts.", batch.id, batch.status, batch.total_contacts)
        self._verify_tag(batch, create.name)
        return batch

    def _verify_tag(self, batch: BatchCall, sent: str) -> None:
        """Start nothing that could not be found again: the name must carry the tag as the server stored it."""
        stored = batch.name if batch.name is not None else self._settling.read(self._client, batch.id).name
        if self._plan.key.tag_in(stored) is not None:
            return
        story = f"The server made {stored!r} of the name {sent!r}, so the campaign could not be found again by its tag."
        if State.of(batch.status).may_have_called:
            pausing.pause_and_raise(self._client, batch, TagLostError(story), self._settling)
        self._delete_our_draft(batch.id, story)
        limit = cut_at(sent, stored or "")
        least = len(sent) - len(self._plan.name) + _LEAST_NAME
        if limit is not None and limit >= least and self._progress.name_limit is None:
            self._progress.name_limit = limit
            self._lose_draft(f"{story} Draft {batch.id} is deleted; names are shortened to {limit} characters.")
        raise TagLostError(f"{story} The draft is deleted, nothing was started. Give it a shorter or plainer name.")

    def _upload(self, batch: BatchCall) -> None:
        try:
            ContactUpload(self._client, self._plan, self._progress, self._checkpoint, self._settling).upload(batch)
        except NotFoundError:
            self._lose_draft(f"Batch call {batch.id} is gone.")
        except (InvalidRequestError, ConflictError) as refused:
            state = State.of(self._settling.read(self._client, batch.id).status)
            if state.may_have_called:
                # Another worker filled and started it meanwhile.
                raise ReconcileAgain(f"Batch call {batch.id} is {state.value!r} meanwhile.") from refused
            raise

    def _verified_draft(self, draft: BatchCall) -> BatchCall:
        """Return our draft, read afresh, once no other batch call of this campaign is left and all contacts count."""
        self._let_grow_old(draft)
        matches = self._reconciler.look_again(draft)
        if matches.started:
            steps.delete(self._client, {batch.id for batch in matches.drafts})
            self._reconciler.forget()
            raise ReconcileAgain(f"Batch call {matches.started[0].id} of this campaign is started already.")
        self._reconciler.check_may_call_again(matches.ended)
        drafts = [batch.id for batch in matches.drafts]
        if draft.id in drafts and drafts[0] != draft.id:
            # The elder draft wins, so that two workers never delete each other's.
            self._discard(draft.id, f"Draft {drafts[0]} of this campaign is older.")
        if steps.delete(self._client, set(drafts) - {draft.id}):
            raise ReconcileAgain("A second draft of this campaign could not be deleted.")
        self._reconciler.check_duplicates(matches, draft)
        batch = next((each for each in matches.drafts if each.id == draft.id), None) or self._still_draft(draft.id)
        check_count(self._client, self._plan, batch, self._settling)
        return batch

    def _let_grow_old(self, draft: BatchCall) -> None:
        """Wait until another worker's draft that was made before ours must show, where another worker can exist."""
        if self._reconciler.alone:
            return
        made = draft.created_at or self._now()
        left = self._settling.seconds - (self._now() - made).total_seconds()
        self._settling.wait(min(left, self._settling.seconds), "so that a second worker's draft would be seen")

    def _still_draft(self, batch_call_id: str) -> BatchCall:
        """Read a draft that the list did not show: lists shift while they are paged, and lag."""
        try:
            batch = self._settling.read(self._client, batch_call_id)
        except NotFoundError:
            self._lose_draft(f"Draft {batch_call_id} is gone.")
        if State.of(batch.status).may_have_called:
            raise ReconcileAgain(f"Batch call {batch_call_id} is {batch.status!r} already.")
        if self._plan.key.tag_in(batch.name) is None:
            raise TagLostError(
                f"Draft {batch.id} is named {batch.name!r} now, without the tag by which it is found again. It was not "
                f"started. Put the tag back in the Truedy dashboard: {self._plan.tagged_name!r}."
            )
        return batch

    def _schedule(self, draft: BatchCall) -> BatchCall:
        progress = self._progress
        step = self._plan.start_step(self._now())
        had_called = progress.may_have_called
        # An earlier attempt may have been asked for a draft and have seen that to its end.
        progress.launched, progress.may_have_called = False, True
        self._checkpoint()
        try:
            batch = steps.schedule(self._client, draft, step, self._settling)
        except TooLateError as late:
            raise ReconcileAgain(str(late)) from late
        except NotFoundError:
            # The step itself was answered with a 404, so it started nothing.
            progress.may_have_called = had_called
            self._lose_draft(f"Draft {draft.id} is gone.")
        except (InvalidRequestError, ConflictError):
            # Refused, and patient reads showed that it is still a draft.
            progress.may_have_called = had_called
            self._reconciler.save()
            raise
        self._started.verify_start(batch, step)
        return batch

    def _discard(self, batch_call_id: str, why: str) -> NoReturn:
        self._delete_our_draft(batch_call_id, why)
        self._lose_draft(f"{why} Draft {batch_call_id} is deleted.")

    def _delete_our_draft(self, batch_call_id: str, why: str) -> None:
        # A read showed that it is a draft, and a server deletes no other: what is deleted has not called. Kept before,
        # so that who dies behind the delete does not leave word that it may have.
        self._progress.may_have_called = False
        self._reconciler.save()
        if steps.delete(self._client, {batch_call_id}):
            raise UnsettledError(f"Draft {batch_call_id} could not be deleted. It dials nobody. {why}")

    def _lose_draft(self, why: str) -> NoReturn:
        """The draft is gone; a create with the same idempotency key would get the answer about it again."""
        if self._progress.may_have_called:
            raise CampaignEndedError(
                f"{why} Campaign {self._plan.name!r} may have called, so no other one was made and nobody is called "
                "twice. A new Dag run, or another campaign_key, makes another campaign on purpose."
            )
        self._reconciler.forget()
        self._progress.generation += 1
        raise ReconcileAgain(why)

    def _close(self, batch: BatchCall, *, attached: bool = False) -> Launched:
        self._reconciler.close()
        return Launched(batch, attached)

    def _checkpoint(self) -> None:
        """Keep the progress; stop here if the task was killed."""
        self._reconciler.save()
        self._stop_if_interrupted()

    def _sleep_unless_interrupted(self, seconds: float) -> None:
        self._sleep(seconds)
        self._stop_if_interrupted()

    def _stop_if_interrupted(self) -> None:
        if self._interrupted:
            raise LaunchInterruptedError(
                f"The launch of campaign {self._plan.name!r} was interrupted before it was started. "
                f"Batch call {self.batch_call_id or '(none yet)'} dials nobody; the next try goes on from there."
            )

    def _tell_what_stays(self, error: Exception) -> None:
        """Add to an error what is left on the server."""
        if self.batch_call_id is None:
            if not (self._progress.begun or self._progress.may_have_called):
                log.error("This try created nothing and started nothing.")
            return
        if isinstance(error, CampaignError) and self.batch_call_id in str(error):
            return
        state = "may have been started" if self._progress.may_have_called else "is a draft and dials nobody"
        goes_on = "The next try goes" if getattr(error, "retryable", True) else "No retry follows; a cleared task goes"
        stays = f"Batch call {self.batch_call_id} stays on the server: it {state}. {goes_on} on with it."
        log.error("%s", stays)
        if hasattr(error, "add_note"):
            error.add_note(stays)
