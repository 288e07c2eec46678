"""Call the contacts of a Truedy folder, which colleagues maintain in Truedy instead of the warehouse.

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
    # After a rate limit the policy waits as long as Truedy asks; a wrong key or agent is not tried again.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
    params={
        "folder": Param("Lapsed customers", type="string", description="Name of the folder in Truedy"),
        # No default, so that somebody has to choose the day.
        "day": Param(type="string", format="date", description="Day of the first calls"),
    },
)
def folder_campaign():
    @task
    def find_folder(params: dict[str, str]) -> str:
        """Return the id of the folder, because people know its name and the API wants its id."""
        # Imported here, because the file is parsed again and again, and parsing needs no HTTP client.
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
        # Truedy copies the contacts when the batch call is created; people added to the folder later are not called.
        contact_folder_id=find_folder(),
        # Without an offset this is wall time in Chicago, in summer and in winter.
        scheduled_at="{{ params.day }}T09:30",
        timezone="America/Chicago",
        start_time="09:30",
        end_time="17:00",
        working_days=[1, 2, 3, 4, 5],
        # Spreads a big folder over several days, so that the people who take the call-backs can keep up.
        max_calls_per_day=400,
    )


folder_campaign()
