"""Find out which batch call is the campaign's and what it lacks. The server is read; the store tells where to look."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_truedy.api.errors import (
    AuthenticationError,
    ForbiddenByConnectionError,
    InvalidRequestError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitedError,
    TooLateError,
    TruedyError,
)
from airflow_truedy.api.retries import was_never_sent
from airflow_truedy.campaigns import pausing
from airflow_truedy.campaigns.errors import CampaignEndedError, DuplicateCampaignError, PayloadChangedError
from airflow_truedy.campaigns.identity import Matches, age, find, holds_in
from airflow_truedy.campaigns.progress import Progress, Store
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.upload import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.campaigns.steps import Settling

log = logging.getLogger(__name__)

# Twins under other keys are looked for at least so far back.
_TWINS_SINCE = timedelta(hours=24)
# An ended campaign counts as a twin for so long: less than a day, so that a daily one may call the same list.
_ENDED_COUNTS_FOR = timedelta(hours=20)
# How far the clocks of server and worker may be apart.
_SKEW = timedelta(minutes=10)

# Answers to a create that say that nothing was made, though it may have been before a proxy answered. A conflict may
# mean that it was made earlier.
_REFUSALS = (AuthenticationError, InvalidRequestError, NotFoundError, PaymentRequiredError, PermissionDeniedError)
# Not sent, or not carried out.
_NOT_SENT = (ForbiddenByConnectionError, RateLimitedError, TooLateError)


class ReconcileAgain(Exception):  # noqa: N818 - a turn taken, not an error
    """What was true a moment ago is not any more; look again from the beginning."""


class Reconciler:
    """
    Finds the batch call of a planned campaign. Changes nothing on the server.

    :param client: the API.
    :param plan: what is to exist.
    :param store: where progress outlives the attempt.
    :param settling: how long absence is doubted.
    :param now: the clock, in UTC.
    :param alone: whether no other worker or run can have made this campaign: absence is believed at once.
    :param since: nothing that was made earlier can be this campaign's. ``None``: anything can.
    :ivar progress: what this attempt and earlier ones have reached.
    :ivar strays: drafts beside a started campaign, as seen last.
    """

    def __init__(
        self,
        client: TruedyClient,
        plan: CampaignPlan,
        store: Store,
        settling: Settling,
        now: Callable[[], datetime],
        *,
        alone: bool,
        since: datetime | None,
    ) -> None:
        self.client = client
        self.plan = plan
        self.store = store
        self.settling = settling
        self.now = now
        self.alone = alone
        self._since = since
        self._made_from: str | None = None
        self._paused_before: str | None = None
        self._absence_counts_from: datetime | None = None
        self._first_look: tuple[datetime, Matches] | None = None
        self.progress = Progress(plan.key.short, plan.fingerprint)
        self.strays: set[str] = set()

    def recall(self) -> None:
        """Take over what earlier attempts kept in the store."""
        self.progress = Progress.load(self.store, self.plan.key.short, self.plan.fingerprint)
        self._made_from = self.progress.fingerprint
        # Only what was stored can tell that an attempt died while the campaign was paused by it.
        self._paused_before = self.progress.batch_call_id if self.progress.paused_by_us else None
        # A first try that was begun before has a predecessor all the same.
        self.alone &= not self.progress.begun
        if not self.alone:
            self.doubt_absence()
        if self._made_from != self.plan.fingerprint:
            # How far another payload had got tells nothing about this one.
            self.progress.fingerprint = self.plan.fingerprint
            self.progress.sent = self.progress.accepted = self.progress.in_flight = 0
            self.progress.guessed = False

    def doubt_absence(self) -> None:
        """Believe only after the settle time, from now on, that there is no batch call of this campaign."""
        self._absence_counts_from = self.now() + timedelta(seconds=self.settling.seconds)

    def surely_made_nothing(self, failed: TruedyError) -> bool:
        """Whether the create that ended in this error surely made no batch call; a refusal is checked by looks."""
        if isinstance(failed, _NOT_SENT) or was_never_sent(failed):
            return True
        if not isinstance(failed, _REFUSALS):
            return False
        self.doubt_absence()
        try:
            matches = self._look()
        except TruedyError:
            matches = None
        if matches is not None and not (matches.chosen or matches.ended):
            return True
        log.warning(
            "The create was refused, but that campaign %r does not exist could not be verified. Look for this name in "
            "the Truedy dashboard, and pause the batch call if it calls.",
            self.plan.tagged_name,
        )
        return False

    # Which one it is

    def existing(self) -> BatchCall | None:
        """
        Return this campaign's batch call: by the stored id, else by the tag in its name.

        :raises CampaignEndedError: if it may have called, is over or gone, and none may take its place.
        """
        batch = self._remembered()
        if batch is None or State.of(batch.status).ended_badly:
            is_gone = batch is None
            matches = self._look()
            if self._would_be_started(matches):
                # Not even a twin that was left over may be started once its campaign has called.
                self.check_may_call_again(matches.ended or ((batch,) if batch else ()), is_gone=is_gone)
            if matches.chosen is None:
                self.forget()
            batch = matches.chosen
            self.strays = {draft.id for draft in matches.drafts} if matches.started else set()
        if batch is not None:
            self.adopt(batch)
            self.progress.may_have_called |= State.of(batch.status).may_have_called
            if State.of(batch.status) is State.PAUSED and not self.is_paused_by_us(batch):
                batch = self._marked_in_time(batch)
        return batch

    def _marked_in_time(self, batch: BatchCall) -> BatchCall:
        """Read until the pause marker shows: a pause without it counts as a person's only after the settle time."""
        try:
            return self.settling.read(
                self.client,
                batch.id,
                lambda seen: State.of(seen.status) is not State.PAUSED or self.is_paused_by_us(seen),
            )
        except NotFoundError:
            self.check_may_call_again((), is_gone=True)
            raise

    def _remembered(self) -> BatchCall | None:
        if self.progress.batch_call_id is None:
            return None
        # Where the schedule step was about to be taken, a draft may be an old reading.
        was_sent = self.progress.may_have_called
        try:
            return self.settling.read(
                self.client,
                self.progress.batch_call_id,
                lambda seen: State.of(seen.status).may_have_called or not was_sent,
            )
        except NotFoundError:
            log.warning("Batch call %s is gone; looking for another of its key.", self.progress.batch_call_id)
            return None

    def _look(self) -> Matches:
        """Look for the tag; if there is none, as often as it takes until absence counts."""
        began, matches = self.now(), self._find(self._since and min(self._since, self.now() - _TWINS_SINCE) - _SKEW)
        for pause in self.settling.pauses():
            # A look shows what was there when it began: reading a long list takes longer than the settle time.
            if matches.chosen is not None or self._absence_counts_from is None or began >= self._absence_counts_from:
                break
            why = "so that a create that an earlier attempt or another worker sent would be seen"
            self.settling.wait(min(pause, (self._absence_counts_from - self.now()).total_seconds()), why)
            # What is older was seen by the look before.
            since, began = began - _SKEW, self.now()
            matches = self._find(since).beside(matches)
        self._first_look = (began, matches)
        return matches

    def _find(self, since: datetime | None) -> Matches:
        fingerprint = None if self.plan.policy.on_duplicate == "allow" else self.plan.fingerprint
        return find(self.client, self.plan.key, since=since, fingerprint=fingerprint)

    def look_again(self, ours: BatchCall) -> Matches:
        """Look for twins once more, only as far back as the look before, or as our own batch call's creation."""
        if self._first_look is not None:
            began, matches = self._first_look
            since = matches.since(began - _SKEW)
        else:
            since = ours.created_at and ours.created_at - _SKEW
        return self._find(since)

    def _would_be_started(self, matches: Matches) -> bool:
        """Whether it takes a step of ours to make the chosen one call, or the one that is made where there is none."""
        chosen = matches.chosen
        if chosen is None or not State.of(chosen.status).may_have_called:
            return True
        # A twin that somebody paused beside a campaign that ended is not to call either.
        is_paused = State.of(chosen.status) is State.PAUSED
        return pausing.is_paused_by_us(self.plan.key, chosen) or (is_paused and bool(matches.ended))

    def check_may_call_again(self, ended: Sequence[BatchCall], *, is_gone: bool = False) -> None:
        """
        Refuse to start a campaign that may have called and is over, unless the author wishes it.

        :param ended: batch calls of this campaign that ended badly.
        :param is_gone: whether the batch call that the store knows is gone from the server. Absence does not prove that
            it ended, so no wish of the author makes another one then.
        """
        progress, plan = self.progress, self.plan
        if is_gone and progress.may_have_called:
            which = f"Batch call {progress.batch_call_id}" if progress.batch_call_id else "A batch call"
            raise CampaignEndedError(
                f"{which} of campaign {plan.name!r} may have called and is deleted, or the server does not show it. No "
                "other one was made, so nobody is called twice. A new Dag run, or another campaign_key, makes another "
                "campaign on purpose."
            )
        if not ended:
            return
        last = ended[-1]
        what = f"Batch call {last.id} of campaign {plan.name!r} is {last.status!r} after {last.called or 0} calls"
        if plan.policy.on_retry != "new":
            raise CampaignEndedError(
                f"{what}. No new one was started, so nobody is called twice. on_retry='new' makes one that calls "
                "everybody in the list again."
            )
        log.warning("%s; another one takes its place (on_retry='new').", what)
        progress.generation = max(progress.generation, len(ended))
        progress.may_have_called = False

    def check_duplicates(self, matches: Matches | None = None, ours: BatchCall | None = None) -> None:
        """
        Stop, or warn, where the same people would be called twice: the same payload under another key.

        :param matches: what was found. Default: what the first look found.
        :param ours: our draft, if there is one: of two drafts the elder goes on.
        :raises DuplicateCampaignError: naming the other batch call.
        """
        if matches is None:
            matches = self._first_look[1] if self._first_look else Matches((), (), ())
        twin = next((each for each in reversed(matches.duplicates) if self._is_duplicate(each, ours)), None)
        if twin is None or self.plan.policy.on_duplicate == "allow":
            return
        made = f", made {twin.created_at:%Y-%m-%d %H:%M} UTC" if twin.created_at else ""
        what = (
            f"Batch call {twin.id} ({twin.name!r}, {twin.status!r}{made}) has the same contacts, agent, start and "
            f"other fields as campaign {self.plan.name!r}, under another campaign key: maybe another Dag run made it"
        )
        if self.plan.policy.on_duplicate == "warn":
            log.warning("%s. Going on (on_duplicate='warn').", what)
            return
        left = "Not started, so that nobody is called twice. Nothing was sent."
        if ours is not None:
            was_started = State.of(ours.status).may_have_called
            left = f"Draft {ours.id} is not started, so that nobody is called twice. It stays and dials nobody."
            left = f"Batch call {ours.id} was started before the list showed the other one." if was_started else left
        raise DuplicateCampaignError(f"{what}. {left} on_duplicate='allow' calls them again.")

    def _is_duplicate(self, other: BatchCall, ours: BatchCall | None) -> bool:
        state = State.of(other.status)
        if ours is not None and not state.is_terminal and (state is State.DRAFT or ours.status != "draft"):
            # Of two drafts, and of two that were started before a list showed them, the elder goes on.
            return age(other) < age(ours)
        if not state.is_terminal:
            return True
        if state.ended_badly and other.called == 0:
            return False
        return other.created_at is None or self.now() - other.created_at < _ENDED_COUNTS_FOR

    # What it lacks

    def same_payload(self, batch: BatchCall) -> bool:
        """
        Whether ``batch`` was made from this plan's payload.

        :raises PayloadChangedError: if not, unless it is a draft that may be built again.
        """
        tag = self.plan.key.tag_in(batch.name)
        made_from = tag.payload if tag else (self._made_from or "")
        if self.plan.fingerprint.startswith(made_from):
            return True
        is_draft = not State.of(batch.status).may_have_called
        if is_draft and self.plan.policy.on_change == "rebuild":
            log.warning("The payload of campaign %r changed; its draft is built again.", self.plan.name)
            return False
        left = "It is a draft and dials nobody" if is_draft else f"It is {batch.status!r} and was not touched"
        way = "on_change='rebuild' builds the draft again" if is_draft else "a started campaign never changes"
        raise PayloadChangedError(
            f"Batch call {batch.id} of campaign {self.plan.name!r} was made from another payload than this attempt "
            f"has: {self._difference_to(batch)}. {left}. Restore the payload ({way}), "
            "or give another campaign_key to make another campaign."
        )

    def _difference_to(self, batch: BatchCall) -> str:
        """Tell what differs as far as the server shows its side."""
        sides = {
            "agent_id": (batch.agent_id, self.plan.fields.get("agent_id")),
            "timezone": (batch.timezone, self.plan.timezone),
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
        if pausing.is_paused_by_us(self.plan.key, batch) or self.is_paused_by_us(batch):
            return False
        if not self.plan.start and self.progress.begun and not self.progress.launched:
            # Started by the server at our create, which died before the campaign was paused; else by a person.
            return False
        return self.progress.launched or not self.is_incomplete(batch)

    def is_paused_by_us(self, batch: BatchCall) -> bool:
        """Whether a pause is ours: by the marker in the name, or by what this attempt or an earlier one kept."""
        if State.of(batch.status) is not State.PAUSED or holds_in(batch.name):
            return False
        if pausing.is_paused_by_us(self.plan.key, batch):
            return True
        return batch.id == self._paused_before or (
            self.progress.paused_by_us and batch.id == self.progress.batch_call_id
        )

    def is_overfull_draft(self, batch: BatchCall) -> bool:
        """Whether two workers filled one draft: somebody may be in it twice, so it is built again."""
        expected = self.plan.expected_contacts
        is_draft = not State.of(batch.status).may_have_called
        return is_draft and expected is not None and count_of(self.client, batch) > expected

    def is_incomplete(self, batch: BatchCall) -> bool:
        """Whether a server that starts campaigns at the create was left with a part of the list."""
        expected, count = self.plan.expected_contacts, batch.total_contacts
        return expected is not None and count is not None and count < expected - self.plan.may_refuse

    # What is kept

    def adopt(self, batch: BatchCall) -> None:
        """Go on with this batch call."""
        if self.progress.batch_call_id != batch.id:
            self.forget()
            self.progress.batch_call_id = batch.id

    def forget(self) -> None:
        """Go on without a batch call. That the campaign may have called is not forgotten."""
        progress = self.progress
        progress.batch_call_id, progress.sent, progress.accepted, progress.in_flight = None, 0, 0, 0
        progress.in_order, progress.guessed = True, False
        progress.launched, progress.paused_by_us = False, False

    def close(self) -> None:
        """Keep that the launch was seen to its end: what happens from now on is the business of people."""
        self.progress.launched, self.progress.paused_by_us = True, False
        self.save()

    def save(self) -> None:
        """Keep the progress in the store."""
        self.progress.save(self.store)
