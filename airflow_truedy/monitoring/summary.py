"""What became of a campaign, as text for people: the same facts in Slack, an e-mail or a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.identity import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_OUTCOMES = 12


def campaign_summary(*facts: Mapping[str, Any]) -> str:
    """
    Return what tasks and events tell of one campaign as a few lines of plain text, without people.

    Counts that are not known are left out; of unknown keys nothing is shown.

    :param facts: what ``CreateBatchCallOperator``, ``BatchCallSensor`` or ``BatchCallResultsOperator`` returned, or the
        payload of a :class:`~airflow_truedy.triggers.batch_call_ended.BatchCallEndedTrigger` event. Of several, each
        adds what the ones before it did not tell.
    :raises ValueError: if they tell of different campaigns, or of none.
    """
    known: dict[str, Any] = {}
    for each in facts:
        known.update({key: value for key, value in each.items() if value is not None and key not in known})
    campaigns = {each["batch_call_id"] for each in facts if each.get("batch_call_id")}
    if len(campaigns) > 1:
        raise ValueError(f"These are facts of different campaigns: {', '.join(sorted(campaigns))}.")
    if known.get("dry_run"):
        return f"Dry run, nothing was started. It would {known.get('would', 'start a campaign')}."
    if not campaigns:
        raise ValueError("These facts name no campaign: batch_call_id is missing.")
    return "\n".join(_lines(known))


def _lines(known: Mapping[str, Any]) -> Iterator[str]:
    name = bare_name(known.get("name"))
    campaign = f"Campaign {name} ({known['batch_call_id']})" if name else f"Campaign {known['batch_call_id']}"
    yield f"{campaign}: {known.get('status') or 'state not known'}"
    if counts := _counts(known):
        yield counts
    by_outcome = known.get("by_outcome")
    if isinstance(by_outcome, Mapping) and by_outcome:
        groups = sorted(by_outcome.items(), key=lambda group: (-int(group[1]), str(group[0])))
        more = f", and {len(groups) - _MOST_OUTCOMES} more" if len(groups) > _MOST_OUTCOMES else ""
        shown = (f"{str(word).replace('_', ' ')} {_number(count)}" for word, count in groups[:_MOST_OUTCOMES])
        yield f"Outcomes: {', '.join(shown)}{more}"
    if known.get("scheduled_at") and known.get("called") is None:
        yield f"Starts {known['scheduled_at']}"
    if known.get("cost_credits"):
        yield f"Cost: {known['cost_credits']:,} credits"
    if known.get("url"):
        yield str(known["url"])


def _counts(known: Mapping[str, Any]) -> str:
    total = known.get("total_contacts", known.get("contacts"))
    parts = [f"{_number(known[key])} {key}" for key in ("completed", "failed", "pending") if _is_count(known.get(key))]
    if _is_count(known.get("called")):
        of_all = f" of {_number(total)}" if _is_count(total) else ""
        parts.insert(0, f"{_number(known['called'])}{of_all} called")
    elif _is_count(total):
        parts.insert(0, f"{_number(total)} contacts")
    return ", ".join(parts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(count: int) -> str:
    return f"{count:,}"
