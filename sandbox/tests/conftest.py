from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from truedy_sandbox.testing import SandboxClient


@pytest.fixture
def make_api() -> Iterator[Callable[..., SandboxClient]]:
    made: list[SandboxClient] = []

    def make(**options: Any) -> SandboxClient:
        made.append(SandboxClient(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def api(make_api: Callable[..., SandboxClient]) -> SandboxClient:
    return make_api()
