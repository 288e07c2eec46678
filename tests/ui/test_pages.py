"""The pages themselves, with what Airflow's auth manager and database would answer given by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import time_machine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from airflow_truedy.campaigns.identity import CampaignKey, default_key
from airflow_truedy.hooks.settings import ClientSettings
from airflow_truedy.ui import access, airflow_records
from airflow_truedy.ui.airflow_records import Origin, Returned
from airflow_truedy.ui.app import build
from tests.campaigns.test_plan_pages import plan
from tests.ui.conftest import Truedy, settings_of
from tests.ui.test_run_facts import MANIFEST, RESULTS

HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>{{7*7}}"


class Airflow:
    """What a test lets Airflow answer."""

    def __init__(self) -> None:
        self.user: str | None = "ann"
        self.connections = ["truedy_default", "truedy_other"]
        self.dags = {"renewals", "welcome"}
        self.origins: list[Origin] = []
        self.returned: list[Returned] = []
        self.run_id: str | None = None


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def origin(dag_id: str = "renewals", **more: Any) -> Origin:
    given = {"task_id": "create", "run_id": "manual__1", "map_index": -1, "url": "", "conn_id": None, "hours": ""}
    return Origin(dag_id, **{**given, **more})


def tagged(name: str, made_by: Origin) -> str:
    key = default_key(made_by.dag_id, made_by.task_id, made_by.run_id, made_by.map_index)
    return CampaignKey(key).tagged(name, "0123456789abcdef")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    airflow = Airflow()

    async def user_of(request: Any) -> Any:
        if airflow.user is None:
            raise HTTPException(401, "Sign in to Airflow to see this page.")
        return airflow.user

    async def connections_of(user: Any) -> list[str]:
        return airflow.connections

    async def check_connection(user: Any, conn_id: str) -> None:
        if conn_id not in airflow.connections:
            raise HTTPException(403, "no")

    async def check_dag(user: Any, dag_id: str) -> None:
        if dag_id not in airflow.dags:
            raise HTTPException(403, "no")

    async def readable_dags(user: Any, dag_ids: Any) -> set[str]:
        return airflow.dags & set(dag_ids)

    for double in (user_of, connections_of, check_connection, check_dag, readable_dags, settings_of):
        monkeypatch.setattr(access, double.__name__, double)
    monkeypatch.setattr(airflow_records, "read_origins", lambda dag_id=None, run_id=None: airflow.origins)
    monkeypatch.setattr(
        airflow_records,
        "read_returned",
        lambda dag_id, run_id, task_id=None, map_index=None: [
            each
            for each in airflow.returned
            if task_id in (None, each.task_id) and airflow.run_id in (None, run_id) and map_index in (None, -1)
        ],
    )
    return airflow


@pytest.fixture
async def client(airflow: Airflow, truedy: Truedy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("AIRFLOW__API__WORKERS", "1")  # The default is 4 before Airflow 3.1.
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/truedy", build())]))
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as made:
        yield made


async def test_a_campaign_and_the_run_that_made_it(client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy) -> None:
    made_by = origin(run_id="scheduled__2026-06-01T00:00:00+00:00", hours="09:00\u201317:30", map_index=2)
    airflow.origins = [made_by]
    truedy.hold(1, name=tagged("Renewals", made_by), status="running", scheduled_at="2026-06-01T13:00:00Z")
    page = (await client.get("/truedy/campaigns")).text
    text = " ".join(page.split())
    for expected in (
        "><bdi>Renewals</bdi></a>",
        '<span class="state active">active</span>',
        'value="40"',
        "40 of 100 called",
        "Mon 2026-06-01 09:00<small>America/New_York,",
        "09:00\u201317:30",
        "1 campaign</caption>",
    ):
        assert expected in text
    links = [link["href"] for link in Tags(page).all("a")]
    assert "/dags/renewals/runs/scheduled__2026-06-01T00%3A00%3A00%2B00%3A00/tasks/create/mapped/2" in links
    assert "https://app.truedy.ai/campaigns/batch_00000" not in links  # A server on http is a sandbox.
    assert "http://127.0.0.1:9/#batch_00000" in links


async def test_links_follow_the_path_of_airflow(client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy) -> None:
    airflow.origins = [origin()]
    truedy.hold(1, name=tagged("Renewals", airflow.origins[0]))
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/truedy", build())]), root_path="/sub")
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as behind:
        page = (await behind.get("/sub/truedy/", follow_redirects=True)).text
    assert "/sub/dags/renewals/runs/manual__1/tasks/create" in [link["href"] for link in Tags(page).all("a")]


async def test_a_campaign_with_a_key_of_its_own_is_found_by_its_page(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    url = "http://127.0.0.1:9/#batch_00000"
    airflow.origins = [origin(task_id="pause", url=url), origin(task_id="create", url=url)]
    truedy.hold(2, name=CampaignKey("spring").tagged("Spring", "0123456789abcdef"))
    page = (await client.get("/truedy/campaigns")).text
    assert page.count("/dags/renewals/runs/manual__1/tasks/create") == 1
    assert "/tasks/pause" not in page


async def test_a_dag_that_may_not_be_read_is_not_named(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    airflow.origins = [origin("secret_dag", hours="03:00\u201304:00")]
    truedy.hold(1, name=tagged("Renewals", airflow.origins[0]))
    page = (await client.get("/truedy/campaigns")).text
    assert "Renewals" in page
    assert "secret_dag" not in page
    assert "03:00" not in page


async def test_filters(client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy) -> None:
    airflow.origins = [origin("renewals"), origin("welcome")]
    truedy.hold(4)
    for held, made_by in zip(truedy.batches, airflow.origins, strict=False):
        held["name"] = tagged("Campaign of " + made_by.dag_id, made_by)
    truedy.batches[1]["status"] = "paused"
    truedy.batches[2]["status"] = "draft"

    async def shown(query: str) -> set[str]:
        page = (await client.get(f"/truedy/campaigns?{query}")).text
        return {held["id"] for held in truedy.batches if held["id"] + "</small>" in page}

    assert len(await shown("")) == 4
    assert await shown("state=paused") == {"batch_00001"}
    assert await shown("state=draft") == {"batch_00002"}
    assert await shown("state=live") == {"batch_00001"}
    assert await shown("dag_id=renewals") == {"batch_00000"}
    assert await shown("dag_id=renewals&state=paused") == set()
    assert len(await shown("state=nonsense")) == 0


@pytest.mark.parametrize("address", ["/truedy/campaigns", "/truedy/", "/truedy/run?dag_id=renewals&run_id=r"])
async def test_nobody_who_is_not_signed_in_sees_a_page(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy, address: str
) -> None:
    airflow.user = None
    answer = await client.get(address, follow_redirects=True)
    assert answer.status_code == 401
    assert truedy.asked == []


async def test_who_may_read_no_connection_sees_no_campaign(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    assert (await client.get("/truedy/campaigns?conn_id=mine")).status_code == 403
    airflow.connections = []
    for query in ("", "?conn_id=truedy_default"):
        answer = await client.get(f"/truedy/campaigns{query}")
        assert (answer.status_code, truedy.asked) == (403, [])


async def test_who_may_not_read_the_dag_does_not_see_its_runs(client: httpx.AsyncClient, truedy: Truedy) -> None:
    answer = await client.get("/truedy/run?dag_id=secret&run_id=r")
    assert (answer.status_code, truedy.asked) == (403, [])


@pytest.mark.parametrize(
    "address",
    [
        *("/truedy/run", "/truedy/run?dag_id=renewals", "/truedy/nothing", "/truedy/docs", "/truedy/static/../app.py"),
        *("/truedy/run?dag_id=renewals&run_id=a%00b", "/truedy/run?dag_id=renewals&run_id=a&task_id=%00"),
    ],
)
async def test_addresses_that_name_nothing(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_pages_change_nothing(client: httpx.AsyncClient, truedy: Truedy, method: str) -> None:
    for page in ("campaigns", "run?dag_id=renewals&run_id=r"):
        assert (await client.request(method, f"/truedy/{page}")).status_code == 405
    assert truedy.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "/truedy/campaigns",
        "/truedy/run?dag_id=renewals&run_id=r",
        "/truedy/run",
        "/truedy/campaigns?conn_id=no",
        "/truedy/static/pages.css",
        "/truedy/static/pages.js",
        "/truedy/nothing",
    ],
)
async def test_every_answer_has_the_headers(client: httpx.AsyncClient, address: str) -> None:
    headers = (await client.get(address)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


async def test_a_hostile_name_stays_text(client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy) -> None:
    made_by = origin(run_id=HOSTILE, task_id=HOSTILE, hours=HOSTILE)
    airflow.origins = [made_by]
    airflow.returned = [
        Returned("t", -1, {**RESULTS, "by_outcome": {HOSTILE: 1}}),
        Returned("t", -1, {"batch_call_id": HOSTILE, "name": HOSTILE, "status": HOSTILE}),
        Returned("t", -1, {"dry_run": True, "would": HOSTILE}),
        Returned("t", -1, {**MANIFEST, "rejected_by_reason": {HOSTILE: 5}}),
    ]
    truedy.hold(2, name=HOSTILE, timezone=HOSTILE, id=HOSTILE, scheduled_at="2026-06-01T13:00:00Z")
    truedy.batches[1] |= {"name": tagged(HOSTILE, made_by), "id": "b2", "status": HOSTILE}
    run = str(httpx.QueryParams({"dag_id": "renewals", "run_id": HOSTILE, "task_id": "t", "map_index": HOSTILE}))
    chosen = str(httpx.QueryParams({"state": HOSTILE, "dag_id": HOSTILE}))
    for address in ("campaigns", f"campaigns?{chosen}", f"run?{run}"):
        page = (await client.get(f"/truedy/{address}")).text
        tags = Tags(page)
        assert [script["src"] for script in tags.all("script")] == ["static/pages.js"]
        assert tags.all("img") == []
        assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
        assert "{{7*7}}" in page  # Shown, not evaluated.
        assert not [link for link in tags.all("a") if (link["href"] or "").lower().startswith("javascript")]


async def test_an_address_of_truedy_is_no_script(
    client: httpx.AsyncClient, truedy: Truedy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may edit a connection must not be able to run a script in the browser of those who read it."""

    async def settings(conn_id: str) -> ClientSettings:
        return replace(await settings_of(conn_id), dashboard_url="javascript:alert('{batch_call_id}')")

    monkeypatch.setattr(access, "settings_of", settings)
    truedy.hold(1)
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/truedy", build())]))
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as other:
        page = (await other.get("/truedy/campaigns")).text
    assert "Wave 0" in page
    assert "javascript:" not in page


