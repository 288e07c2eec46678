"""Create one batch call per time zone, so that everybody is called from 09:30 on by their own clock.

The list is split by a column, and each part becomes a mapped task: eight zones, eight batch calls, one task in the Dag.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import dag

from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

NEW_YORK = ZoneInfo("America/New_York")

CUSTOMERS = """
    SELECT customer_id, phone, first_name, country, time_zone, plan
    FROM people
    WHERE time_zone <> ''
    ORDER BY customer_id
"""


def working_day(moment: datetime, days: int) -> date:
    """Return the day in New York so many days after a moment, or the Monday after it if that is a weekend."""
    day = moment.astimezone(NEW_YORK).date() + timedelta(days=days)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def campaign_of(contacts: dict[str, Any]) -> dict[str, Any]:
    """Return what differs from one zone's batch call to the next."""
    return {"contacts": contacts, "timezone": contacts["split"]["value"]}


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"working_day": working_day},
)
def campaign_by_region():
    parts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=CUSTOMERS,
        columns={"phone_number": "phone", "first_name": "first_name", "custom_fields": ["plan"]},
        region=RegionColumn("country"),
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        # A broken export must not shrink the campaign unnoticed.
        max_rejected=0.2,
        split_by="time_zone",
        # A column that holds rubbish fails here, before it becomes hundreds of batch calls.
        max_splits=20,
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )

    CreateBatchCallOperator.partial(
        task_id="create_batch_call",
        name="Spring offer {{ task.timezone }}",
        agent_id="agt_f9447372",
        # The same wall time in every zone. At least two days ahead, because 09:30 tomorrow comes in Sydney before the
        # evening in New York.
        scheduled_at="{{ working_day(dag_run.run_after, 2) }}T09:30",
        start_time="09:30",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
        map_index_template="{{ task.timezone }}",
        # The rate limit is the organisation's, so that two at once are as fast as many.
        max_active_tis_per_dagrun=2,
    ).expand_kwargs(parts.output.map(campaign_of))


campaign_by_region()
