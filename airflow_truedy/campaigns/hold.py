"""
Hold campaigns, and let them go on again: all live ones that are meant, whoever launched them.

A hold is a pause with a marker in the name that carries the hold's own word. So it is told from a person's pause, which
is never undone, from the pause of a killed task, which that task's next try undoes, and from other holds: a campaign
goes on when its last hold is released. Those that call now are stopped first, one request each; all else can wait.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_truedy.api import endpoints
from airflow_truedy.api.errors import (
    ConflictError,
    InconsistentListError,
    InvalidPayloadError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    TooLateError,
    TruedyError,
)
from airflow_truedy.calling_hours.campaign_zone import clock_name
from airflow_truedy.campaigns import pausing, steps
from airflow_truedy.campaigns.errors import UnsettledError
from airflow_truedy.campaigns.identity import bare_name, holds_in, with_holds
from airflow_truedy.campaigns.status import State
from airflow_truedy.campaigns.steps import PATIENT, Settling
from airflow_truedy.campaigns.timing import CallingWindow, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall

log = logging.getLogger(__name__)

_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_LIVE = (State.ACTIVE, State.SCHEDULED)
_LIST_TRIES = 3
_SHOWN = 10
_KEPT_OTHERWISE = "another hold keeps it, or its task was killed: that task's next try resumes it"


def check_word(word: str) -> str:
    """
    Return the word of a hold.

    :raises InvalidPayloadError: it cannot be part of a marker.
    """
    if not _WORD.fullmatch(word):
        rule = "must be 1 to 20 small letters, digits, - and _"
        raise InvalidPayloadError("invalid parameter", problems=[("hold", repr(word)[:60], rule)])
    return word


@dataclass
class HoldReport:
    """
    What became of the campaigns that are meant, by id.

    :param held: held now, of which ``stopped`` were live until now.
    :param left: paused by a person; no release lets them go on.
    :param unmarked: paused here, but the server did not keep the marker: no release lets them go on.
    """

    held: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: how many are held and left, and which were stopped or are unmarked."""
        return {
            "held": len(self.held),
            "left": len(self.left),
            "stopped": self.stopped,
            "unmarked": self.unmarked,
        }


def live(client: TruedyClient, meant: Callable[[BatchCall], bool]) -> list[BatchCall]:
    """Return the campaigns that are meant and may call, those that call now first."""
    return [batch for state in _LIVE for batch in _listed(client, state) if meant(batch)]


def hold(
    client: TruedyClient, meant: Callable[[BatchCall], bool], word: str, settling: Settling = PATIENT
) -> HoldReport:
    """
    Pause every live campaign that is meant, so that only :func:`release` with the same word lets it go on.

    The lists are read again and again through the settle time, so one that was started a moment before is found as
    well; one that starts later is not. A retry goes on where the last attempt stopped.

    :param word: the word of the hold.
    :raises UnsettledError: if a campaign could not be stopped. All others are.
    """
    stopped: dict[str, BatchCall] = {}
    report = HoldReport()
    try:
        _stop(client, meant, stopped)
        for pause in settling.pauses():
            settling.wait(pause, "before looking for campaigns that still call")
            _stop(client, meant, stopped)
    except Exception:
        # Without its marker a pause looks like a person's, also to the next try.
        report.stopped = list(stopped)
        with suppress(TruedyError):
            for batch in stopped.values():
                _mark(client, batch, word, report, settling)
        raise
    report.stopped = list(stopped)
    paused = {batch.id: batch for batch in _listed(client, State.PAUSED) if meant(batch)}
    for batch_call_id in [each for each in stopped if each not in paused]:
        # The list lags, or it goes on, or is deleted: only reading it tells.
        with suppress(NotFoundError):
            paused[batch_call_id] = settling.read(
                client, batch_call_id, lambda seen: State.of(seen.status) not in _LIVE
            )
    calling = []
    for batch in paused.values():
        state = State.of(batch.status)
        if state is State.PAUSED:
            _mark(client, batch, word, report, settling)
        elif not state.is_terminal:
            calling.append(batch.id)
    _look_again_at_left(client, word, report, settling)
    left = [*calling, *(batch.id for batch in live(client, meant) if batch.id not in stopped)]
    if left:
        raise UnsettledError(
            f"{len(left)} campaigns were NOT stopped: {', '.join(left)}. {len(report.held)} are held. Run this task "
            "again, and pause these in the Truedy dashboard."
        )
    log.info(
        "%d campaigns are held (%s), %d of them stopped now; %d that a person paused are left alone.",
        len(report.held),
        word,
        len(report.stopped),
        len(report.left),
    )
    return report


