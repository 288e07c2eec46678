"""The trigger that waits for a batch call. It only reads; its one write is the pause after a user killed the task."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_truedy.hooks.async_settings import settings_of
from airflow_truedy.hooks.truedy import TruedyAsyncHook
from airflow_truedy.monitoring.monitor import Watch
from airflow_truedy.monitoring.settings import Seen, WatchSettings
from airflow_truedy.triggers.polling import waiting_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_truedy.monitoring.monitor import Look

KWARGS_VERSION = 1
# Airflow gives on_kill 30 seconds ([triggerer] on_kill_timeout).
_KILL_SECONDS = 20.0


class BatchCallTrigger(BaseTrigger):
    """
    Wait until a batch call has ended, and fire one event that says how.

    All triggers of one connection in one triggerer share one poll. The keyword arguments are a wire format: they are
    plain JSON, those of older versions are understood and unknown ones are ignored.

    :param truedy_conn_id: connection of type ``truedy``.
    :param watch: how to wait, as :meth:`~airflow_truedy.monitoring.settings.WatchSettings.to_json` writes it.
    :param seen: what was seen before, as :meth:`~airflow_truedy.monitoring.settings.Seen.to_json` writes it.
    :param on_kill_action: what becomes of the campaign when a user kills the deferred task (Airflow 3.3): ``pause`` or
        ``leave``.
    :param version: version of these arguments.
    """

    def __init__(
        self,
        *,
        truedy_conn_id: str,
        watch: Mapping[str, Any],
        seen: Mapping[str, Any] | None = None,
        on_kill_action: str = "leave",
        version: int = KWARGS_VERSION,
        **_newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.truedy_conn_id = truedy_conn_id
        self.on_kill_action = on_kill_action
        self.version = version
        self._watch = Watch(WatchSettings.from_json(watch), Seen.from_json(seen) if seen else None, now=time.time())

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again, with what it has seen by now."""
        return (
            "airflow_truedy.triggers.batch_calls.BatchCallTrigger",
            {
                "version": KWARGS_VERSION,
                "truedy_conn_id": self.truedy_conn_id,
                "watch": self._watch.settings.to_json(),
                "seen": self._watch.seen.to_json(),
                "on_kill_action": self.on_kill_action,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read the batch call with all others of its connection until it has ended."""
        batch_call_id = self._watch.settings.batch_call_id
        async with waiting_for(self.truedy_conn_id, batch_call_id) as waiter:
            waiter.status = self._watch.seen.status
            while True:
                reading = await waiter.next(self._watch.due)
                look = self._take(reading)
                for note in look.notes:
                    self.log.log(note.level, note.text)
                if look.outcome is not None:
                    break
        self.log.log(logging.INFO, "%s", look.outcome.message)
        yield TriggerEvent(look.outcome.to_event())  # type: ignore[no-untyped-call]

    def _take(self, reading: Any) -> Look:
        now = time.time()
        return (
            self._watch.trouble(reading, now) if isinstance(reading, BaseException) else self._watch.take(reading, now)
        )

    async def on_kill(self) -> None:
        """Pause the campaign after a user killed the task (not on a restart of the triggerer, nor on a timeout)."""
        batch_call_id = self._watch.settings.batch_call_id
        key = self._watch.settings.key
        if self.on_kill_action != "pause" or key is None:
            self.log.info("The task was killed. Batch call %s was left as it is and may go on.", batch_call_id)
            return
        from airflow_truedy.campaigns.stopping import pause_for_kill
        from airflow_truedy.triggers.killing import short_lived_client

        try:
            with short_lived_client(await settings_of(TruedyAsyncHook, self.truedy_conn_id)) as client:
                pausing = asyncio.to_thread(pause_for_kill, client, key, batch_call_id)
                self.log.info(await asyncio.wait_for(pausing, _KILL_SECONDS))
        except Exception as problem:
            self.log.error("Batch call %s could NOT be paused: %s Pause it in Truedy.", batch_call_id, problem)
