"""Call the contacts of a Truedy folder: people whom colleagues keep in Truedy, not in the warehouse.

Triggered by hand: the form asks for the folder and the day.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Param, dag, task

from airflow_truedy.operators.batch_calls import CreateBatchCallOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy


@dag(
    schedule=None,
    tags=["truedy"],
    doc_md=__doc__,
    # A rate limit is waited out as long as Truedy says; a wrong key or agent is not tried again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    params={
        "folder": Param("Lapsed customers", type="string", description="Name of the folder in Truedy"),
        # No default: nobody is called on a day that nobody chose.
        "day": Param(type="string", format="date", description="Day of the first calls"),
    },
)
def folder_campaign():
    @task
    def find_folder(params: dict[str, str]) -> str:
        """People know names, the API wants ids."""
        # Imported here, because this file is parsed every 30 seconds and needs no HTTP client for that.
        from airflow_truedy.hooks.truedy import TruedyHook

        with TruedyHook() as hook:
            found = [folder.id for folder in hook.list_folders() if folder.name == params["folder"]]
        if len(found) != 1:
            raise AirflowFailException(f"{len(found)} folders are named {params['folder']!r}, not one.")
        return found[0]

    CreateBatchCallOperator(
        task_id="create_batch_call",
        name="{{ params.folder }}, {{ params.day }}",
        agent_id="agt_f9447372",
        # Truedy copies the contacts when the batch call is made: who joins the folder later is not called.
        contact_folder_id=find_folder(),
        # Without an offset this is wall time in Chicago, in summer and in winter.
        scheduled_at="{{ params.day }}T09:30",
        timezone="America/Chicago",
        start_time="09:30",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
        # Spreads a big folder over several days, so that whoever takes the call-backs can keep up.
        max_calls_per_day=400,
    )


folder_campaign()
