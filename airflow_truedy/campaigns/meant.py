"""Which campaigns a hold is for: by zone, state, name and tag, and on which days without calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_truedy.calling_hours.campaign_zone import clock_name, zones_on_the_clocks
from airflow_truedy.campaigns.identity import is_named, tag_of
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime, timedelta

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.calling_hours.campaign_zone import ClosedDays


class Selection:
    """
    Which campaigns are meant: those to which every stated condition applies.

    :param zones: IANA zones, and all others with their clocks.
    :param states: such as ``US-FL``: the zones in which people of that state may be. A campaign whose zone the server
        does not tell counts as in each zone.
    :param names: patterns of the name without its tag, such as ``Renewals*``; upper and lower case differ.
    :param tag_words: first words of the tag; so only campaigns that Airflow launched.
    :param today: the present date.
    :raises CallingHoursError: there is no such zone or state.
    """

    def __init__(
        self,
        today: date,
        *,
        zones: Collection[str] = (),
        states: Collection[str] = (),
        names: Collection[str] = (),
        tag_words: Collection[str] = (),
    ) -> None:
        self._today, self._names, self._tag_words = today, names, tag_words
        self._clocks = zones_on_the_clocks(zones, states, today) if zones or states else None

    def covers(self, batch: BatchCall) -> bool:
        """Tell whether a batch call is meant."""
        clock = clock_name(batch.timezone, self._today)
        if self._clocks is not None and clock is not None and clock not in self._clocks:
            return False
        if self._names and not any(is_named(batch.name, pattern) for pattern in self._names):
            return False
        tag = tag_of(batch.name)
        return not self._tag_words or (tag is not None and tag[0] in self._tag_words)


@dataclass(frozen=True)
class Meant:
    """
    Which campaigns a hold is for, now.

    :param selection: which of them at all.
    :param closed: the days without calls that it is for; ``None`` for a hold at any time.
    :param now: the present instant.
    :param ahead: how long before such a day.
    """

    selection: Selection
    closed: ClosedDays | None
    now: datetime
    ahead: timedelta

    def to_hold(self, batch: BatchCall) -> bool:
        """Tell whether a campaign is to be held; one that starts later than ``ahead`` can wait for the next run."""
        if not self.selection.covers(batch):
            return False
        if self.closed is None:
            return True
        waits_for = batch.scheduled_at if State.of(batch.status) is State.SCHEDULED else None
        is_far = waits_for is not None and waits_for > self.now + self.ahead
        return not is_far and self._closed_day(batch) is not None

    def why_not_release(self, batch: BatchCall) -> str | None:
        """Tell why a campaign cannot go on now; ``None`` if it can."""
        day = self._closed_day(batch)
        return None if day is None else f"nobody may be called on {day:%a %Y-%m-%d}"

    def _closed_day(self, batch: BatchCall) -> date | None:
        if self.closed is None:
            return None
        return self.closed.first_between(batch.timezone, self.now, self.now + self.ahead)
