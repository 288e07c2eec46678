"""Hold every campaign on days on which nobody may be called, and let it go on afterwards, in hours.

Truedy knows one window for all days and no holidays. So this Dag pauses what is live in the two hours before such a day
begins where the people are, and resumes it when the day is over and it is daytime again. Campaigns that rely on it
state `held_on_blocked_days=True`. It runs every hour, because days begin in one zone after the other, and so that the
next run makes up for one that was missed: from ten in the evening on there are many before anybody may be called.
Watch it all the same: what is not held calls.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from airflow_truedy.calling_hours import Blackout, CallingHours
from airflow_truedy.operators.holds import HoldBatchCallsOperator, ReleaseBatchCallsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

# The days of the rules (`us-ut` has Pioneer Day, for example) and those of your own: the same ones as for the lists.
DAYS = CallingHours(
    blackout=[
        Blackout(holidays=["us-federal"]),
        Blackout(dates=["2026-12-24/2027-01-01"]),
    ],
)


@dag(
    schedule="0 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    # Only the present counts: a run for last night would do the same as the one for now.
    catchup=False,
    max_active_runs=1,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
)
def blackout_guard():
    # All people of this organisation's campaigns are in the United States.
    what = {"hold": "blackout", "calling_hours": DAYS, "jurisdictions": ["US"]}
    hold = HoldBatchCallsOperator(task_id="hold", **what)
    # Hours in which, by its own clock, every campaign may call.
    release = ReleaseBatchCallsOperator(task_id="release", start_time="10:00", end_time="16:00", **what)
    hold >> release


blackout_guard()
