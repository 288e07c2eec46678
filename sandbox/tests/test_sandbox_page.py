"""The page, as a real browser shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser

import httpx
import pytest
from truedy_sandbox.process import SandboxProcess
from truedy_sandbox.routes.page import _html
from truedy_sandbox.testing import AGENT, MONDAY, people

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        message = f"no browser here ({', '.join(BROWSERS)}): the sandbox's page is not checked"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


class VisibleText(HTMLParser):
    """Collects what a person sees: no scripts, no templates, nothing hidden."""

    _VOID = {"meta", "link", "input", "br", "hr", "img"}
    _SILENT = {"script", "style", "template", "head", "option"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[bool] = []
        self._parts: list[str] = []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self._parts))

    def handle_starttag(self, tag, attrs):
        if tag not in self._VOID:
            self._open.append(tag in self._SILENT or "hidden" in dict(attrs))

    def handle_endtag(self, tag):
        if tag not in self._VOID:
            self._open.pop()

    def handle_data(self, data):
        if not any(self._open):
            self._parts.append(data)


def shown(browser: str, url: str) -> str:
    """Return the text that a person would see after the page's scripts ran."""
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]
        command = [browser, *flags, f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--dump-dom", url]
        page = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    return VisibleText(page).text


def test_the_page_needs_nothing_from_elsewhere():
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|@import|url\(""", _html())


def test_a_browser_shows_campaigns_their_settings_and_contacts(browser):
    with SandboxProcess(rate_limit=0, speed=0, start=MONDAY, live_state="running") as sandbox:
        client = httpx.Client(
            base_url=sandbox.base_url + "/", headers={"Authorization": f"Bearer {sandbox.api_key}"}, trust_env=False
        )
        assert "No batch call yet" in shown(browser, sandbox.url)
        hours = {"start_time": "09:00", "end_time": "17:30", "working_days": [1, 3], "max_calls_per_day": 1500}
        body = {
            "name": "Wave <i>1</i> & more",
            "agent_id": AGENT,
            "contacts": people(60),
            "timezone": "America/New_York",
            **hours,
        }
        batch = client.post("batch-calls", json=body).json()["data"]["id"]
        client.post("batch-calls", json={"name": "Second", "agent_id": AGENT})
        client.post(f"batch-calls/{batch}/schedule", json={})
        sandbox.advance(600)
        counts = client.get(f"batch-calls/{batch}").json()["data"]
        text = shown(browser, f"{sandbox.url}/#{batch}")
        for expected in (
            "Wave <i>1</i> & more running",
            "Second draft",
            f"{counts['completed']} completed",
            f"{counts['failed']} not reached",
            "5 on the phone",
            f"{counts['called']} of 60",
            "America/New_York",
            "09:00 \u2013 17:30",
            "Mon, Wed",
            "at most 1,500",
            "1 Jun 2026, 13:10 UTC",
            "1\u201325 of 60",
            "+12125550100 P0",
            "1 Jun 2026, 09:00 call_",
            "not the default: speed: 0",
        ):
            assert expected in text, f"{expected!r} not in: {text}"
        for hidden in ("Trying again", "No batch call yet", "Newer", "Show contacts Hide"):
            assert hidden not in text
        sandbox.advance(86400)
        assert "Wave <i>1</i> & more completed" in shown(browser, sandbox.url)
        client.close()
