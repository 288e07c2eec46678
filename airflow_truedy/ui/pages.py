"""The pages: all campaigns of a connection, the campaigns of one run, and the picture of a plan."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from airflow_truedy.campaigns.plan_svg import plan_svg
from airflow_truedy.campaigns.status import State
from airflow_truedy.links.batch_calls import campaign_url
from airflow_truedy.ui import access, airflow_records
from airflow_truedy.ui.airflow_records import Origins
from airflow_truedy.ui.chart import progress_svg
from airflow_truedy.ui.rendering import render
from airflow_truedy.ui.run_facts import RunFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from airflow_truedy.hooks.settings import ClientSettings
    from airflow_truedy.ui.account import Accounts, Reading
    from airflow_truedy.ui.airflow_records import Origin
    from airflow_truedy.ui.campaign import Campaign

# It holds its own style, and nothing else may happen where it is opened by itself.
_OF_A_PICTURE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
_DIGITS_OF_AN_INDEX = 10
_DEFAULT_CONNECTION = "truedy_default"
_LIVE = "live"
_ORDER = (State.ACTIVE, State.PAUSED, State.SCHEDULED, State.UNKNOWN, State.DRAFT)
_MOST_ROWS = 1_000
#: Seconds between two refreshes of a page.
REFRESH = 15
# Seconds for which all viewers share what Airflow's database tells of campaigns.
_ORIGINS_KEPT = 10.0


@dataclass
class Row:
    """
    A campaign on the page of a connection.

    :param url: its page in Truedy; empty for none.
    :param origin: the task instance that made it; ``None`` if that is unknown, or its Dag must not be read.
    """

    campaign: Campaign
    url: str
    origin: Origin | None


@dataclass
class Seen:
    """
    A campaign on the page of a run.

    :param url: its page in Truedy; empty where only the tasks tell of it.
    :param reading: what was read of Truedy; ``None`` where only the tasks tell of it.
    :param chart: its progress over time as SVG; empty where there is none.
    """

    campaign: Campaign
    url: str = ""
    reading: Reading | None = None
    chart: str = ""


class Pages:
    """
    Answers the requests for pages.

    :param accounts: what is known of Truedy's side.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._origins = Origins([])
        self._origins_read_at = float("-inf")
        self._renewing = asyncio.Lock()

    async def home(self, request: Request) -> Response:
        """Lead to the page of all campaigns."""
        return RedirectResponse(request.url_for("campaigns").path)

    async def campaigns(self, request: Request) -> Response:
        """Show the campaigns of the chosen connection."""
        user = await access.user_of(request)
        conn_ids = await access.connections_of(user)
        given = _query(request)
        conn_id = given.get("conn_id") or _first_of(conn_ids)
        if conn_id is None:
            raise HTTPException(403, "There is no Truedy connection that you may read.")
        await access.check_connection(user, conn_id)
        account = self._accounts.of(conn_id)
        reading = await account.reading()
        rows = await self._rows(user, account.settings, reading.campaigns.values())
        chosen = {name: given.get(name, "") for name in ("state", "dag_id")}
        return self._page(
            request,
            "campaigns.html",
            reading=reading,
            conn_id=conn_id,
            conn_ids=sorted({*conn_ids, conn_id}),
            rows=[row for row in rows if _is_wanted(row, **chosen)][:_MOST_ROWS],
            known=len(rows),
            states=[_LIVE, *(state.value for state in State)],
            dag_ids=sorted({row.origin.dag_id for row in rows if row.origin}),
            chosen=chosen,
        )

    async def run(self, request: Request) -> Response:
        """Show the campaigns of a Dag run, or of one of its task instances."""
        asked = await self._asked_run(request)
        returned = await run_in_threadpool(airflow_records.read_returned, **asked)
        origins = await run_in_threadpool(airflow_records.read_origins, asked["dag_id"], asked["run_id"])
        facts = RunFacts.of(returned)
        seen = await self._seen(facts, origins, asked["task_id"], asked["map_index"])
        follows = {origin.url: origin.follows for origin in origins if origin.follows}
        funnel = facts.funnel(
            [one.campaign for one in seen], {one.campaign.id: follows[one.url] for one in seen if one.url in follows}
        )
        return self._page(request, "run.html", asked=asked, facts=facts, funnel=funnel, seen=seen)

    async def _asked_run(self, request: Request) -> dict[str, Any]:
        """Return which run is asked for; its Dag may be read."""
        user = await access.user_of(request)
        given = _query(request)
        dag_id, run_id = given.get("dag_id"), given.get("run_id")
        if not dag_id or not run_id or "\0" in f"{dag_id}{run_id}{given.get('task_id')}":
            raise HTTPException(404, "The address of this page names a dag_id and a run_id.")
        await access.check_dag(user, dag_id)
        task_id, map_index = given.get("task_id") or None, given.get("map_index", "-1")
        number = int(map_index) if map_index.isdecimal() and len(map_index) < _DIGITS_OF_AN_INDEX else -1
        return {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": number if task_id is not None else None,
        }

    async def plan_picture(self, request: Request) -> Response:
        """Show the plan that a task returned as a picture; of a run without a task, the first one."""
        asked = await self._asked_run(request)
        plans = RunFacts.of(await run_in_threadpool(airflow_records.read_returned, **asked)).plans
        if not plans:
            raise HTTPException(404, "No plan of a campaign was returned here.")
        return Response(plan_svg(plans[0].plan), media_type="image/svg+xml", headers=_OF_A_PICTURE)

    async def _seen(
        self, facts: RunFacts, origins: list[Origin], task_id: str | None, map_index: int | None
    ) -> list[Seen]:
        """Return the campaigns of a run as Truedy shows them, or else as the tasks saw them last."""
        seen = {id_: Seen(campaign) for id_, campaign in facts.campaigns.items()}
        asked = [one for one in origins if task_id is None or (one.task_id, one.map_index) == (task_id, map_index)]
        urls = {origin.url for origin in asked}
        for conn_id in sorted({origin.conn_id or _DEFAULT_CONNECTION for origin in origins}):
            account = self._accounts.of(conn_id)
            reading = await account.reading(tuple(facts.campaigns))
            for campaign in reading.campaigns.values():
                url = _truedy_url(account.settings, campaign) if account.settings else ""
                if campaign.id in seen or url in urls:
                    chart = progress_svg(account.samples(campaign.id), campaign.total)
                    seen[campaign.id] = Seen(campaign, url, reading, chart)
        return list(seen.values())

    async def _rows(self, user: Any, settings: ClientSettings | None, campaigns: Iterable[Campaign]) -> list[Row]:
        """Return the rows of the campaigns, the live ones and the newest first."""
        if settings is None:
            return []
        await self._renew_origins()
        rows = []
        for campaign in campaigns:
            url = _truedy_url(settings, campaign)
            rows.append(Row(campaign, url, self._origins.of(campaign.key, url)))
        dag_ids = await access.readable_dags(user, {row.origin.dag_id for row in rows if row.origin})
        for row in rows:
            if row.origin and row.origin.dag_id not in dag_ids:
                row.origin = None
        return sorted(rows, key=_place)

    async def _renew_origins(self) -> None:
        async with self._renewing:
            if time.monotonic() - self._origins_read_at > _ORIGINS_KEPT:
                self._origins = Origins(await run_in_threadpool(airflow_records.read_origins))
                self._origins_read_at = time.monotonic()

    def _page(self, request: Request, template: str, **more: Any) -> Response:
        given = _query(request)
        stopped = given.get("refresh") == "off"
        others = [(name, value) for name, value in given.multi_items() if name != "refresh"]
        switched = urlencode(others if stopped else [*others, ("refresh", "off")], quote_via=quote)
        airflow = request.scope.get("app_root_path", "")
        pace = {"refresh": 0 if stopped else REFRESH, "switch_to": f"?{switched}", "now": time.time()}
        return HTMLResponse(render(template, airflow=airflow, **pace, **more))


def _query(request: Request) -> QueryParams:
    """Return the parameters of an address. A plus is a plus: before 3.2 Airflow writes run ids into it as they are."""
    return QueryParams(request.url.query.replace("+", "%2B"))


def _first_of(conn_ids: list[str]) -> str | None:
    return _DEFAULT_CONNECTION if _DEFAULT_CONNECTION in conn_ids else next(iter(conn_ids), None)


def _truedy_url(settings: ClientSettings, campaign: Campaign) -> str:
    """Return a campaign's page in Truedy; empty for an address that would be a script."""
    url = campaign_url(settings.base_url, campaign.id, settings.dashboard_url)
    return url if url.startswith(("https://", "http://")) else ""


def _is_wanted(row: Row, state: str, dag_id: str) -> bool:
    of_state = not state or row.campaign.state.value == state or (state == _LIVE and row.campaign.is_live)
    return of_state and (not dag_id or (row.origin is not None and row.origin.dag_id == dag_id))


def _place(row: Row) -> tuple[int, float]:
    state, changed = row.campaign.state, row.campaign.changed_at
    return (_ORDER.index(state) if state in _ORDER else len(_ORDER), -changed.timestamp() if changed else 0.0)
