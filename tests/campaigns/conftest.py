from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.ground import Ground


@pytest.fixture(autouse=True)
def _no_real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that are given no sleep of their own wait for nothing."""
    monkeypatch.setattr("airflow_truedy.campaigns.settling.time.sleep", lambda _: None)


@pytest.fixture
def make_ground() -> Iterator[Callable[..., Ground]]:
    """Make sandboxes with settings of their own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Ground(**settings))


@pytest.fixture
def ground(make_ground: Callable[..., Any]) -> Ground:
    """A sandbox as documented."""
    made: Ground = make_ground()
    return made