def _look_again_at_left(client: TruedyClient, word: str, report: HoldReport, settling: Settling) -> None:
    """Hold those that a killed task had just paused: their marker comes a moment after the pause."""
    unmarked, report.left = report.left, []
    if unmarked:
        settling.wait(settling.seconds, "so that the marker of a killed task would be seen")
    for batch_call_id in unmarked:
        with suppress(NotFoundError):
            batch = steps.read(client, batch_call_id)
            if State.of(batch.status) is State.PAUSED:
                _mark(client, batch, word, report, settling)


def _stop(client: TruedyClient, meant: Callable[[BatchCall], bool], stopped: dict[str, BatchCall]) -> None:
    """Pause what is live, those that call now before the others are even looked up; tell what is not stopped yet."""
    for state in _LIVE:
        waiting = [batch for batch in _listed(client, state, may_lack=True) if meant(batch)]
        if waiting:
            log.info("To stop: %d that are %s: %s.", len(waiting), state.value, _named(waiting))
        for done, batch in enumerate(waiting, 1):
            answer = _pause(client, batch)
            if answer is not _Answer.REFUSED:
                stopped[batch.id] = batch
            left = _named(waiting[done:]) or "none"
            log.info("%d of %d: %s %s. Not yet: %s.", done, len(waiting), batch.id, answer.value, left)


class _Answer(Enum):
    """What was answered to a pause, in words."""

    STOPPED = "is stopped"
    LOST = "may be stopped: the answer was lost, it is looked at again"
    #: Ended or paused by somebody else, or by the request before this one while the list lagged.
    REFUSED = "was not stopped by this request, it is looked at again"


def _pause(client: TruedyClient, batch: BatchCall) -> _Answer:
    """Ask for the pause once. The lists, read again, tell whether it took."""
    try:
        client.send(endpoints.pause_batch_call(batch.id))
    except OutcomeUnknownError as lost:
        log.warning("%s", lost)
        return _Answer.LOST
    except (InvalidRequestError, ConflictError, NotFoundError) as refused:
        log.warning("Batch call %s was not paused: %s", batch.id, refused)
        return _Answer.REFUSED
    return _Answer.STOPPED


def _mark(client: TruedyClient, batch: BatchCall, word: str, report: HoldReport, settling: Settling) -> None:
    """Let the name of a paused campaign tell that it is held, unless a person paused it."""
    holds = holds_in(batch.name)
    if word in holds:
        report.held.append(batch.id)
        return
    if batch.id not in report.stopped and not holds and not pausing.has_marker(batch):
        report.left.append(batch.id)
        return
    before = batch.name or ""
    marked = pausing.change_name(client, batch, lambda name: with_holds(name, (*_without(word, name), word)), settling)
    if word in holds_in(marked.name):
        report.held.append(batch.id)
        return
    report.unmarked.append(batch.id)
    if marked.name != before:
        pausing.change_name(client, marked, lambda _: before, settling)
    log.warning("Batch call %s is paused, and its name does not keep the hold: only a person resumes it.", batch.id)


@dataclass
class ReleaseReport:
    """
    What became of the campaigns of a hold, by id.

    :param released: those that go on.
    :param kept: why the others are paused still.
    """

    released: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"released": self.released, "kept": self.kept}


def held(client: TruedyClient, meant: Callable[[BatchCall], bool], word: str) -> list[BatchCall]:
    """Return the campaigns that are meant and that this hold keeps from going on."""
    return [batch for batch in _listed(client, State.PAUSED) if word in holds_in(batch.name) and meant(batch)]


