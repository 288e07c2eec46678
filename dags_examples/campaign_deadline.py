"""Call customers from 09:30 to 18:00 today: what is not over by then is paused, and the person on call is rung.

The task that waits for the campaign pauses it, on every Airflow. The ring comes when the run fails, and from Airflow
3.2 on also from a DeadlineAlert, which notices that the run has not even come so far. Both together ring once.

Who is on call is the connection "truedy_on_call", whose password is the phone number.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk import Param, dag
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_truedy.notifications.calls import TruedyCallNotifier
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

ZONE = "America/New_York"
# An agent of its own, which says what failed: its prompt uses {{dag_id}}, {{run_id}} and {{error_class}}.
ON_CALL: dict[str, Any] = {"agent_id": "agt_5e1ec7ed", "on_call_conn_id": "truedy_on_call", "once_in_minutes": 60}

try:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
except ImportError:  # Before Airflow 3.2 the failed run alone rings.
    DEADLINE: dict[str, Any] = {}
else:
    # Nine hours after 09:00. The callback is made from names and numbers: Airflow stores them.
    DEADLINE = {
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
            interval=timedelta(hours=9),
            callback=AsyncCallback(TruedyCallNotifier, kwargs=ON_CALL),
        )
    }

PLUS_CUSTOMERS = """
    SELECT phone, first_name FROM people
    WHERE time_zone = 'America/New_York' AND plan = 'plus'
    ORDER BY customer_id
"""


def day_of(moment: datetime) -> date:
    """Return the day in New York."""
    return moment.astimezone(ZoneInfo(ZONE)).date()


def seconds_until(clock_time: str) -> int:
    """Return the seconds from now to a time of today in New York; at least a minute."""
    now = datetime.now(ZoneInfo(ZONE))
    end = datetime.combine(now.date(), time.fromisoformat(clock_time), now.tzinfo)
    return max(60, round((end - now).total_seconds()))


@dag(
    schedule=CronTriggerTimetable("0 9 * * MON-FRI", timezone=ZONE),
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"day_of": day_of, "seconds_until": seconds_until},
    params={
        "start": Param("09:30", type="string", pattern=r"^\d\d:\d\d$"),
        "until": Param("18:00", type="string", pattern=r"^\d\d:\d\d$"),
    },
    on_failure_callback=TruedyCallNotifier(**ON_CALL),
    **DEADLINE,
)
def campaign_deadline():
    contacts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=PLUS_CUSTOMERS,
        columns={"phone_number": "phone", "first_name": "first_name"},
        region="US",
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        max_rejected=0.2,
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )
    CreateBatchCallOperator(
        task_id="call_customers",
        name="Today only {{ day_of(dag_run.run_after) }}",
        agent_id="agt_f9447372",
        contacts=contacts.output,
        scheduled_at="{{ day_of(dag_run.run_after) }}T{{ params.start }}",
        timezone=ZONE,
        start_time="09:30",
        end_time="18:00",
        wait_for_completion=True,
        deferrable=True,
        # Seconds from the moment at which the waiting begins.
        timeout="{{ seconds_until(params.until) }}",
        on_timeout="pause",
    )


campaign_deadline()
