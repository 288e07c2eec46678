from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from airflow_truedy.api.models import CallRequest
from airflow_truedy.campaigns.on_call import OnCallRing, Ring
from tests.support.ground import Ground, Send
from tests.support.plans import AGENT
from tests.support.stores import Memory

NUMBER = "+12125550100"
HALF_AN_HOUR = timedelta(minutes=30)


class ReadOnly:
    """What a ``SyncCallback`` sees of Airflow's variables: nothing may be written."""

    def get(self) -> None:
        return None

    def set(self, value: dict[str, Any]) -> None:
        raise RuntimeError("not allowed here")


def ring(
    ground: Ground,
    register: Any,
    *,
    every: timedelta = HALF_AN_HOUR,
    sleep: Callable[[float], Any] | None = None,
    **fields: Any,
) -> Ring:
    request = CallRequest.checked(**{"agent_id": AGENT, "phone_number": NUMBER, **fields})
    return OnCallRing(
        ground.client, request, register, every=every, sleep=sleep or ground.advance, now=ground.now
    ).ring()


def rings(ground: Ground) -> int:
    return len(ground.app.state.world.single_calls)


def test_the_person_is_rung_and_then_left_in_peace_for_a_while(ground: Ground) -> None:
    register = Memory()
    first = ring(ground, register, variables={"dag_id": "one"})
    assert (first.told, rings(ground)) == ("rung", 1)
    assert first.call_id
    for _ in range(5):
        ground.advance(300)
        again = ring(ground, register, variables={"dag_id": "another"})
        assert (again.call_id, rings(ground)) == (None, 1)
    assert "this person was rung at 2026-" in again.told
    ground.advance(15 * 60)
    assert ring(ground, register).call_id
    assert rings(ground) == 2


@pytest.mark.parametrize("register", [Memory, ReadOnly])
def test_without_the_register_the_servers_list_tells(ground: Ground, register: Any) -> None:
    """As from another Airflow, or after somebody deleted the variable."""
    first = ring(ground, register())
    ground.advance(60)
    again = ring(ground, register())
    assert (again.call_id, rings(ground)) == (None, 1)
    assert f"call {first.call_id} of this agent to this person" in again.told


def test_a_ring_found_on_the_server_counts_from_its_own_time(ground: Ground) -> None:
    register = Memory()
    ring(ground, Memory())
    ground.advance(20 * 60)
    assert ring(ground, register).call_id is None
    ground.advance(16 * 60)
    assert ring(ground, register).call_id, "36 minutes after the ring, 16 after the last wish"


def test_the_register_tells_where_the_servers_list_lags(ground: Ground) -> None:
    register = Memory()
    ring(ground, register)
    ground.app.state.world.single_calls.clear()
    assert ring(ground, register).call_id is None


@pytest.mark.parametrize("processes", [2, 5])
def test_of_processes_that_ask_at_once_one_rings(ground: Ground, processes: int) -> None:
    register, lock = Memory(), threading.Lock()
    all_read, all_wrote = threading.Barrier(processes), threading.Barrier(processes)
    done: list[Ring] = []

    class Shared:
        """Everybody has read before anybody writes, and everybody has written before anybody reads again."""

        def __init__(self) -> None:
            self.is_first = True

        def get(self) -> Any:
            kept = register.get()
            if self.is_first:
                self.is_first = False
                all_read.wait(10)
            return kept

        def set(self, value: dict[str, Any]) -> None:
            with lock:
                register.set(value)

    def ask() -> None:
        done.append(ring(ground, Shared(), sleep=lambda _: all_wrote.wait(10)))

    threads = [threading.Thread(target=ask) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert rings(ground) == 1
    assert [bool(each.call_id) for each in done].count(True) == 1
    assert len(done) == processes


def test_a_ring_whose_answer_is_lost_is_never_sent_again(ground: Ground) -> None:
    ground.fault("lost_answer", "POST", "/calls", times=9)
    register = Memory()
    ring(ground, register)
    ring(ground, register)
    assert ground.requests.count("POST /calls") == 1


def test_where_the_server_cannot_say_whether_it_rang_the_person_is_left_in_peace(ground: Ground) -> None:
    def drop(_: httpx.Request, __: Send) -> httpx.Response:
        raise httpx.ReadError("broken")

    ground.alter("POST", "/calls", drop)
    register = Memory()
    unclear = ring(ground, register)
    assert (unclear.call_id, rings(ground)) == (None, 0)
    assert "it cannot be told whether the phone rang" in unclear.told
    ground.heal()
    assert ring(ground, register).call_id is None
    ground.advance(31 * 60)
    assert ring(ground, register).call_id


@pytest.mark.parametrize("path", ["/calls"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_ring_does_not_keep_the_next_one_away(ground: Ground, method: str, path: str) -> None:
    refusal = httpx.Response(402, json={"error": {"code": "payment_required", "message": "no credits"}})
    ground.alter(method, path, lambda _, __: refusal)
    register = Memory()
    refused = ring(ground, register)
    assert (refused.call_id, rings(ground)) == (None, 0)
    assert "PaymentRequiredError" in refused.told
    ground.heal()
    assert ring(ground, register).call_id


def test_another_person_is_rung_at_once(ground: Ground) -> None:
    ring(ground, Memory())
    assert ring(ground, Memory(), phone_number="+12125550101").call_id


@pytest.mark.parametrize("text", ["[]", '{"at": 3}', '{"at": "soon"}', "{}"])
def test_a_register_that_somebody_broke_keeps_nobody_away(ground: Ground, text: str) -> None:
    assert ring(ground, Memory(text)).call_id


def test_nothing_of_the_number_is_kept_or_told(ground: Ground) -> None:
    register = Memory()
    told = [ring(ground, register), ring(ground, register), ring(ground, Memory())]
    for text in (register.text, *(each.told for each in told)):
        assert NUMBER[1:] not in str(text)
