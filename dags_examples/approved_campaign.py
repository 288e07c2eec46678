"""Show a person the plan of a campaign in Airflow's UI, and start exactly what that person approved.

"Required Actions" of the run shows who will be called, when, for how long and at what price. After "Approve"
the campaign is scheduled. Nothing is started after "Reject", without an answer in 12 hours, or if anything differs from
the plan by then. The buttons need Airflow 3.1.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import dag

from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.approvals import ApprovePlanOperator
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.operators.plans import PlanBatchCallsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

NEW_YORK = ZoneInfo("America/New_York")
HALF_A_DAY = timedelta(hours=12)

CUSTOMERS = """
    SELECT customer_id, phone, first_name, country, plan
    FROM people
    WHERE time_zone LIKE 'America/%' AND plan = 'plus'
    ORDER BY customer_id
"""

# Stated once, for the plan and for the campaign.
CAMPAIGN: dict[str, Any] = {
    "name": "Plus offer {{ dag_run.run_after.date() }}",
    "agent_id": "agt_f9447372",
    # After the last moment at which it can be approved.
    "scheduled_at": "{{ working_day(dag_run.run_after, 2) }}T12:00",
    "timezone": "America/New_York",
    # Noon to 17:00 in New York is daytime from there to Los Angeles.
    "start_time": "12:00",
    "end_time": "17:00",
    "working_days": [1, 2, 3, 4, 5],
    "max_calls_per_day": 30,
}


def working_day(moment: datetime, days: int) -> date:
    """Return the day in New York so many days after a moment, or the Monday after it if that is a weekend."""
    day = moment.astimezone(NEW_YORK).date() + timedelta(days=days)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"working_day": working_day},
)
def approved_campaign():
    contacts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=CUSTOMERS,
        columns={"phone_number": "phone", "first_name": "first_name", "custom_fields": ["plan"]},
        region=RegionColumn("country"),
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        max_rejected=0.2,
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    ).output

    plan = PlanBatchCallsOperator(
        task_id="plan_campaign", contacts=contacts, cost_per_minute="0.09", average_minutes=3, **CAMPAIGN
    ).output

    # No "defaults": when time is up the task fails, and nobody has approved.
    approval = ApprovePlanOperator(
        task_id="approve_plan",
        subject="Shall this campaign call?",
        body=plan["markdown"],
        response_timeout=HALF_A_DAY,
        retries=0,
    ).output

    CreateBatchCallOperator(
        task_id="create_batch_call",
        contacts=contacts,
        approved_plan=plan,
        approval=approval,
        max_approval_age=HALF_A_DAY,
        **CAMPAIGN,
    )


approved_campaign()
