"""What the tasks of a run returned about their campaigns, from the rows that were read to the people reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_truedy.api.models import BatchCall
from airflow_truedy.api.scrub import scrub
from airflow_truedy.campaigns.plan_format import is_plan
from airflow_truedy.campaigns.status import PENDING, call_status
from airflow_truedy.contacts.contacts_file import KIND as CONTACTS
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.results.manifest import KIND as RESULTS
from airflow_truedy.results.manifest import followed_by
from airflow_truedy.results.outcomes import was_reached
from airflow_truedy.ui.campaign import Campaign
from airflow_truedy.ui.plan_view import PlanView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_truedy.ui.airflow_records import Returned

_LOST = {PENDING: "not called yet", "cancelled": "cancelled", "in_progress": "on the phone now"}


@dataclass(frozen=True)
class Stage:
    """
    One step of the funnel.

    :param label: what is counted.
    :param count: how many are left at it; ``None`` where nobody counted.
    :param lost: why others did not come to the next step, with their number, the most first.
    """

    label: str
    count: int | None
    lost: list[tuple[str, int]]


@dataclass(frozen=True)
class RunFacts:
    """
    What the tasks of a run returned.

    :param manifests: of contacts files, each once.
    :param results: of campaigns, by the id of the batch call.
    :param campaigns: as the tasks saw them last, by id; empty counts where they did not wait.
    :param dry_runs: what tasks would have done.
    :param plans: the plans of campaigns, oldest first.
    """

    manifests: list[Mapping[str, Any]]
    results: dict[str, Mapping[str, Any]]
    campaigns: dict[str, Campaign]
    dry_runs: list[str]
    plans: list[PlanView]

    @classmethod
    def of(cls, returned: Iterable[Returned]) -> RunFacts:
        """Sort the values, oldest first, by what they are; whatever is not ours is passed over."""
        manifests: dict[str, Mapping[str, Any]] = {}
        results: dict[str, Mapping[str, Any]] = {}
        campaigns: dict[str, Campaign] = {}
        dry_runs = []
        plans = []
        for each, value in _mappings(returned):
            if is_plan(value):
                plans.append(PlanView.of(each.task_id, each.map_index, value))
            batch_call_id = value.get("batch_call_id")
            if value.get("kind") == CONTACTS:
                manifests[str(value.get("sha256"))] = value
            elif isinstance(batch_call_id, str) and batch_call_id:
                campaigns[batch_call_id] = Campaign.of(BatchCall.model_validate({**value, "id": batch_call_id}))
                if value.get("kind") == RESULTS:
                    results[batch_call_id] = value
            if value.get("dry_run") is True and isinstance(value.get("would"), str):
                dry_runs.append(scrub(value["would"]))
        return cls(list(manifests.values()), results, campaigns, dry_runs, plans)

    def outcomes(self) -> list[tuple[str, int, bool]]:
        """Return the outcomes of all results: word, people, whether they were reached; the most first."""
        counts = self._by_outcome()
        return [(_word(outcome), count, was_reached(outcome)) for outcome, count in counts.most_common()]

    def cost_credits(self) -> float | None:
        """Return what the calls cost, in Truedy's credits; ``None`` before there are results."""
        costs = [result.get("cost_credits") for result in self.results.values()]
        known = _amounts(costs)
        return round(sum(known), 4) if known else None

    def talked_seconds(self) -> float | None:
        """Return how long the calls took together; ``None`` before there are results."""
        times = [result.get("duration_seconds") for result in self.results.values()]
        known = _amounts(times)
        return sum(known) if known else None

    def funnel(self, campaigns: Iterable[Campaign], follows: Mapping[str, str] | None = None) -> list[Stage]:
        """
        Return the steps from the rows read to the people reached, and then those of the follow-ups in the same run.

        :param campaigns: as Truedy shows them now. The results of those that have ended know more.
        :param follows: of campaigns that call unanswered people of another one again, the id of that one.
        """
        known = {campaign.id: campaign for campaign in campaigns}
        results = {id_: one for id_, one in self.results.items() if id_ not in known or known[id_].is_over}
        live = [one for one in known.values() if one.id not in results]
        here = {*known, *self.campaigns}
        before = {id_: other for id_, other in (follows or {}).items() if other in here}
        lists = [(_round_of(other, before) + 1 if other in here else 0, one) for one, other in self._lists()]
        stages = []
        for number in range(max([0, *(at for at, _ in lists), *(_round_of(id_, before) for id_ in before)]) + 1):
            of_round = replace(
                self,
                manifests=[one for at, one in lists if at == number],
                results={id_: one for id_, one in results.items() if _round_of(id_, before) == number},
            )
            label = f"follow-up {number}: " if number else ""
            steps = of_round._steps([one for one in live if _round_of(one.id, before) == number])
            stages += [replace(stage, label=label + stage.label) for stage in steps]
        return stages

    def _lists(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yield the lists, each with the batch call whose unanswered people it holds, or an empty text."""
        for manifest in self.manifests:
            yield manifest, followed_by(manifest.get("source")) or ""

    def _steps(self, live: list[Campaign]) -> list[Stage]:
        stages = self._of_lists()
        ended = self.results.values()
        if not live and not ended:
            return stages
        taken = sum(_count(result, "contacts") for result in ended) + sum(each.total or 0 for each in live)
        called = sum(_count(result, "called") for result in ended) + sum(each.called or 0 for each in live)
        reached = sum(count for _, count, was in self.outcomes() if was) + sum(each.completed or 0 for each in live)
        if stages and stages[-1].count is not None and stages[-1].count > taken:
            stages[-1].lost.append(("not in a campaign of this run", stages[-1].count - taken))
        waiting = [("not called yet" if any(not one.is_over for one in live) else "not called", taken - called)]
        return [
            *stages,
            Stage("in campaigns", taken, waiting if taken > called else []),
            Stage("called", called, self._not_reached(live)),
            Stage("reached", reached, []),
        ]

    def _of_lists(self) -> list[Stage]:
        if not self.manifests:
            return []
        lost: Counter[str] = Counter()
        for manifest in self.manifests:
            lost[_explained(Reason.DUPLICATE.value)] += _count(manifest, "duplicates")
            lost[_explained(Reason.SUPPRESSED.value)] += _count(manifest, "suppressed")
            for reason, count in _counts(manifest.get("rejected_by_reason")):
                lost[_explained(reason)] += count
        rows = sum(_count(manifest, "rows_read") for manifest in self.manifests)
        contacts = sum(_count(manifest, "contacts") for manifest in self.manifests)
        return [
            Stage("rows read", rows, [(why, count) for why, count in lost.most_common() if count]),
            Stage("contacts", contacts, []),
        ]

    def _not_reached(self, live: Iterable[Campaign]) -> list[tuple[str, int]]:
        lost = Counter({word: count for word, count, was in self.outcomes() if not was and word not in _LOST.values()})
        lost["not reached"] += sum(campaign.failed or 0 for campaign in live)
        return [(why, count) for why, count in lost.most_common() if count]

    def _by_outcome(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for result in self.results.values():
            for outcome, count in _counts(result.get("by_outcome")):
                counts[call_status(outcome)] += count
        return counts


def _round_of(batch_call_id: str, before: Mapping[str, str]) -> int:
    """Return how many campaigns were before this one with the same people; what goes in a circle ends somewhere."""
    number = 0
    while batch_call_id in before and number < len(before):
        batch_call_id, number = before[batch_call_id], number + 1
    return number


def _mappings(returned: Iterable[Returned]) -> Iterator[tuple[Returned, Mapping[str, Any]]]:
    """Yield the objects among the values, and those in lists: a split list has several manifests."""
    for each in returned:
        values = each.value if isinstance(each.value, list) else [each.value]
        yield from ((each, value) for value in values if isinstance(value, Mapping))


def _count(value: Mapping[str, Any], name: str) -> int:
    count = value.get(name)
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def _amounts(values: Iterable[Any]) -> list[float]:
    """Return those that are numbers."""
    numbers = (value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool))
    return [number for number in numbers if isfinite(number)]


def _counts(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        yield from ((str(name), _count(value, name)) for name in value)


def _word(outcome: str) -> str:
    return _LOST.get(outcome) or scrub(outcome.replace("_", " "))


def _explained(reason: str) -> str:
    try:
        # Examples of numbers are in them.
        return scrub(f"{reason}: {Reason(reason).explanation}")
    except ValueError:
        return scrub(reason)
