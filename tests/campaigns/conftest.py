from __future__ import annotations

import pytest

from tests.support.ground import ground, make_ground

__all__ = ["ground", "make_ground"]


@pytest.fixture(autouse=True)
def _no_real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that are given no sleep of their own wait for nothing."""
    monkeypatch.setattr("airflow_truedy.campaigns.steps.time.sleep", lambda _: None)
