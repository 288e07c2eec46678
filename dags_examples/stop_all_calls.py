"""The emergency stop: hold all campaigns now, or those in one zone or state. Triggered by hand.

Leave both fields of the form empty to stop everything. What calls now is stopped first, as fast as Truedy's rate limit
allows; the log of the task tells after each campaign what is not stopped yet, and the task is green only when nothing
is left. Calls that are under way run to their end, and Dags that start campaigns are not stopped: pause them.

`ReleaseBatchCallsOperator(hold="stop", ...)` lets go on what was stopped here, and nothing that a person paused.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag

from airflow_truedy.operators.holds import HoldBatchCallsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

ZONES = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
]


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    params={
        "zone": Param(None, type=["null", "string"], enum=[None, *ZONES], description="Only campaigns in this zone"),
        "state": Param(
            None,
            type=["null", "string"],
            pattern="^(US|CA)-[A-Z]{2}$",
            description="Only campaigns in the zones in which people of this state may be, such as US-FL",
        ),
    },
    default_args={"retries": 10, "retry_delay": timedelta(seconds=5), "retry_policy": TruedyRetryPolicy()},
)
def stop_all_calls():
    HoldBatchCallsOperator(
        task_id="stop",
        hold="stop",
        zones="{{ params.zone or '' }}",
        states="{{ params.state or '' }}",
        # Before all else that waits for a slot.
        priority_weight=1000,
    )


stop_all_calls()
