"""The button "Truedy campaign" on a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_truedy.campaigns.progress import Store

XCOM_KEY = "truedy_campaign_url"
# The dashboard's address of a campaign is not documented; a connection's extra "dashboard_url" sets another.
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


class LinkingStore:
    """
    A store of a launch's progress that makes the task's link as soon as the batch call is known, a draft already.

    :param store: where the progress is kept; ``None`` for nowhere.
    :param context: of the task.
    :param url_of: returns where a person sees a batch call.
    """

    def __init__(self, store: Store | None, context: Context, url_of: Callable[[str], str]) -> None:
        self._store = store
        self._context = context
        self._url_of = url_of
        self._linked: str | None = None
        self.url: str | None = None

    def get(self) -> dict[str, Any] | None:
        """Return what was kept."""
        return None if self._store is None else self._store.get()

    def set(self, value: dict[str, Any]) -> None:
        """Keep it, and make the link to the batch call in it."""
        if self._store is not None:
            self._store.set(value)
        if batch_call_id := value.get("batch_call_id"):
            self.link(batch_call_id)

    def link(self, batch_call_id: str) -> None:
        """Make the link, unless it is made."""
        if batch_call_id != self._linked:
            self._linked, self.url = batch_call_id, self._url_of(batch_call_id)
            self._context["ti"].xcom_push(key=XCOM_KEY, value=self.url)


class BatchCallLink(BaseOperatorLink):
    """Leads to the batch call that the task made; available as soon as it exists, also while it is waited for."""

    name = "Truedy campaign"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the operator kept, or an empty text before there is one."""
        return str(XCom.get_value(key=XCOM_KEY, ti_key=ti_key) or "")