async def test_nothing_inline_that_the_policy_forbids(client: httpx.AsyncClient, truedy: Truedy) -> None:
    truedy.hold(3, status="active")
    for address in ("campaigns", "run?dag_id=renewals&run_id=r", "run"):
        tags = Tags((await client.get(f"/truedy/{address}")).text)
        assert tags.all("style") == []
        assert not [attributes for _, attributes in tags.found if "style" in attributes]


async def test_a_run_shows_funnel_outcomes_and_cost(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    airflow.returned = [
        Returned("extract", -1, MANIFEST),
        Returned("results", -1, RESULTS),
    ]
    airflow.origins = [origin()]
    truedy.hold(1, name=tagged("Renewals", airflow.origins[0]))
    page = " ".join((await client.get("/truedy/run?dag_id=renewals&run_id=manual__1")).text.split())
    for expected in (
        "rows read",
        "too few digits",
        "no answer",
        "12.3457 credits",
        "2 h 1 min",
        "><bdi>Renewals</bdi></a>",
    ):
        assert expected in page
    only = (await client.get("/truedy/run?dag_id=renewals&run_id=manual__1&task_id=extract&map_index=-1")).text
    assert "rows read" in only
    assert "12.3457" not in only


async def test_a_plan_is_shown_with_its_picture(client: httpx.AsyncClient, airflow: Airflow) -> None:
    airflow.returned = [
        Returned("extract", -1, MANIFEST),
        Returned("plan a&b+c", -1, plan(name=HOSTILE, split=HOSTILE)),
    ]
    page = (await client.get("/truedy/run?dag_id=renewals&run_id=manual__1")).text
    assert "Wed 2026-06-03 09:30 PDT" in page
    (picture,) = Tags(page).all("img")
    answer = await client.get(f"/truedy/{picture['src']}")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert {tag for tag, _ in Tags(answer.text).found} <= {"svg", "title", "desc", "style", "rect", "text", "line", "g"}
    assert (await client.get("/truedy/plan.svg?dag_id=renewals&run_id=manual__1&task_id=extract")).status_code == 404
    assert (await client.get("/truedy/plan.svg?dag_id=secret&run_id=manual__1")).status_code == 403
    airflow.user = None
    assert (await client.get(f"/truedy/{picture['src']}")).status_code == 401


@pytest.mark.parametrize("written", ["2026-06-01T00:00:00+00:00", "2026-06-01T00%3A00%3A00%2B00%3A00"])
async def test_a_run_is_found_however_airflow_writes_its_id(
    client: httpx.AsyncClient, airflow: Airflow, written: str
) -> None:
    """Airflow 3.1 does not encode what it puts into an address, and leaves the map index of a plain task unfilled."""
    run_id = "manual__2026-06-01T00:00:00+00:00"
    airflow.run_id = run_id
    airflow.returned = [Returned("extract", -1, MANIFEST)]
    query = f"dag_id=renewals&run_id=manual__{written}&task_id=extract&map_index={{MAP_INDEX}}"
    page = (await client.get(f"http://airflow/truedy/run?{query}")).text
    assert "rows read" in page
    (switch,) = [link["href"] for link in Tags(page).all("a") if link["href"].startswith("?")]
    assert "rows read" in (await client.get(f"http://airflow/truedy/run{switch}")).text


async def test_a_running_task_shows_its_campaign_before_it_returns_anything(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    airflow.origins = [origin(url="http://127.0.0.1:9/#batch_00000"), origin(task_id="other", url="x")]
    truedy.hold(2, status="active")
    address = "/truedy/run?dag_id=renewals&run_id=manual__1"
    assert "Wave 0" in (await client.get(address)).text
    assert "Wave 0" in (await client.get(f"{address}&task_id=create")).text
    assert "told nothing" in (await client.get(f"{address}&task_id=other")).text


async def test_a_server_that_is_down_is_told_beside_the_age(client: httpx.AsyncClient, truedy: Truedy) -> None:
    truedy.status = 503
    page = (await client.get("/truedy/campaigns")).text
    assert "Truedy could not be read" in page
    assert "Nothing was read yet" in page


async def test_who_may_read_only_the_dag_is_not_told_about_the_connection(
    client: httpx.AsyncClient, airflow: Airflow, truedy: Truedy
) -> None:
    airflow.origins = [origin()]
    truedy.hold(1, name=tagged("Renewals", airflow.origins[0]))
    airflow.returned = [Returned("create", -1, {"batch_call_id": "batch_00000", "status": "active"})]
    address = "/truedy/run?dag_id=renewals&run_id=manual__1"
    with time_machine.travel("2026-06-01T12:00:00Z") as traveller:
        await client.get(address)
        truedy.status = 503
        traveller.shift(60)
        page = (await client.get(address)).text
    assert "Truedy could not be read" in page
    assert "127.0.0.1" not in page.replace('href="http://127.0.0.1:9/#batch_00000"', "")
    assert "503" not in page


async def test_an_error_of_ours_tells_nothing(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, truedy: Truedy
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("password hunter2")

    monkeypatch.setattr(airflow_records, "read_origins", broken)
    answer = await client.get("/truedy/campaigns")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


async def test_refreshing_can_be_stopped(client: httpx.AsyncClient, truedy: Truedy) -> None:
    page = (await client.get("/truedy/campaigns?state=paused")).text
    assert 'data-refresh="15"' in page
    assert '<a href="?state=paused&amp;refresh=off">' in page
    stopped = (await client.get("/truedy/campaigns?state=paused&refresh=off")).text
    assert "data-refresh" not in stopped
    assert "http-equiv" not in stopped
    assert '<a href="?state=paused">' in stopped


async def test_five_hundred_campaigns_are_quick(client: httpx.AsyncClient, truedy: Truedy) -> None:
    import time

    truedy.hold(500, status="active")
    await client.get("/truedy/campaigns")
    began = time.perf_counter()
    page = (await client.get("/truedy/campaigns")).text
    assert time.perf_counter() - began < 1
    assert "500 campaigns" in page
    assert len(truedy.asked) == 6