def release(
    client: TruedyClient,
    batches: Iterable[BatchCall],
    word: str,
    *,
    hours: CallingWindow,
    why_not: Callable[[BatchCall], str | None] = lambda _: None,
    settling: Settling = PATIENT,
) -> ReleaseReport:
    """
    Let campaigns go on that this hold keeps, each only in its hours; one whose start is ahead goes back to its place.

    What another hold keeps, or the kill handler of a task had paused before, stays paused: only this hold goes.

    :param batches: see :func:`held`.
    :param hours: when one may be let go on, by the clock of its own zone.
    :param why_not: tells why one may not be let go on yet; ``None`` if it may.
    """
    report, batches = ReleaseReport(), list(batches)
    if batches:
        settling.wait(settling.seconds, "so that the marker of another hold would be seen")
    for listed in batches:
        batch = steps.read(client, listed.id)
        reason = why_not(batch)
        if word not in holds_in(batch.name) or State.of(batch.status) is not State.PAUSED:
            reason = f"it is {batch.status!r}, and this hold was taken away meanwhile"
            if State.of(batch.status) is not State.PAUSED:
                # Left behind, the marker would make a later pause of a person look like ours.
                pausing.remove_marker(client, batch, settling)
        elif reason is None:
            reason = _let_go_on(client, batch, word, hours, settling)
        if reason is None:
            report.released.append(batch.id)
        else:
            report.kept[batch.id] = reason
            log.info("Batch call %s (%r) is not let go on: %s.", batch.id, bare_name(batch.name), reason)
    log.info("%d campaigns go on (%s); %d do not yet.", len(report.released), word, len(report.kept))
    return report


def _let_go_on(
    client: TruedyClient, batch: BatchCall, word: str, hours: CallingWindow, settling: Settling
) -> str | None:
    """Resume it; return why it stays paused, ``None`` if it goes on."""
    if _is_kept_otherwise(batch, word):
        pausing.change_name(client, batch, lambda name: _released(name, word), settling)
        return _KEPT_OTHERWISE
    now = client.now()
    not_after = batch.scheduled_at if batch.scheduled_at and batch.scheduled_at > now else None
    if not_after is None:
        if clock_name(batch.timezone, now.date()) is None:
            return "the server does not tell its zone, so nobody knows its hours"
        window = replace(hours, zone=str(batch.timezone))
        if not window.is_open(now):
            return f"it is outside its hours, which begin {in_words(window.next_opening(now), window.zone)}"
        not_after = window.closing(now)
    # Read right before the change: another hold's word that came meanwhile must stay.
    batch = pausing.change_name(client, steps.read(client, batch.id), lambda name: _released(name, word), settling)
    if _is_kept_otherwise(batch, word):
        return _KEPT_OTHERWISE
    try:
        resumed = steps.resume(client, batch, not_after=not_after, settling=settling)
    except TooLateError:
        pausing.change_name(client, steps.read(client, batch.id), lambda name: with_holds(name, (word,)), settling)
        return "its hours ended while the rate limit was waited out"
    if _is_kept_otherwise(resumed, word):
        steps.pause(client, resumed, settling)
        return _KEPT_OTHERWISE
    pausing.remove_marker(client, resumed, settling)
    return None


def _is_kept_otherwise(batch: BatchCall, word: str) -> bool:
    """Whether a marker stays when this hold's word goes: of another hold, or of a task that was killed."""
    return pausing.has_marker(batch.model_copy(update={"name": _released(batch.name or "", word)}))


def _released(name: str, word: str) -> str:
    return with_holds(name, _without(word, name))


def _without(word: str, name: str) -> tuple[str, ...]:
    return tuple(each for each in holds_in(name) if each != word)


def _listed(client: TruedyClient, state: State, *, may_lack: bool = False) -> list[BatchCall]:
    """
    Return all batch calls in a state. A list that shifted while it was read is read again, and all of it counts.

    :param may_lack: whether one that never comes to rest is taken as it is.
    """
    found: dict[str, BatchCall] = {}
    for left in reversed(range(_LIST_TRIES)):
        try:
            for batch in client.pages(endpoints.list_batch_calls(status=state.value)):
                found[batch.id] = batch
            break
        except InconsistentListError:
            if not left and not may_lack:
                raise
    return [batch for batch in found.values() if State.of(batch.status) in (state, State.UNKNOWN)]


def _named(batches: Collection[BatchCall]) -> str:
    shown = [f"{batch.id} {bare_name(batch.name)!r} ({batch.status})" for batch in list(batches)[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(batches) > _SHOWN else "")
