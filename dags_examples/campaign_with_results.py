"""Call, wait for the end, bring the results back, and call those who did not answer again a week later.

Waiting takes no worker slot: the task is deferred until the campaign has ended, hours or days later. The results carry
your own key of each person, so they join the table that the people came from:

    SELECT people.customer_id, call_status, called_at FROM people
    JOIN call_results ON call_results.contact_key = people.customer_id
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import Param, dag, task

from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.operators.results import BatchCallResultsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

NEW_YORK = ZoneInfo("America/New_York")
FOLDER = "{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}"

CUSTOMERS = """
    SELECT customer_id, phone, first_name, country, plan
    FROM people
    WHERE time_zone LIKE 'America/%' AND plan = 'plus'
    ORDER BY customer_id
"""

# Noon to 17:00 in New York is daytime from there to Los Angeles.
CALLING_HOURS = {
    "agent_id": "agt_f9447372",
    "timezone": "America/New_York",
    "start_time": "12:00",
    "end_time": "17:00",
    "working_days": [1, 2, 3, 4, 5],
}


# Read again before the second try, so that people who opted out meanwhile are not called.
DO_NOT_CALL = SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US")


def working_day(moment: datetime, days: int) -> date:
    """Return the day in New York so many days after a moment, or the Monday after it if that is a weekend."""
    day = moment.astimezone(NEW_YORK).date() + timedelta(days=days)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


# One XCom for the whole manifest, instead of one for each of its keys.
@task(multiple_outputs=False)
def find_unanswered(results: dict[str, Any], contacts: dict[str, Any], folder: str, ti: Any) -> dict[str, Any]:
    """Write the people who were not reached into a new contacts file."""
    from airflow_truedy.operators.follow_up import failed_contacts

    # Attempts are counted in the results table, over all campaigns: nobody is called more than three times.
    unanswered = failed_contacts(
        results,
        f"{folder}/{ti.dag_id}/{ti.run_id}/{ti.task_id}.jsonl.gz",
        max_attempts=3,
        contacts=contacts,
        suppression=DO_NOT_CALL,
    )
    if not unanswered["contacts"]:
        raise AirflowSkipException("Everybody was reached, or called often enough.")
    return unanswered


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"working_day": working_day},
    params={"poll_interval": Param(60, type="number", description="Seconds between two looks at the campaign")},
)
def campaign_with_results():
    contacts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=CUSTOMERS,
        columns={
            "phone_number": "phone",
            "first_name": "first_name",
            "custom_fields": ["plan"],
            # Stays here, in files and results; Truedy does not get it.
            "contact_key": "customer_id",
        },
        region=RegionColumn("country"),
        suppression=DO_NOT_CALL,
        # A broken export must not shrink the campaign unnoticed.
        max_rejected=0.2,
        output_path=FOLDER,
    ).output

    campaign = CreateBatchCallOperator(
        task_id="call_customers",
        name="Plus customers {{ dag_run.run_after.date() }}",
        contacts=contacts,
        scheduled_at="{{ working_day(dag_run.run_after, 1) }}T12:00",
        **CALLING_HOURS,
        wait_for_completion=True,
        deferrable=True,
        poll_interval="{{ params.poll_interval }}",
        # "completed" means that Truedy makes no more calls, which does not mean that everybody was called.
        min_called=0.95,
        on_partial="warn",
        # After five days something is wrong: the campaign is paused, and the task fails so that somebody looks.
        timeout=timedelta(days=5),
        on_timeout="pause",
    ).output

    results = BatchCallResultsOperator(
        task_id="fetch_results",
        batch_call_id=campaign,
        # Where contact_key and custom_fields come from.
        contacts=contacts,
        conn_id="people_db",
        table="call_results",
        create_table=True,
    ).output

    CreateBatchCallOperator(
        task_id="call_again",
        name="Plus customers {{ dag_run.run_after.date() }}, second try",
        contacts=find_unanswered(results, contacts, FOLDER),
        # A week after the run, whenever the first campaign ended, so that every try asks for the same start.
        scheduled_at="{{ working_day(dag_run.run_after, 7) }}T12:00",
        **CALLING_HOURS,
    )


campaign_with_results()
