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
from airflow_truedy.campaigns import holding, steps
from airflow_truedy.campaigns.errors import (
    CampaignEndedError,
    CampaignError,
    LaunchInterruptedError,
    PayloadChangedError,
    UnsettledError,
)
from airflow_truedy.campaigns.filling import Filling, check_count, count_of
from airflow_truedy.campaigns.lookup import find
from airflow_truedy.campaigns.readback import verify_start
from airflow_truedy.campaigns.states import State
from airflow_truedy.campaigns.store import NoStore, Progress, Store
from airflow_truedy.campaigns.times import UTC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


class _StartOver(Exception):  # noqa: N818 - a turn taken, not an error
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
        self._progress = Progress(plan.key.short, plan.fingerprint)
        self._made_from: str | None = None
        self._unfinished: str | None = None
        self._strays: set[str] = set()

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
        self._recall()
        last: _StartOver | None = None
        for _ in range(_ROUNDS):
            try:
                return self._round()
            except _StartOver as change:
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
        self._recall()
        batch = self._existing()
        if batch is not None:
            self._same_payload(batch)
        return batch

    def _recall(self) -> None:
        self._progress = Progress.load(self._store, self._plan.key.short, self._plan.fingerprint)
        self._made_from = self._progress.fingerprint
        # Only what was stored can tell that an attempt died while it held the campaign itself.
        self._unfinished = self._progress.batch_call_id if self._progress.held else None
        if self._made_from != self._plan.fingerprint:
            # How far another payload had got says nothing about this one.
            self._progress.fingerprint = self._plan.fingerprint
            self._progress.sent = self._progress.accepted = 0
            self._progress.guessed = False

    def _round(self) -> Launched:
        batch = self._existing()
        if batch is None:
            batch = self._create()
        elif not self._same_payload(batch) or self._is_overfull_draft(batch):
            self._discard(batch)
        elif self._is_launched(batch):
            return self._attach(batch)
        if State.of(batch.status).may_have_called:
            return self._finish_started(batch)
        return self._finish_draft(batch)

    # Which batch call is it?

    def _existing(self) -> BatchCall | None:
        """Return this campaign's batch call: by the stored id, else by the tag in its name."""
        batch = self._remembered()
        if batch is None or State.of(batch.status).ended_badly:
            found = find(self._client, self._plan.key)
            if self._would_be_started(found.chosen):
                # Not even a twin that was left over may be started once its campaign has called.
                self._check_may_call_again(found.ended or ((batch,) if batch else ()), is_gone=batch is None)
            if found.chosen is None:
                self._forget_draft()
            batch = found.chosen
            self._strays = {draft.id for draft in found.drafts} if found.started else set()
        if batch is not None:
            self._adopt(batch)
            self._progress.may_have_called |= State.of(batch.status).may_have_called
        return batch

    def _remembered(self) -> BatchCall | None:
        if self._progress.batch_call_id is None:
            return None
        try:
            return steps.read(self._client, self._progress.batch_call_id)
        except NotFoundError:
            log.warning("Batch call %s is gone; looking for another of its key.", self._progress.batch_call_id)
            return None

    def _would_be_started(self, chosen: BatchCall | None) -> bool:
        """Whether it takes a step of ours to make ``chosen`` call, or the one that is made where there is none."""
        if chosen is None or not State.of(chosen.status).may_have_called:
            return True
        return holding.is_paused_by_us(self._plan.key, chosen)

    def _check_may_call_again(self, ended: Sequence[BatchCall], *, is_gone: bool = False) -> None:
        """
        Refuse to start a campaign that may have called and is over, unless the author wishes it.

        :param ended: batch calls of this campaign that ended badly.
        :param is_gone: whether the batch call that the store knows is gone from the server.
        """
        progress, plan = self._progress, self._plan
        if ended:
            last = ended[-1]
            what = f"Batch call {last.id} of campaign {plan.name!r} is {last.status!r} after {last.called or 0} calls"
        elif is_gone and progress.may_have_called:
            what = f"Batch call {progress.batch_call_id} of campaign {plan.name!r} may have called and is deleted"
        else:
            return
        if plan.on_retry != "new":
            raise CampaignEndedError(
                f"{what}. No new one was started, so nobody is called twice. on_retry='new' makes one that calls "
                "everybody in the list again."
            )
        log.warning("%s; another one takes its place (on_retry='new').", what)
        progress.generation = max(progress.generation, len(ended))

    def _same_payload(self, batch: BatchCall) -> bool:
        """
        Whether ``batch`` was made from this plan's payload.

        :raises PayloadChangedError: if not, unless it is a draft that may be built again.
        """
        tag = self._plan.key.tag_in(batch.name)
        made_from = tag.payload if tag else (self._made_from or "")
        if self._plan.fingerprint.startswith(made_from):
            return True
        is_draft = not State.of(batch.status).may_have_called
        if is_draft and self._plan.on_change == "rebuild":
            log.warning("The payload of campaign %r changed; its draft is built again.", self._plan.name)
            return False
        left = "It is a draft and dials nobody" if is_draft else f"It is {batch.status!r} and was not touched"
        way = "on_change='rebuild' builds the draft again" if is_draft else "a started campaign never changes"
        raise PayloadChangedError(
            f"Batch call {batch.id} of campaign {self._plan.name!r} was made from another payload than this attempt "
            f"has: the contacts, agent, start, window or another field differ. {left}. Restore the payload ({way}), "
            "or give another campaign_key to make another campaign."
        )

    def _is_launched(self, batch: BatchCall) -> bool:
        state = State.of(batch.status)
        if not state.may_have_called or state.is_terminal:
            return state.is_terminal
        if holding.is_paused_by_us(self._plan.key, batch):
            return False
        if state is State.PAUSED and batch.id == self._unfinished:
            return False
        if not self._plan.start and self._progress.begun and not self._progress.launched:
            # Started by the server at our create, which died before the campaign was held; else by a person.
            return False
        return self._progress.launched or not self._is_incomplete(batch)

    def _is_overfull_draft(self, batch: BatchCall) -> bool:
        """Whether two workers filled one draft: somebody may be in it twice, so it is built again."""
        expected = self._plan.expected_contacts
        is_draft = not State.of(batch.status).may_have_called
        return is_draft and expected is not None and count_of(self._client, batch) > expected

    def _is_incomplete(self, batch: BatchCall) -> bool:
        """Whether a server that starts campaigns at the create was left with a part of the list."""
        expected, held = self._plan.expected_contacts, batch.total_contacts
        return expected is not None and held is not None and held < expected - self._plan.may_refuse

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
        steps.delete(self._client, self._strays)
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
            raise _StartOver(f"{lost} It may have been created all the same.") from lost
        self._adopt(batch)
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
            self._forget_draft()
            raise _StartOver(f"Batch call {found.started[0].id} of this campaign is started already.")
        self._check_may_call_again(found.ended)
        drafts = [batch.id for batch in found.drafts]
        if ours in drafts and drafts[0] != ours:
            # The elder draft wins, so that two workers never delete each other's.
            steps.delete(self._client, {ours})
            self._lose_draft(ours)
        if steps.delete(self._client, set(drafts) - {ours}):
            raise _StartOver("A second draft of this campaign could not be deleted.")
        try:
            return next((batch for batch in found.drafts if batch.id == ours), None) or self._still_draft(ours)
        except NotFoundError:
            self._lose_draft(ours)

    def _still_draft(self, batch_call_id: str) -> BatchCall:
        """Read a draft that the list did not show: lists shift while they are paged."""
        batch = steps.read(self._client, batch_call_id)
        if State.of(batch.status).may_have_called:
            raise _StartOver(f"Batch call {batch_call_id} is {batch.status!r} already.")
        return batch

    def _finish_started(self, batch: BatchCall) -> Launched:
        """Complete a campaign that the server started at the create: held while contacts are missing."""
        key = self._plan.key
        # The create's answer may be a replay about a batch call that is gone.
        batch = self._reread(batch)
        self._progress.save(self._store)
        if self._is_incomplete(batch) or not self._plan.start:
            self._progress.held = True
            self._progress.save(self._store)
            batch = holding.hold(self._client, key, batch)
            self._fill(batch)
        self._hold_twins(batch)
        batch = self._reread(batch)
        check_count(self._client, self._plan, batch)
        if not self._plan.start:
            log.warning("The server started batch call %s although start=False; it is paused.", batch.id)
            batch = holding.hand_over(self._client, key, batch)
            self._close()
            return Launched(batch, attached=False)
        if State.of(batch.status) is State.PAUSED or holding.is_paused_by_us(key, batch):
            self._plan.check_resume_at(self._now(), batch.scheduled_at, has_called=bool(batch.called))
            self._verify(batch, self._moment_ahead())
            self._progress.launched, self._progress.held = False, True
            self._checkpoint()
            batch = holding.release(self._client, key, batch)
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
                holding.hold(self._client, self._plan.key, twin)
        if steps.delete(self._client, {draft.id for draft in found.drafts if draft.id != ours.id}):
            raise _StartOver("A second draft of this campaign could not be deleted.")
        if eldest.id != ours.id:
            self._forget_draft()
            raise _StartOver(f"Batch call {eldest.id} of this campaign is older.")

    def _fill(self, batch: BatchCall) -> None:
        try:
            Filling(self._client, self._plan, self._progress, self._checkpoint).fill(batch)
        except NotFoundError:
            self._lose_draft(batch.id)

    # What is kept.

    def _adopt(self, batch: BatchCall) -> None:
        if self._progress.batch_call_id != batch.id:
            self._forget_draft()
            self._progress.batch_call_id = batch.id

    def _forget_draft(self) -> None:
        progress = self._progress
        progress.batch_call_id, progress.sent, progress.accepted = None, 0, 0
        progress.in_order, progress.guessed = True, False
        progress.launched, progress.may_have_called, progress.held = False, False, False

    def _discard(self, draft: BatchCall) -> NoReturn:
        # A read showed that it is a draft. Who dies behind the delete must not leave word that it may have called.
        self._progress.may_have_called = False
        self._progress.save(self._store)
        if steps.delete(self._client, {draft.id}):
            raise UnsettledError(f"Draft {draft.id} could not be deleted to be built again. It dials nobody.")
        self._lose_draft(draft.id)

    def _lose_draft(self, batch_call_id: str) -> NoReturn:
        """The draft is gone; a create with the same idempotency key would get the answer about it again."""
        self._forget_draft()
        self._progress.generation += 1
        raise _StartOver(f"Draft {batch_call_id} is gone.")

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
