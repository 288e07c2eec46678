"""The share of the rate limit that the pages keep to, whatever the number of viewers and processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.ui.budget import REQUESTS_PER_MINUTE, Budget


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(pauses=st.lists(st.floats(0, 90), min_size=1, max_size=60), processes=st.integers(1, 12))
def test_no_minute_holds_more_than_the_share(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[float], processes: int
) -> None:
    clock = Clock()
    folder = tmp_path_factory.mktemp("budget")
    budgets = [Budget("a", folder, clock) for _ in range(processes)]
    sent = []
    for number, pause in enumerate(pauses):
        clock.now += pause
        sent.append(clock.now + budgets[number % processes].reserve())
    for begin in sent:
        assert sum(begin <= at < begin + 60 for at in sent) <= REQUESTS_PER_MINUTE


def test_several_go_at_once_after_a_pause(tmp_path: Path) -> None:
    budget = Budget("a", tmp_path, Clock())
    waits = [budget.reserve() for _ in range(8)]
    assert waits == [0.0] * 6 + [61.0] * 2
    assert Budget("another", tmp_path, Clock()).reserve() == 0.0


def _reserve(folder: Path, count: int) -> list[float]:
    return [time.time() + Budget("a", folder).reserve() for _ in range(count)]


def test_real_processes_at_the_same_time_keep_to_it_together(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_reserve, [(tmp_path, 5)] * 4)
    slots = sorted(slot for each in found for slot in each)
    assert len(slots) == 20
    for begin in slots:
        assert sum(begin <= slot < begin + 60 for slot in slots) <= REQUESTS_PER_MINUTE


@pytest.mark.parametrize("text", [b"[1000.0, 10", b"soon", b"{}", b"[null]", b"\xff"])
def test_after_a_process_that_ended_while_it_wrote_a_minute_passes(tmp_path: Path, text: bytes) -> None:
    budget = Budget("a", tmp_path, Clock())
    budget.reserve()
    (file,) = tmp_path.iterdir()
    file.write_bytes(text)
    assert budget.reserve() == (61.0 if text != b"{}" else 0.0)


@pytest.mark.parametrize("hours", [0.5, 2, 200])
def test_a_clock_that_was_set_back_stops_nothing_for_long(tmp_path: Path, hours: float) -> None:
    clock = Clock()
    clock.now = 1e3 + hours * 3600
    for _ in range(REQUESTS_PER_MINUTE):
        Budget("a", tmp_path, clock).reserve()
    clock.now = 1e3
    assert Budget("a", tmp_path, clock).reserve() == 61.0


def test_without_its_file_no_request_gets_a_moment(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Budget("a", tmp_path / "gone").reserve()
    target = tmp_path / "target"
    target.touch()
    (tmp_path / f"truedy-pages-{os.getuid()}-a").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        Budget("a", tmp_path).reserve()


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    Budget("a", tmp_path).reserve()
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
