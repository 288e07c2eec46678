"""
Complete a campaign that may call already: by a server that starts at the create, or by an earlier attempt.

It is paused while contacts are missing. Only a pause of ours is taken back, and only at an hour at which it may call.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_truedy.api.errors import NotFoundError, TooLateError
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import (
    CampaignEndedError,
    CampaignError,
    CountMismatchError,
    DuplicateCampaignError,
)
from airflow_truedy.campaigns.identity import age
from airflow_truedy.campaigns.reconcile import ReconcileAgain, Reconciler
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.timing import StartStep
from airflow_truedy.campaigns.upload import ContactUpload, check_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_truedy.api.models import BatchCall

log = logging.getLogger(__name__)


class StartedCampaign:
    """
    Brings a campaign that may call already to where its plan wants it.

    :param reconciler: which batch call it is, and what was reached.
    :param checkpoint: keeps the progress, and may raise to stop.
    """

    def __init__(self, reconciler: Reconciler, checkpoint: Callable[[], None]) -> None:
        self._reconciler = reconciler
        self._client = reconciler.client
        self._plan = reconciler.plan
        self._settling = reconciler.settling
        self._checkpoint = checkpoint
        self._marked_name: str | None = None

    def complete(self, batch: BatchCall) -> BatchCall:
        """
        Add what is missing, look for twins, and let it go on; with ``start=False`` it stays paused.

        :raises CampaignEndedError: if it is gone.
        """
        plan, reconciler = self._plan, self._reconciler
        reconciler.save()
        batch = self._read(batch)
        if (reconciler.is_incomplete(batch) or not plan.start) and not State.of(batch.status).is_terminal:
            batch = self._pause_for_now(batch)
        if reconciler.is_incomplete(batch):
            self._upload(batch)
        self.check_twins(batch)
        if State.of(batch.status) is State.PAUSED and self._marked_name is None:
            # Somebody else's reading: the marker may be gone since, and a person may have paused it after that.
            self._settling.wait(self._settling.seconds, "so that a person's pause would be seen")
        batch = self._read(batch)
        check_count(self._client, plan, batch, self._settling)
        if not plan.start:
            log.warning("The server started batch call %s although start=False; it is paused.", batch.id)
            return pausing.remove_marker(self._client, batch, self._settling)
        if reconciler.is_paused_by_us(batch) or pausing.is_paused_by_us(plan.key, batch):
            batch = self._resume(batch)
        elif State.of(batch.status) is State.PAUSED:
            log.warning(
                "Batch call %s was paused by somebody else. It stays paused until a person resumes it.", batch.id
            )
        self.verify_stored_start(batch)
        return batch

    def check_twins(self, ours: BatchCall) -> None:
        """
        Pause the younger of two: of several started campaigns of one key, all workers let the eldest live.

        :raises DuplicateCampaignError: if another key had started the same before; ours is paused then.
        """
        matches = self._reconciler.look_again(ours)
        started = sorted({each.id: each for each in (*matches.started, ours)}.values(), key=age)
        eldest = started[0]
        for twin in started[1:]:
            if not State.of(twin.status).is_terminal:
                log.error("Batch call %s doubles %s of the same campaign; pausing it.", twin.id, eldest.id)
                pausing.pause_like_a_person(self._client, twin, self._settling)
        if steps.delete(self._client, {draft.id for draft in matches.drafts if draft.id != ours.id}):
            log.warning("A second draft of campaign %r could not be deleted. It dials nobody.", self._plan.name)
        if eldest.id != ours.id:
            self._reconciler.forget()
            raise ReconcileAgain(f"Batch call {eldest.id} of this campaign is older.")
        try:
            self._reconciler.check_duplicates(matches, ours)
        except DuplicateCampaignError as duplicate:
            self._reconciler.close()
            pausing.pause_and_raise(self._client, ours, duplicate, self._settling)

    def verify_stored_start(self, batch: BatchCall) -> None:
        """As :meth:`verify_start`, with the plan's start if it is still ahead."""
        moment = self._plan.moment
        is_ahead = moment is not None and moment > self._reconciler.now()
        self.verify_start(batch, StartStep(moment if is_ahead else None, self._plan.timezone))

    def verify_start(self, batch: BatchCall, step: StartStep) -> None:
        """
        Compare start and zone with the step that was taken, and the contacts with the plan.

        If they differ it is paused for a person to look at, and no later attempt takes it for an interrupted launch.

        :raises ReadBackError: if start or zone differ, or it calls before its start.
        :raises CountMismatchError: if contacts came in between the comparison and the schedule step.
        """
        try:
            pausing.compare_start(self._client, batch, step, self._reconciler.now(), self._settling)
            try:
                check_count(self._client, self._plan, batch, self._settling)
            except CountMismatchError as mismatch:
                pausing.pause_and_raise(self._client, batch, mismatch, self._settling)
        except CampaignError:
            self._reconciler.close()
            raise

    def _upload(self, batch: BatchCall) -> None:
        progress = self._reconciler.progress
        try:
            ContactUpload(self._client, self._plan, progress, self._checkpoint, self._settling).upload(batch)
        except NotFoundError as gone:
            raise self._ended(batch) from gone

    def _pause_for_now(self, batch: BatchCall) -> BatchCall:
        if State.of(batch.status) is State.PAUSED:
            return batch
        taken = pausing.pause_with_marker(
            self._client, self._plan.key, batch, self._settling, keep=lambda: self._keep_whose_pause(ours=True)
        )
        if not taken.by_us:
            self._keep_whose_pause(ours=False)
        self._marked_name = taken.batch.name if taken.by_us else None
        return taken.batch

    def _keep_whose_pause(self, *, ours: bool) -> None:
        # Kept only once it is paused: a pause that we did not send is a person's.
        self._reconciler.progress.paused_by_us = ours
        self._reconciler.save()

    def _resume(self, batch: BatchCall) -> BatchCall:
        """Take back our own pause, at an hour at which the campaign may call."""
        plan, progress = self._plan, self._reconciler.progress
        now = self._reconciler.now()
        if State.of(batch.status) is State.PAUSED:
            called = max(batch.called or 0, (batch.completed or 0) + (batch.failed or 0))
            plan.check_resume_at(now, batch.scheduled_at, called=called)
        self.verify_stored_start(batch)
        # Not kept as ours from here on: a pause that is seen after the resume may be a person's.
        progress.launched, progress.paused_by_us = False, False
        self._checkpoint()
        if self._marked_name is not None:
            # A reading may be too old to show the marker that is to be taken away.
            batch = batch.model_copy(update={"name": self._marked_name})
        starts_at = batch.scheduled_at or plan.moment
        not_after = starts_at if starts_at and starts_at > now else plan.window.closing(now)
        try:
            return pausing.resume_our_pause(self._client, batch, not_after=not_after, settling=self._settling)
        except TooLateError as late:
            self._keep_whose_pause(ours=True)
            raise ReconcileAgain(str(late)) from late

    def _read(self, batch: BatchCall) -> BatchCall:
        try:
            return self._settling.read(self._client, batch.id)
        except NotFoundError as gone:
            raise self._ended(batch) from gone

    def _ended(self, batch: BatchCall) -> CampaignEndedError:
        return CampaignEndedError(
            f"Batch call {batch.id} of campaign {self._plan.name!r} may have called and is gone: somebody may have "
            "deleted it. No other one was made, so nobody is called twice."
        )
