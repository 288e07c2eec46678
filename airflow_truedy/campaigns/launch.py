"""
Launch a campaign exactly once, entering each step again from whatever is true.

    find or create the draft -> add contacts -> no twin left -> counts agree -> schedule once -> read back

The server is the only truth; the store says where to look first and saves requests, no more. A draft dials nobody, so
everything before the schedule step may be repeated or thrown away. That step is taken only after a read shows
``draft`` and every twin draft is gone. Two workers cannot both take it: to schedule its own draft, each must first
have deleted the other's, and a deleted draft cannot be scheduled.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import ConflictError, InvalidRequestError, NotFoundError, OutcomeUnknownError
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import (
    CampaignError,
    LaunchInterruptedError,
    UnsettledError,
)
from airflow_truedy.campaigns.lookup import find
from airflow_truedy.campaigns.pausing import verify_start
from airflow_truedy.campaigns.progress import NoStore, Progress, Store
from airflow_truedy.campaigns.reconcile import Reconciler
from airflow_truedy.campaigns.schedule import UTC
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.upload import ContactUpload, check_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan

log = logging.getLogger(__name__)

_ROUNDS = 8


@dataclass(frozen=True)
class Launched:
    """
    A campaign that exists once.

    :param batch: the batch call as read last.
    :param attached: whether an earlier attempt or run of the same key had launched it.
    """

    batch: BatchCall
    attached: bool


class _ReconcileAgain(Exception):  # noqa: N818 - a turn taken, not an error
    """What was true a moment ago is not any more; look again from the beginning."""


class Launch:
    """
    One attempt to bring a planned campaign about.

    :param client: the API.
    :param plan: what is to exist.
    :param store: where progress outlives the attempt; without one everything is read back from the server.
    :param now: the clock, in UTC.
    """

    def __init__(
        self,
        client: TruedyClient,
        plan: CampaignPlan,
        store: Store | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._plan = plan
        self._store = store or NoStore()
        self._now = now
        self._interrupted = False
        self._reconciler = Reconciler(client, plan, self._store)

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

    def run(self) -> Launched:
        """
        Make the campaign exist once, and started if the plan says so.

        :raises CampaignError: if a rule of the campaign forbids to go on; nothing is started then.
        :raises TruedyError: if the server refuses or cannot be reached.
        """
        self._reconciler.recall()
        last: _ReconcileAgain | None = None
        for _ in range(_ROUNDS):
            try:
                return self._round()
            except _ReconcileAgain as change:
                last = change
                log.warning("%s Looking again.", change)
        raise UnsettledError(
            f"The launch of campaign {self._plan.name!r} did not settle in {_ROUNDS} rounds: the server's answers "
            f"were lost, or another worker launches it too. Last: {last} The next try reads what is there and goes on."
        ) from last

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

    def _round(self) -> Launched:
        batch = self._reconciler.existing()
        if batch is None:
            batch = self._create()
        elif not self._reconciler.same_payload(batch) or self._reconciler.is_overfull_draft(batch):
            self._discard(batch)
        elif self._reconciler.is_launched(batch):
            return self._attach(batch)
        if State.of(batch.status).may_have_called:
            return self._finish_started(batch)
        return self._finish_draft(batch)

    def _attach(self, batch: BatchCall) -> Launched:
        log.info(
            "Campaign %r is launched already: batch call %s is %r. Nothing was sent. To make another on purpose, "
            "give it another campaign_key or trigger a new Dag run.",
            self._plan.name,
            batch.id,
            batch.status,
        )
        is_live = State.of(batch.status) in (State.SCHEDULED, State.ACTIVE)
        if State.of(batch.status) is State.PAUSED and self._plan.start:
            # Maybe by an attempt that stopped it with somebody in it twice: no later one may call that a success.
            check_count(self._client, self._plan, batch)
        if is_live and self._plan.start and not self._progress.launched:
            # The attempt that scheduled it may have died before it read back.
            self._verify(batch, self._moment_ahead())
        # Twin drafts of a started campaign dial nobody, but a person could start them by mistake.
        steps.delete(self._client, self._reconciler.strays)
        self._close()
        return Launched(batch, attached=True)

    def _moment_ahead(self) -> datetime | None:
        moment = self._plan.moment
        return moment if moment is not None and moment > self._now() else None

    # Make it and bring it to its end.

    def _create(self) -> BatchCall:
        plan = self._plan
        at = plan.start_at(self._now()) if plan.start else plan.moment
        first = next(iter(plan.contacts.chunks(plan.chunk_size)), None) if plan.contacts else None
        request = plan.request(first, at)
        body = endpoints.create_batch_call(request).body or b""
        key = plan.key.idempotency_key(body, self._progress.generation)
        self._progress.begun = True
        self._checkpoint()  # The intent is kept before the first request.
        try:
            # Not repeated blindly, although it carries a key: a server that ignores keys would make two.
            batch = self._client.send(endpoints.create_batch_call(request, idempotency_key=key).once())
        except OutcomeUnknownError as lost:
            raise _ReconcileAgain(f"{lost} It may have been created all the same.") from lost
        self._reconciler.adopt(batch)
        self._progress.sent = len(first or ())
        others = len(plan.fields.get("contact_ids") or ())
        self._progress.accepted = self._progress.sent if batch.total_contacts is None else batch.total_contacts - others
        self._progress.may_have_called = State.of(batch.status).may_have_called
        self._progress.save(self._store)
        log.info("Created batch call %s (%s) with %s contacts.", batch.id, batch.status, batch.total_contacts)
        return batch

    def _finish_draft(self, batch: BatchCall) -> Launched:
        self._fill(batch)
        batch = self._sole_draft()
        check_count(self._client, self._plan, batch)
        if not self._plan.start:
            self._close()
            return Launched(batch, attached=False)
        at = self._plan.start_at(self._now())
        # An earlier attempt may have been asked for a draft and have seen that to its end.
        self._progress.launched, self._progress.may_have_called = False, True
        self._checkpoint()
        try:
            batch = steps.schedule(self._client, batch, at, self._plan.timezone)
        except NotFoundError:
            self._lose_draft(batch.id)
        except (InvalidRequestError, ConflictError):
            # Refused, and a read showed that it is still a draft.
            self._progress.may_have_called = False
            self._progress.save(self._store)
            raise
        self._verify(batch, at)
        self._close()
        return Launched(batch, attached=False)

    def _sole_draft(self) -> BatchCall:
        """Return our draft, read afresh, once no other batch call of this campaign is left."""
        found = find(self._client, self._plan.key)
        ours = self.batch_call_id or ""
        if found.started:
            steps.delete(self._client, {batch.id for batch in found.drafts})
            self._reconciler.forget_draft()
            raise _ReconcileAgain(f"Batch call {found.started[0].id} of this campaign is started already.")
        self._reconciler.check_may_call_again(found.ended)
        drafts = [batch.id for batch in found.drafts]
        if ours in drafts and drafts[0] != ours:
            # The elder draft wins, so that two workers never delete each other's.
            steps.delete(self._client, {ours})
            self._lose_draft(ours)
        if steps.delete(self._client, set(drafts) - {ours}):
            raise _ReconcileAgain("A second draft of this campaign could not be deleted.")
        try:
            return next((batch for batch in found.drafts if batch.id == ours), None) or self._still_draft(ours)
        except NotFoundError:
            self._lose_draft(ours)

    def _still_draft(self, batch_call_id: str) -> BatchCall:
        """Read a draft that the list did not show: lists shift while they are paged."""
        batch = steps.read(self._client, batch_call_id)
        if State.of(batch.status).may_have_called:
            raise _ReconcileAgain(f"Batch call {batch_call_id} is {batch.status!r} already.")
        return batch

    def _finish_started(self, batch: BatchCall) -> Launched:
        """Complete a campaign that the server started at the create: held while contacts are missing."""
        key = self._plan.key
        # The create's answer may be a replay about a batch call that is gone.
        batch = self._reread(batch)
        self._progress.save(self._store)
        if self._reconciler.is_incomplete(batch) or not self._plan.start:
            self._progress.held = True
            self._progress.save(self._store)
            batch = pausing.pause_with_marker(self._client, key, batch)
            self._fill(batch)
        self._hold_twins(batch)
        batch = self._reread(batch)
        check_count(self._client, self._plan, batch)
        if not self._plan.start:
            log.warning("The server started batch call %s although start=False; it is paused.", batch.id)
            batch = pausing.leave_to_a_person(self._client, key, batch)
            self._close()
            return Launched(batch, attached=False)
        if State.of(batch.status) is State.PAUSED or pausing.is_paused_by_us(key, batch):
            if State.of(batch.status) is State.PAUSED:
                has_called = bool(batch.called or batch.completed or batch.failed)
                self._plan.check_resume_at(self._now(), batch.scheduled_at, has_called=has_called)
            self._verify(batch, self._moment_ahead())
            self._progress.launched, self._progress.held = False, True
            self._checkpoint()
            batch = pausing.resume_our_pause(self._client, key, batch)
        self._verify(batch, self._moment_ahead())
        self._close()
        return Launched(batch, attached=False)

    def _verify(self, batch: BatchCall, at: datetime | None) -> None:
        try:
            verify_start(self._client, self._plan, batch, at, self._now())
        except CampaignError:
            # Paused for a person to look at: no later attempt may take it for an interrupted launch.
            self._close()
            raise

    def _reread(self, batch: BatchCall) -> BatchCall:
        try:
            return steps.read(self._client, batch.id)
        except NotFoundError:
            self._lose_draft(batch.id)

    def _hold_twins(self, ours: BatchCall) -> None:
        """Of several campaigns that a server started by itself, all workers let the eldest live."""
        found = find(self._client, self._plan.key)
        eldest = found.chosen or ours
        for twin in found.started:
            if twin.id != eldest.id and not State.of(twin.status).is_terminal:
                log.error("Batch call %s doubles %s of the same campaign; pausing it.", twin.id, eldest.id)
                pausing.pause_with_marker(self._client, self._plan.key, twin)
        if steps.delete(self._client, {draft.id for draft in found.drafts if draft.id != ours.id}):
            raise _ReconcileAgain("A second draft of this campaign could not be deleted.")
        if eldest.id != ours.id:
            self._reconciler.forget_draft()
            raise _ReconcileAgain(f"Batch call {eldest.id} of this campaign is older.")

    def _fill(self, batch: BatchCall) -> None:
        try:
            ContactUpload(self._client, self._plan, self._progress, self._checkpoint).fill(batch)
        except NotFoundError:
            self._lose_draft(batch.id)

    # What is kept.

    def _discard(self, draft: BatchCall) -> NoReturn:
        # A read showed that it is a draft. Who dies behind the delete must not leave word that it may have called.
        self._progress.may_have_called = False
        self._progress.save(self._store)
        if steps.delete(self._client, {draft.id}):
            raise UnsettledError(f"Draft {draft.id} could not be deleted to be built again. It dials nobody.")
        self._lose_draft(draft.id)

    def _lose_draft(self, batch_call_id: str) -> NoReturn:
        """The draft is gone; a create with the same idempotency key would get the answer about it again."""
        self._reconciler.forget_draft()
        self._progress.generation += 1
        raise _ReconcileAgain(f"Draft {batch_call_id} is gone.")

    def _close(self) -> None:
        self._progress.launched, self._progress.held = True, False
        self._progress.save(self._store)

    def _checkpoint(self) -> None:
        """Keep the progress; stop here if the task was killed."""
        self._progress.save(self._store)
        if self._interrupted:
            raise LaunchInterruptedError(
                f"The launch of campaign {self._plan.name!r} was interrupted before it was started. "
                f"Batch call {self.batch_call_id or '(none yet)'} dials nobody; the next try goes on from there."
            )
