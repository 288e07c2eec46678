"""Call everybody only when that is allowed where they are: in their own zone, by the rules of their state or country.

The list is split by the hours in which its people may be called, and each part becomes a mapped task with a batch call
of its own. Whoever is at an unknown place, or in a country of which no rule is known, goes to the rejects file.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import Param, dag

from airflow_truedy.calling_hours import Blackout, CallingHours, PlaceColumns, Rule
from airflow_truedy.contacts import RegionColumn
from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.operators.contacts import SqlSuppression, SqlToContactsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy

NEW_YORK = ZoneInfo("America/New_York")

CUSTOMERS = """
    SELECT customer_id, phone, first_name, country, time_zone, plan
    FROM people
    ORDER BY customer_id
"""

# The package brings rules for the United States, Canada, Australia, France and India. Those of other countries are
# yours to look up and state: nobody is called there otherwise.
OWN_RULES = [
    Rule("gb", "GB", {"mon-fri": ["09:00-20:00"], "sat": ["10:00-17:00"]}, checked_on="2026-11-25"),
    Rule("de", "DE", {"mon-fri": ["09:00-20:00"]}, checked_on="2026-11-25"),
]

HOURS = CallingHours(
    PlaceColumns(zone="time_zone", country="country"),
    own_rules=OWN_RULES,
    earliest="09:30",
    latest="20:00",
    # Nobody's phone rings in the last minutes that a law allows, in case a clock is not right.
    margin=5,
    blackout=Blackout(holidays=["us-federal"], jurisdictions=["US"]),
    # The form may ask for a day that is far ahead.
    days_ahead=300,
)


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
    params={
        "start_on": Param(None, type=["null", "string"], format="date", description="Default: in two working days"),
        "calls_per_day": Param(500, type="integer", minimum=1, description="of each part"),
    },
)
def campaign_by_region():
    parts = SqlToContactsOperator(
        task_id="extract_contacts",
        conn_id="people_db",
        sql=CUSTOMERS,
        columns={
            "phone_number": "phone",
            "first_name": "first_name",
            "contact_key": "customer_id",
            "custom_fields": ["plan"],
        },
        region=RegionColumn("country"),
        suppression=SqlSuppression("SELECT phone_number FROM do_not_call", conn_id="people_db", region="US"),
        calling_hours=HOURS,
        # People with other hours are called in one batch call, in hours that suit them all, until there are so few.
        max_splits=12,
        # A broken export must not shrink the campaign unnoticed.
        max_rejected=0.2,
        output_path="{{ var.value.get('contacts_folder', '/tmp/truedy-contacts') }}",
    )

    # Zone, hours and days come with each part. A day on which nobody of the part may be called is passed over, and a
    # part that might still be calling on one is refused.
    CreateBatchCallOperator.partial(
        task_id="create_batch_call",
        name="Spring offer {{ task.contacts.calling_hours.timezone }}",
        agent_id="agt_f9447372",
        start_on="{{ params.start_on or working_day(dag_run.run_after, 2) }}",
        max_calls_per_day="{{ params.calls_per_day }}",
        map_index_template="{{ task.contacts.calling_hours.timezone }}",
        # The rate limit is the organisation's, so that two at once are as fast as many.
        max_active_tis_per_dagrun=2,
    ).expand(contacts=parts.output)


campaign_by_region()
