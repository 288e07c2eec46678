"""What has to be stated of the start, zone and window of a campaign: checked at parse, and again at the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_truedy.campaigns.errors import TimingError
from airflow_truedy.campaigns.schedule import CallingWindow, in_words, zone_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime


def check_timing_is_stated(
    *,
    start: bool,
    schedule_type: object,
    scheduled_at: object,
    timezone: object,
    start_time: object,
    end_time: object,
    working_days: object,
    start_on: object = None,
    hours_may_come: bool = False,
) -> None:
    """
    Refuse a campaign whose start, zone or window would be left to a silent default.

    Looks only at what is given and what is not, so it can run before templates are rendered, when a Dag is parsed.

    :param hours_may_come: whether zone, window and days may still come with the contacts' manifest.
    :raises TimingError: naming what to state and how.
    """
    if scheduled_at and start_on:
        raise TimingError("scheduled_at and start_on: give one of them.")
    if start_on and schedule_type == "immediate":
        raise TimingError("schedule_type='immediate' contradicts start_on: give one of them.")
    later = bool(scheduled_at or start_on)
    if schedule_type == "scheduled" and not later:
        raise TimingError("schedule_type='scheduled' needs scheduled_at: the moment at which calls may begin.")
    if schedule_type == "immediate" and later:
        raise TimingError("schedule_type='immediate' contradicts scheduled_at: give one of them.")
    if start and not later and not schedule_type:
        raise TimingError(
            "When does the campaign start? Give scheduled_at (and timezone), or say schedule_type='immediate' "
            "to start when the task runs, or start=False to leave a draft."
        )
    if hours_may_come:
        return
    if start_on and not (timezone and start_time and end_time):
        raise TimingError(
            "start_on needs a zone and a daily calling window: timezone, start_time and end_time, or contacts whose "
            "manifest carries calling_hours. The campaign starts when the window opens."
        )
    if not timezone and (later or start_time or end_time or working_days):
        raise TimingError(
            "scheduled_at, start_time, end_time and working_days need timezone: an IANA zone such as "
            "'America/New_York', on whose wall clock they are read. There is no default."
        )
    if start and not (timezone and start_time and end_time):
        raise TimingError(
            "A campaign that is started needs a zone and a daily calling window: timezone, start_time and end_time, "
            "such as '09:00' and '17:30'. For calls at any hour state start_time='00:00', end_time='23:59'."
        )


def check_start_is_in_window(
    moment: datetime, timezone: str, start_time: str, end_time: str, working_days: Collection[int] | None
) -> None:
    """
    Refuse a start at which nobody may be called: nobody knows whether the server would wait for the window.

    :raises TimingError: naming the next opening.
    """
    window = CallingWindow.of(timezone, start_time, end_time, working_days)
    if not window.is_open(moment):
        opening = window.next_opening(moment).astimezone(zone_of(timezone))
        raise TimingError(
            f"scheduled_at is {in_words(moment, timezone)}, outside the calling window ({window}). Give a start inside "
            f"it, such as '{opening:%Y-%m-%dT%H:%M}'."
        )
