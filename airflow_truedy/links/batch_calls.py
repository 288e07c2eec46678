"""The button "Truedy campaign" on a task."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

XCOM_KEY = "truedy_campaign_url"
# The dashboard's address of a campaign is not documented; a connection's extra "dashboard_url" says better.
DASHBOARD_URL = "https://app.truedy.ai/campaigns/{batch_call_id}"


def campaign_url(base_url: str, batch_call_id: str, dashboard_url: str | None = None) -> str:
    """
    Return where a person sees the batch call.

    :param base_url: the API's address; a sandbox (http) shows its batch calls at its root.
    :param dashboard_url: address with ``{batch_call_id}`` in it, instead of Truedy's own dashboard.
    """
    api = urlsplit(base_url)
    sandbox_url = f"http://{api.netloc}/#{{batch_call_id}}" if api.scheme == "http" else None
    template = dashboard_url or sandbox_url or DASHBOARD_URL
    return template.replace("{batch_call_id}", quote(batch_call_id, safe=""))


class BatchCallLink(BaseOperatorLink):
    """Leads to the batch call that the task made; available as soon as it exists, also while it is waited for."""

    name = "Truedy campaign"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the operator kept, or an empty text before there is one."""
        return str(XCom.get_value(key=XCOM_KEY, ti_key=ti_key) or "")
