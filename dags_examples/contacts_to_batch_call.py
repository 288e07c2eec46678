"""Turn customers in a database into a batch call for noon on the next working day.

The first task turns the rows of a query into contacts, and writes the refused rows into a file with reasons. The
second one creates the batch call, once, however often it is retried or cleared.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import dag

from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

NEW_YORK = ZoneInfo("America/New_York")

CUSTOMERS = """
    SELECT customer_id, phone, first_name, last_name, email, country, plan, renewal_date
    FROM people
    WHERE time_zone LIKE 'America/%'
    ORDER BY customer_id
"""  # Ordered, so that a cleared task writes the same file again.


def working_day(moment: datetime, days: int) -> date:
    """Return the day in New York so many days after a moment, or the Monday after it if that is a weekend."""
    day = moment.astimezone(NEW_YORK).date() + timedelta(days=days)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    # After a rate limit the policy waits as long as Truedy asks; a wrong key or agent is not tried again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"working_day": working_day},
)
def contacts_to_batch_call():
    contacts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=CUSTOMERS,
        columns={
            "phone_number": "phone",
            "first_name": "first_name",
            "last_name": "last_name",
            "email": "email",
            # The agent's prompt can use these.
            "custom_fields": ["plan", "renewal_date"],
            # Your own key, for the rejects file and the results; Truedy does not get it.
            "contact_key": "customer_id",
        },
        # (917) 555-0104 is a number only once somebody says in which country.
        region=RegionColumn("country"),
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        # A broken export must not shrink the campaign unnoticed.
        max_rejected=0.2,
        # The people stay in this folder; XCom gets counts. With workers on several machines, use an object store.
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )

    CreateBatchCallOperator(
        task_id="create_batch_call",
        name="Renewal reminders {{ dag_run.run_after.date() }}",
        agent_id="agt_f9447372",
        contacts=contacts.output,
        # Noon in New York: a wall time without offset is read in timezone. The day is derived from the run's own time,
        # not from the clock, so that a retry asks for the same start.
        scheduled_at="{{ working_day(dag_run.run_after, 1) }}T12:00",
        timezone="America/New_York",
        # 12:00 to 17:00 in New York is 9:00 to 14:00 in Los Angeles: daytime for everybody in the list.
        start_time="12:00",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
    )


contacts_to_batch_call()
