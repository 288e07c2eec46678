from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _servers_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing: the sandbox's reads do not lag here."""
    monkeypatch.setattr("airflow_truedy.campaigns.steps.Settling.wait", lambda *_: None)
