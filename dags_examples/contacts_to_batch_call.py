"""Customers out of a database become a batch call for tomorrow noon.

The first task turns the rows of a query into contacts and writes down why the other rows became none. The second one
makes the batch call, exactly once however often it is retried or cleared.
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import dag

from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

CUSTOMERS = """
    SELECT customer_id, phone, first_name, last_name, email, country, plan, renewal_date
    FROM people
    WHERE time_zone LIKE 'America/%'
    ORDER BY customer_id
"""  # customer_id is for the rejects file only; ordered, so that a cleared task makes the same file again


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    # A rate limit is waited out as long as Truedy says; a wrong key or agent is not tried again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    user_defined_macros={"new_york": ZoneInfo("America/New_York")},
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
        },
        # (917) 555-0104 is a number only once somebody says in which country.
        region=RegionColumn("country"),
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        # A broken export must not shrink the campaign unnoticed.
        max_rejected=0.2,
        # The people themselves stay here, XCom gets counts. With workers on several machines: an object store.
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )

    CreateBatchCallOperator(
        task_id="create_batch_call",
        name="Renewal reminders {{ dag_run.run_after.date() }}",
        agent_id="agt_f9447372",
        contacts=contacts.output,
        # Tomorrow noon in New York: a wall time without offset is read in timezone. Counted from the run's own time,
        # not from the clock, so that a retry asks for the same start.
        scheduled_at="{{ (dag_run.run_after.astimezone(new_york) + macros.timedelta(days=1)).date() }}T12:00",
        timezone="America/New_York",
        # 12:00 to 17:00 in New York is 9:00 to 14:00 in Los Angeles: daytime for everybody in the list.
        start_time="12:00",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
    )


contacts_to_batch_call()
