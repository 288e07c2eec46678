"""
A split list whose run is cleared again and again: rows come, go and change parts, launches of parts fail or die.

Nobody is in two started campaigns of the run, whatever the parts' map indexes are, with and without a store.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import httpx
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_truedy.api.errors import TruedyError
from airflow_truedy.campaigns.errors import CampaignError
from airflow_truedy.campaigns.identity import CampaignKey, default_key
from airflow_truedy.campaigns.plan import plan_campaign
from airflow_truedy.campaigns.timing import Timing
from airflow_truedy.contacts.contacts_file import Manifest
from airflow_truedy.contacts.errors import ContactsError
from airflow_truedy.contacts.launched import Claim
from airflow_truedy.contacts.lists import ContactList
from tests.contacts.prepared import prepared_split
from tests.support.ground import Ground, Rule, Send, refused
from tests.support.plans import AGENT, START, WINDOW
from tests.support.stores import Memory

MADE_BY = {"dag_id": "dag", "run_id": "run", "task_id": "extract", "map_index": -1, "try_number": 1}
ZONES = ("Etc/GMT+5", "Etc/GMT+6", "Etc/GMT+7", "Etc/GMT+8")
PEOPLE = st.integers(0, 4)
FAULTS = ("lost_answer", "drop", "error_500", "error_500_after")
REFUSALS = (402, 403, 409, 422)
STEPS = ("batch-calls$", "schedule$", "contacts$")


def number(person: int) -> str:
    return f"+12125550{person:03d}"


def refused_create(made: str, status: int) -> Rule:
    """Refuse a create: before any work, although it was made, or although an earlier one was."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request, send: Send) -> httpx.Response:
        seen.append(request)
        if made == "yes" or (made == "before" and len(seen) == 1):
            send()
        if made == "before" and len(seen) == 1:
            raise httpx.ReadError("lost", request=request)
        return refused(status)(request, send)

    return answer


class ClearedRuns(RuleBasedStateMachine):
    @initialize(with_store=st.booleans(), rows=st.dictionaries(PEOPLE, st.sampled_from(ZONES), min_size=2))
    def open(self, with_store: bool, rows: dict[int, str]) -> None:
        self.ground = Ground().__enter__()
        self.folder = tempfile.TemporaryDirectory()
        self.rows, self.with_store = rows, with_store
        self.stores: dict[int, Memory] = {}
        self.opened: list[tuple[int, ContactList]] = []
        self.manifests: list[Manifest] = []
        self.rows_change_and_the_run_is_cleared({})

    def teardown(self) -> None:
        if hasattr(self, "ground"):
            self.ground.__exit__()
            self.folder.cleanup()

    @rule(changes=st.dictionaries(PEOPLE, st.none() | st.sampled_from(ZONES), max_size=3))
    def rows_change_and_the_run_is_cleared(self, changes: dict[int, str | None]) -> None:
        for person, zone in changes.items():
            # Put at the end, so that the rows come in another order as well.
            self.rows.pop(person, None)
            if zone is not None:
                self.rows[person] = zone
        rows = [{"phone_number": number(person), "zone": zone} for person, zone in self.rows.items()]
        to = Path(self.folder.name) / "contacts.jsonl.gz"
        made = prepared_split(rows, to, region=None, split_by="zone", made_by=MADE_BY)
        assert sum(manifest.rows_read for manifest in made) == len(rows)
        self.manifests = [manifest for manifest in made if manifest.contacts]

    @precondition(lambda self: self.manifests)
    @rule(at=st.integers(0, 3))
    def a_zombie_opens_its_list(self, at: int) -> None:
        at %= len(self.manifests)
        self.opened.append((at, ContactList.from_manifest(self.manifests[at])))

    @precondition(lambda self: self.opened)
    @rule()
    def a_zombie_launches(self) -> None:
        self.launch(*self.opened.pop(0))

    @precondition(lambda self: self.manifests)
    @rule(at=st.integers(0, 3), fault=st.sampled_from(FAULTS), step=st.sampled_from(STEPS), times=st.integers(1, 9))
    def a_part_fails(self, at: int, fault: str, step: str, times: int) -> None:
        self.ground.fault(fault, "POST", step, times=times)
        self.a_part_is_launched(at)
        self.ground.heal()

    @precondition(lambda self: self.manifests)
    @rule(at=st.integers(0, 3), made=st.sampled_from(["no", "yes", "before"]), status=st.sampled_from(REFUSALS))
    def a_create_is_refused(self, at: int, made: str, status: int) -> None:
        """Maybe behind one whose answer was lost, or by a gateway that sent it twice."""
        self.ground.alter("POST", "/batch-calls", refused_create(made, status))
        self.a_part_is_launched(at)
        self.ground.heal()

    @precondition(lambda self: self.manifests)
    @rule(at=st.integers(0, 3))
    def a_part_is_launched(self, at: int) -> None:
        at %= len(self.manifests)
        self.launch(at, ContactList.from_manifest(self.manifests[at]))

    def launch(self, map_index: int, contacts: ContactList) -> None:
        try:
            plan = plan_campaign(
                key=CampaignKey(default_key("dag", "call", "run", contacts.manifest.part)),
                # Zone and window are the part's own, so the same people in two parts are two payloads.
                name=f"Renewals {contacts.manifest.split}",
                fields={"agent_id": AGENT},
                contacts=contacts,
                timing=Timing(START, **WINDOW),
                chunk_size=2,
            )
            store = self.stores.setdefault(map_index, Memory()) if self.with_store else None
            self.ground.run(plan, store, claim=Claim(plan.contacts))
        except (CampaignError, ContactsError, TruedyError):
            pass

    @invariant()
    def nobody_is_in_two_started_campaigns(self) -> None:
        if hasattr(self, "ground"):
            started = [batch for batch in self.ground.batches if batch.status != "draft"]
            people = Counter(number for batch in started for number in self.ground.numbers(batch))
            assert max(people.values(), default=0) <= 1, people


TestClearedRuns = ClearedRuns.TestCase
TestClearedRuns.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
