"""Find the batch calls of a logical campaign on the server, and agree with every other worker on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_truedy.api import endpoints
from airflow_truedy.campaigns.status import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.identity import CampaignKey


@dataclass(frozen=True)
class Matches:
    """
    The batch calls that carry one campaign's tag, oldest first in each group.

    More than one is rare: a server that ignored the idempotency key, or a zombie worker and its successor.

    :param started: such as may call or may have called somebody, and did not end badly.
    :param drafts: such as dial nobody.
    :param ended: failed and cancelled ones.
    """

    started: tuple[BatchCall, ...]
    drafts: tuple[BatchCall, ...]
    ended: tuple[BatchCall, ...]

    @property
    def chosen(self) -> BatchCall | None:
        """The one that everybody who looks agrees on: started before drafts, older before younger."""
        return next(iter(self.started + self.drafts), None)


def find(client: TruedyClient, key: CampaignKey) -> Matches:
    """
    Look through all batch calls of the organisation for those with the campaign's tag.

    Not filtered by agent, although the API can: a campaign whose agent was changed must be found too. One request
    per 100 batch calls.
    """
    return _sorted(b for b in client.pages(endpoints.list_batch_calls()) if key.tag_in(b.name))


def _sorted(batches: Iterable[BatchCall]) -> Matches:
    started: list[BatchCall] = []
    drafts: list[BatchCall] = []
    ended: list[BatchCall] = []
    for batch in sorted(batches, key=_age):
        state = State.of(batch.status)
        group = ended if state.ended_badly else started if state.may_have_called else drafts
        group.append(batch)
    return Matches(tuple(started), tuple(drafts), tuple(ended))


def _age(batch: BatchCall) -> tuple[float, str]:
    # Without a creation time (older answers) the id alone decides; all that matters is that all decide alike.
    return (batch.created_at.timestamp() if batch.created_at else 0.0, batch.id)
