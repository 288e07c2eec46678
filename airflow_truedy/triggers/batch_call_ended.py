"""The trigger that tells a Dag of every campaign that has ended. It only reads."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_truedy.campaigns.identity import digest, is_named, tag_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from airflow_truedy.monitoring.endings import Ending, Look, Watermark

EVENT_VERSION = 1
#: Share of the organisation's 100 requests a minute that watching may take.
REQUESTS_PER_MINUTE = 10.0
# Seconds. The triggerer hands an event over within one second, and it is stored in the next.
_STORED_AFTER = 5.0
_SHORTEST_INTERVAL = 10.0
_KEY_DIGITS = 12

log = logging.getLogger(__name__)


class BatchCallEndedTrigger(BaseEventTrigger):
    """
    Fire one event for every batch call of an account that ends, whoever made it. For an ``AssetWatcher``.

    What had not ended at the last look is kept in an Airflow variable ``truedy_ended_...``, from Airflow 3.0.5 on, so
    that nothing which ends while no triggerer runs is lost, nor while the Dag is paused. The variable follows from the
    parameters: delete it, or change one of them, to begin anew. The first look tells nothing; it is where the watching
    begins. An event is told again only if the triggerer dies within five seconds after it: let what follows bear that,
    by using ``batch_call_id`` as its key.

    Of several campaigns that end between two looks one is told at the next look: Airflow hands events that come at once
    to the Dag only when another one comes.

    Watchers of one connection and interval share their requests (Airflow 3.3), at most ten a minute; a big account is
    looked at less often. While the account cannot be read, the watcher says so in the triggerer's log and goes on.

    :param truedy_conn_id: connection of type ``truedy``.
    :param agent_id: only campaigns of this agent.
    :param name: only campaigns with this name, without its tag; ``*`` and ``?`` stand for any text and any letter.
    :param tag: only campaigns with this tag: its first word (``tag_word``, ``airflow`` by default), or the word and the
        key's digits, such as ``airflow 3f9a1c2b7d10``.
    :param interval: seconds between two looks, at least 10. Default: 60.
    """

    def __init__(
        self,
        *,
        truedy_conn_id: str = "truedy_default",
        agent_id: str | None = None,
        name: str | None = None,
        tag: str | None = None,
        interval: float = 60.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not interval >= _SHORTEST_INTERVAL:
            raise ValueError(f"interval must be {_SHORTEST_INTERVAL:.0f} seconds or more; it is {interval!r}.")
        self.truedy_conn_id = truedy_conn_id
        self.agent_id = agent_id
        self.name = name
        self.tag = tag
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again. The parameters alone: Airflow knows the trigger by them."""
        names = ("truedy_conn_id", "agent_id", "name", "tag", "interval")
        classpath = "airflow_truedy.triggers.batch_call_ended.BatchCallEndedTrigger"
        return classpath, {name: getattr(self, name) for name in names}

    @property
    def variable(self) -> str:
        """The Airflow variable that keeps the watermark."""
        return f"truedy_ended_{digest(json.dumps(self.serialize()[1], sort_keys=True), _KEY_DIGITS)}"

    def shared_stream_key(self) -> Hashable:
        """Return what watchers with the same looks have in common (Airflow 3.3)."""
        return ("truedy-ended", self.truedy_conn_id, float(self.interval))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """Yield a look at the account every ``interval`` seconds. It reads nothing by itself, and never ends."""
        from airflow_truedy.hooks.truedy import TruedyAsyncHook
        from airflow_truedy.monitoring.endings import Look
        from airflow_truedy.monitoring.shared_reader import BatchReader

        while True:
            hook = TruedyAsyncHook(kwargs["truedy_conn_id"], requests_per_minute=REQUESTS_PER_MINUTE)
            try:
                client = await hook.get_async_conn()
                reader, is_fit = BatchReader(client), True
                while is_fit:
                    look = Look(client, reader)
                    yield look
                    await asyncio.sleep(kwargs["interval"])
                    await look.wait_until_idle()
                    # The connection is read again after a failure: somebody may have corrected it.
                    is_fit = not look.has_failed
            except Exception as problem:
                log.error("Connection %r cannot be used to watch campaigns: %s", kwargs["truedy_conn_id"], problem)
                await asyncio.sleep(kwargs["interval"])
            finally:
                await hook.aclose()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch alone: before Airflow 3.3 watchers share nothing."""
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        """Fire an event for every campaign that has ended from one look to the next and is asked for."""
        from airflow_truedy.monitoring.endings import Watermark

        watermark = stored = None
        async for look in shared_stream:
            try:
                watermark = watermark or await self._recall()
                stored = stored or watermark
                if watermark is None:
                    endings: list[Ending] = []
                    after = await Watermark.begin(look)
                else:
                    endings, after = await watermark.advance(look)
            except Exception as problem:
                self.log.warning("The campaigns of %r cannot be watched at present: %s", self.truedy_conn_id, problem)
                continue
            told = [ending for ending in endings if self._is_asked_for(ending)]
            if len(told) > 1 and watermark is not None:
                # Of events that come at once Airflow (up to 3.3) starts a run for the first and keeps the others until
                # another one comes. The first is the youngest, or was not held back before.
                after.tell_later(told.pop(0), watermark)
            for ending in told:
                yield TriggerEvent(_payload(ending))  # type: ignore[no-untyped-call]
            if told:
                # First the events, then the watermark: of an event that is not stored yet it would be the only trace.
                await asyncio.sleep(_STORED_AFTER)
            watermark = after
            if (stored is None or not after.knows_the_same_as(stored)) and await self._keep(after):
                stored = after

    async def _recall(self) -> Watermark | None:
        """
        Return the watermark that was kept; ``None`` if there is none.

        :raises ValueError: if the variable holds something else. To begin anew would lose what has ended since.
        """
        from airflow.sdk import Variable
        from asgiref.sync import sync_to_async

        from airflow_truedy.monitoring.endings import Watermark

        kept = await sync_to_async(Variable.get)(self.variable, default=None)
        if kept is None:
            return None
        try:
            return Watermark.from_json(json.loads(kept))
        except ValueError as problem:
            raise ValueError(
                f"Variable {self.variable} cannot be read: {problem}. Delete it to begin anew; what has ended "
                "meanwhile is then not told."
            ) from problem

    async def _keep(self, watermark: Watermark) -> bool:
        """Keep the watermark; return whether that worked."""
        from airflow.sdk import Variable
        from asgiref.sync import sync_to_async

        about = f"What {self!r} has seen. Delete it to begin anew."
        try:
            await sync_to_async(Variable.set)(self.variable, json.dumps(watermark.to_json()), description=about)
        except Exception as problem:
            self.log.warning(
                "The watermark of campaigns cannot be kept (a trigger may keep a variable from Airflow 3.0.5 on): %s "
                "What ends while no triggerer runs will not be told.",
                problem,
            )
            return False
        return True

    def _is_asked_for(self, ending: Ending) -> bool:
        if ending.batch is None:
            # It is gone, and nobody knows its name and agent any more.
            return self.agent_id is self.name is self.tag is None
        tag = tag_of(ending.batch.name) or ()
        return (
            self.agent_id in (None, ending.batch.agent_id)
            and (self.name is None or is_named(ending.batch.name, self.name))
            and (self.tag is None or self.tag in (" ".join(tag), *tag[:1]))
        )


def _payload(ending: Ending) -> dict[str, Any]:
    """Return what the event tells, ids and counts only: Airflow stores and shows it in clear."""
    from airflow_truedy.monitoring.outcome import Counters

    batch = ending.batch
    tag = tag_of(batch.name) if batch else None
    return {
        "version": EVENT_VERSION,
        "batch_call_id": ending.batch_call_id,
        "status": ending.state,
        "agent_id": batch and batch.agent_id,
        "tag": " ".join(tag) if tag else None,
        **asdict(Counters.of(batch) if batch else Counters()),
    }
