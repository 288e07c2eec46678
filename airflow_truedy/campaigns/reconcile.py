"""Which batch call is the campaign's, and what it lacks: read from the server; the store says where to look."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_truedy.api.errors import NotFoundError
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import CampaignEndedError, PayloadChangedError
from airflow_truedy.campaigns.lookup import find
from airflow_truedy.campaigns.progress import Progress, Store
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.upload import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan

log = logging.getLogger(__name__)


class Reconciler:
    """
    Finds the batch call of a planned campaign. Writes nothing.

    :param client: the API.
    :param plan: what is to exist.
    :param store: where progress outlives the attempt.
    :ivar progress: what this attempt and earlier ones have reached.
    :ivar strays: drafts beside a started campaign, as seen last.
    """

    def __init__(self, client: TruedyClient, plan: CampaignPlan, store: Store) -> None:
        self._client = client
        self._plan = plan
        self._store = store
        self._made_from: str | None = None
        self._unfinished: str | None = None
        self.progress = Progress(plan.key.short, plan.fingerprint)
        self.strays: set[str] = set()

    def recall(self) -> None:
        """Take over what earlier attempts kept in the store."""
        self.progress = Progress.load(self._store, self._plan.key.short, self._plan.fingerprint)
        self._made_from = self.progress.fingerprint
        # Only what was stored can tell that an attempt died while it held the campaign itself.
        self._unfinished = self.progress.batch_call_id if self.progress.held else None
        if self._made_from != self._plan.fingerprint:
            # How far another payload had got says nothing about this one.
            self.progress.fingerprint = self._plan.fingerprint
            self.progress.sent = self.progress.accepted = 0
            self.progress.guessed = False

    def existing(self) -> BatchCall | None:
        """Return this campaign's batch call: by the stored id, else by the tag in its name."""
        batch = self._remembered()
        if batch is None or State.of(batch.status).ended_badly:
            found = find(self._client, self._plan.key)
            if self._would_be_started(found.chosen):
                # Not even a twin that was left over may be started once its campaign has called.
                self.check_may_call_again(found.ended or ((batch,) if batch else ()), is_gone=batch is None)
            if found.chosen is None:
                self.forget_draft()
            batch = found.chosen
            self.strays = {draft.id for draft in found.drafts} if found.started else set()
        if batch is not None:
            self.adopt(batch)
            self.progress.may_have_called |= State.of(batch.status).may_have_called
        return batch

    def _remembered(self) -> BatchCall | None:
        if self.progress.batch_call_id is None:
            return None
        try:
            return steps.read(self._client, self.progress.batch_call_id)
        except NotFoundError:
            log.warning("Batch call %s is gone; looking for another of its key.", self.progress.batch_call_id)
            return None

    def _would_be_started(self, chosen: BatchCall | None) -> bool:
        """Whether it takes a step of ours to make ``chosen`` call, or the one that is made where there is none."""
        if chosen is None or not State.of(chosen.status).may_have_called:
            return True
        return pausing.is_paused_by_us(self._plan.key, chosen)

    def check_may_call_again(self, ended: Sequence[BatchCall], *, is_gone: bool = False) -> None:
        """
        Refuse to start a campaign that may have called and is over, unless the author wishes it.

        :param ended: batch calls of this campaign that ended badly.
        :param is_gone: whether the batch call that the store knows is gone from the server.
        """
        progress, plan = self.progress, self._plan
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

    def same_payload(self, batch: BatchCall) -> bool:
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
            f"has: {self._difference_to(batch)}. {left}. Restore the payload ({way}), "
            "or give another campaign_key to make another campaign."
        )

    def _difference_to(self, batch: BatchCall) -> str:
        """Say what differs as far as the server tells its side."""
        sides = {
            "agent_id": (batch.agent_id, self._plan.fields.get("agent_id")),
            "timezone": (batch.timezone, self._plan.timezone),
        }
        told = [
            f"{name} ({there} there, {here} here)" for name, (there, here) in sides.items() if there not in (None, here)
        ]
        return f"{' and '.join(told)} differ" if told else "the contacts, start, window or another field differ"

    def is_launched(self, batch: BatchCall) -> bool:
        """Whether nothing is left for this attempt to do: it goes on by itself, is over, or is left to a person."""
        state = State.of(batch.status)
        if not state.may_have_called or state.is_terminal:
            return state.is_terminal
        if pausing.is_paused_by_us(self._plan.key, batch):
            return False
        if state is State.PAUSED and batch.id == self._unfinished:
            return False
        if not self._plan.start and self.progress.begun and not self.progress.launched:
            # Started by the server at our create, which died before the campaign was held; else by a person.
            return False
        return self.progress.launched or not self.is_incomplete(batch)

    def is_overfull_draft(self, batch: BatchCall) -> bool:
        """Whether two workers filled one draft: somebody may be in it twice, so it is built again."""
        expected = self._plan.expected_contacts
        is_draft = not State.of(batch.status).may_have_called
        return is_draft and expected is not None and count_of(self._client, batch) > expected

    def is_incomplete(self, batch: BatchCall) -> bool:
        """Whether a server that starts campaigns at the create was left with a part of the list."""
        expected, held = self._plan.expected_contacts, batch.total_contacts
        return expected is not None and held is not None and held < expected - self._plan.may_refuse

    def adopt(self, batch: BatchCall) -> None:
        """Go on with this batch call."""
        if self.progress.batch_call_id != batch.id:
            self.forget_draft()
            self.progress.batch_call_id = batch.id

    def forget_draft(self) -> None:
        """Go on without a batch call."""
        progress = self.progress
        progress.batch_call_id, progress.sent, progress.accepted = None, 0, 0
        progress.in_order, progress.guessed = True, False
        progress.launched, progress.may_have_called, progress.held = False, False, False
