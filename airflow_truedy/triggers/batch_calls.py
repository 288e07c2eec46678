"""The trigger that waits for a batch call. It only reads; its one write is the pause after a user killed the task."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_truedy.hooks.settings import ClientSettings
from airflow_truedy.hooks.truedy import TruedyAsyncHook
from airflow_truedy.monitoring.monitor import CampaignMonitor, MonitorSettings, MonitorState
from airflow_truedy.monitoring.shared_reader import waiting_for
from airflow_truedy.monitoring.waiting import log_notes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_truedy.monitoring.monitor import Poll

KWARGS_VERSION = 1
# Airflow gives on_kill 30 seconds ([triggerer] on_kill_timeout).
_KILL_SECONDS = 20.0


class BatchCallTrigger(BaseTrigger):
    """
    Wait until a batch call has ended, and fire one event that tells how.

    All triggers of one connection in one triggerer share one poll. The keyword arguments are a wire format: they are
    plain JSON, those of older versions are understood and unknown ones are ignored.

    :param truedy_conn_id: connection of type ``truedy``.
    :param settings: how to wait, as :meth:`~airflow_truedy.monitoring.monitor.MonitorSettings.to_json` writes it.
    :param state: what was seen before, as :meth:`~airflow_truedy.monitoring.monitor.MonitorState.to_json` writes it.
    :param on_kill_action: what becomes of the campaign when a user kills the deferred task (Airflow 3.3): ``pause`` or
        ``leave``.
    """

    def __init__(
        self,
        *,
        truedy_conn_id: str,
        settings: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        on_kill_action: str = "leave",
        **_newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.truedy_conn_id = truedy_conn_id
        self.on_kill_action = on_kill_action
        self._monitor = CampaignMonitor(
            MonitorSettings.from_json(settings), MonitorState.from_json(state) if state else None, now=time.time()
        )

    @classmethod
    def of(cls, monitor: CampaignMonitor, truedy_conn_id: str, **options: Any) -> BatchCallTrigger:
        """Return the trigger that goes on with a wait which began in a worker."""
        settings, state = monitor.settings.to_json(), monitor.state.to_json()
        return cls(truedy_conn_id=truedy_conn_id, settings=settings, state=state, **options)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again, with what it has seen by now."""
        return (
            "airflow_truedy.triggers.batch_calls.BatchCallTrigger",
            {
                "version": KWARGS_VERSION,
                "truedy_conn_id": self.truedy_conn_id,
                "settings": self._monitor.settings.to_json(),
                "state": self._monitor.state.to_json(),
                "on_kill_action": self.on_kill_action,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read the batch call with all others of its connection until it has ended."""
        batch_call_id = self._monitor.settings.batch_call_id
        async with waiting_for(self.truedy_conn_id, batch_call_id, TruedyAsyncHook) as waiter:
            waiter.status = self._monitor.state.status
            while True:
                poll = self._take(await waiter.next(self._monitor.due))
                log_notes(self.log, poll)
                if poll.outcome is not None:
                    break
        self.log.log(logging.INFO, "%s", poll.outcome.message)
        yield TriggerEvent(poll.outcome.to_event())  # type: ignore[no-untyped-call]

    def _take(self, reading: Any) -> Poll:
        take = self._monitor.trouble if isinstance(reading, BaseException) else self._monitor.take
        return take(reading, time.time())

    async def on_kill(self) -> None:
        """Pause the campaign after a user killed the task (not on a restart of the triggerer, nor on a timeout)."""
        batch_call_id = self._monitor.settings.batch_call_id
        key = self._monitor.settings.key
        if self.on_kill_action != "pause" or key is None:
            self.log.info("The task was killed. Batch call %s was left as it is and may go on.", batch_call_id)
            return
        from airflow_truedy.campaigns.pausing import pause_for_kill
        from airflow_truedy.hooks.short_lived import short_lived_client

        try:
            with short_lived_client(await ClientSettings.read_async(TruedyAsyncHook, self.truedy_conn_id)) as client:
                pausing = asyncio.to_thread(pause_for_kill, client, key, batch_call_id)
                self.log.info(await asyncio.wait_for(pausing, _KILL_SECONDS))
        except Exception as problem:
            self.log.error("Batch call %s could NOT be paused: %s Pause it in Truedy.", batch_call_id, problem)
