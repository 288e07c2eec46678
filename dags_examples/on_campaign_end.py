"""Whenever campaigns have ended, whoever made them: fetch their results into one table, tell people in one message.

The triggerer looks at the account every minute and makes an asset event of each campaign that has ended. A Dag run may
come with several events, so every step takes all of them. What ends while Airflow is down is told afterwards.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_truedy.monitoring.summary import campaign_summary
from airflow_truedy.operators.results import BatchCallResultsOperator
from airflow_truedy.retry_policy import TruedyRetryPolicy
from airflow_truedy.triggers.batch_call_ended import BatchCallEndedTrigger

CAMPAIGNS = Asset(
    "truedy://sales/ended",
    # Narrow it down with name="Renewals*", tag="airflow" or agent_id="agt_...".
    watchers=[AssetWatcher(name="truedy", trigger=BatchCallEndedTrigger())],
)


@task(multiple_outputs=False)
def endings(triggering_asset_events: Any) -> list[dict[str, Any]]:
    """Return what each event tells, one for each campaign: a triggerer that dies may have told one of them twice."""
    told = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
    return list({payload["batch_call_id"]: payload for payload in told if payload["status"] != "deleted"}.values())


@task
def ids(ended: list[dict[str, Any]]) -> list[str]:
    """Return the batch calls' ids."""
    return [each["batch_call_id"] for each in ended]


@task
def tell(ended: list[dict[str, Any]]) -> str:
    """Return one message about all of them; hand it to Slack, an e-mail or a ticket."""
    return "\n\n".join(campaign_summary(each) for each in ended)


@dag(
    schedule=[CAMPAIGNS],
    tags=["truedy"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": TruedyRetryPolicy()},
)
def on_campaign_end():
    ended = endings()
    BatchCallResultsOperator.partial(
        task_id="fetch_results", conn_id="people_db", table="ended_campaigns", create_table=True
    ).expand(batch_call_id=ids(ended))
    tell(ended)


on_campaign_end()
