"""Every Tuesday from 09:30, New York time, call the customers whose renewal is three to four weeks away.

The list, with its do-not-call check, is made an hour and a half before: who objects on Monday is not called on Tuesday.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

# Each customer is in exactly one week's list: runs leave no gap and do not overlap.
RENEWALS = """
    SELECT phone, first_name, last_name, renewal_date
    FROM people
    WHERE time_zone = 'America/New_York'
      AND renewal_date >= '{{ data_interval_end.add(weeks=3) | ds }}'
      AND renewal_date < '{{ data_interval_end.add(weeks=4) | ds }}'
    ORDER BY customer_id
"""


@dag(
    # From Tuesday 08:00 to Tuesday 08:00 in New York, in the weeks when clocks change too. A run by hand needs a
    # logical date, which the form in the UI fills in: its interval is the last whole week before that.
    schedule=CronDataIntervalTimetable("0 8 * * TUE", timezone="America/New_York"),
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    # Of the weeks in which the Dag was paused only the last one runs when it is unpaused. For backfills see on_past.
    catchup=False,
    max_active_runs=1,
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_policy": TruedyRetryPolicy()},
)
def recurring_campaign():
    contacts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=RENEWALS,
        columns={
            "phone_number": "phone",
            "first_name": "first_name",
            "last_name": "last_name",
            "custom_fields": ["renewal_date"],
        },
        region="US",
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        # A broken export must not shrink the campaign unnoticed; a share of 0.5, because a week has few renewals.
        max_rejected=0.5,
        # A week without renewals is not a failure.
        on_empty="skip",
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )

    CreateBatchCallOperator(
        task_id="create_batch_call",
        name="Renewals, week of {{ data_interval_end | ds }}",
        agent_id="agt_f9447372",
        # One campaign a week, whichever run creates it: a run by hand attaches to the scheduled run's campaign.
        campaign_key="renewals {{ data_interval_end | ds }}",
        contacts=contacts.output,
        # When the window opens on that day: 09:30 on the clock of timezone, in winter and in summer.
        start_on="{{ data_interval_end.in_timezone('America/New_York').date() }}",
        # A list that somebody made yesterday, to look at it, is not called from.
        max_contacts_age=timedelta(hours=2),
        timezone="America/New_York",
        start_time="09:30",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
        # If Airflow was down until Wednesday, or somebody clears an old run, that week's calls are not made late.
        on_past="skip",
    )


recurring_campaign()
