from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.tests.in_process import Api


@pytest.fixture
def make_api() -> Iterator[Callable[..., Api]]:
    made: list[Api] = []

    def make(**options: Any) -> Api:
        made.append(Api(**options))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()
