"""A headless Chromium, driven over its DevTools protocol: what a person sees, clicks and is shown in the dark."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import pytest
from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Return the browser's program; skip the test without one, or fail it in CI."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        message = f"no browser here ({', '.join(BROWSERS)})"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


class Browser:
    """
    One page in a browser of its own: ``with Browser() as page: page.open(...)``.

    :param width: of the window; ``height`` likewise.
    """

    def __init__(self, *, width: int = 1280, height: int = 800) -> None:
        self._size = {"width": width, "height": height}
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._closing = contextlib.ExitStack()
        self._next_id = 0
        #: What the page logged as an error, such as what its own policy forbids.
        self.errors: list[str] = []

    def __enter__(self) -> Browser:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]
        flags += ["--remote-debugging-port=0", "--no-first-run", f"--user-data-dir={self._profile.name}"]
        size = f"--window-size={self._size['width']},{self._size['height']}"
        self._process = subprocess.Popen(
            [browser_path(), *flags, size, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port_file = Path(self._profile.name) / "DevToolsActivePort"
        self.wait(lambda: port_file.exists() and len(port_file.read_text().splitlines()) == 2, "the browser is up", 60)
        port, path = port_file.read_text().splitlines()
        self._socket: ClientConnection = self._closing.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None)
        )
        self._session: str | None = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")
        self._ask("Emulation.setDeviceMetricsOverride", **self._size, deviceScaleFactor=1, mobile=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self._process.wait(10)
        self._profile.cleanup()

    def sign_in(self, url: str, token: str) -> None:
        """Give the page the cookie of a user who signed in to Airflow."""
        self._ask("Network.setCookie", name="_token", value=token, url=url, httpOnly=True)

    def dark(self, *, airflow_theme: bool = False) -> None:
        """Let the system prefer dark pages, or set the theme of Airflow's UI, on whose page the browser must be."""
        if airflow_theme:
            self.run("localStorage.setItem('theme', 'dark')")
        else:
            feature = {"name": "prefers-color-scheme", "value": "dark"}
            self._ask("Emulation.setEmulatedMedia", features=[feature])

    def open(self, url: str) -> None:
        """Open an address and wait until the page is loaded."""
        self._ask("Page.navigate", url=url)
        self.wait(lambda: self.run("document.readyState") == "complete" and self.run("location.href") != "about:blank")

    def run(self, script: str) -> Any:
        """Return the value of an expression on the page."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self) -> str:
        """Return the text that a person sees."""
        return str(self.run("document.body.innerText"))

    def press(self, key: str) -> None:
        """Press a key, such as ``Tab`` or ``Enter``."""
        text = {"Enter": "\r"}.get(key, "")
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, text=text)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def wait(self, condition: Callable[[], Any], what: str = "the page is ready", seconds: float = 30) -> Any:
        """Return the first true value of a condition."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                if found := condition():
                    return found
            except RuntimeError:
                pass  # It asked a page that was just being left.
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {what}")

    def screenshot(self, path: Path, *, height: int | None = None) -> None:
        """Write what is seen as a PNG."""
        if height:
            self._ask(
                "Emulation.setDeviceMetricsOverride",
                **{**self._size, "height": height},
                deviceScaleFactor=1,
                mobile=False,
            )
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._next_id += 1
        message = {"id": self._next_id, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(60))
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.errors.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self._next_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
