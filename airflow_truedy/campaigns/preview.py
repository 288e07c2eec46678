"""
The plan of a campaign: who will be called, when, for how long and at what price, before anybody is called.

One object for a dry run, an approval and the pages in Airflow: plain JSON of less than 8 KB, and nothing of a person.
It is made from the :class:`~airflow_truedy.campaigns.plan.CampaignPlan` of each batch call, which is what the launch
itself goes by.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from airflow_truedy.api.scrub import scrub
from airflow_truedy.campaigns.errors import TooManyPartsError
from airflow_truedy.campaigns.forecast import LONGEST_DAYS, Assumptions, Forecast, forecast
from airflow_truedy.campaigns.plan_format import KIND, VERSION, shown
from airflow_truedy.campaigns.terms import terms_of
from airflow_truedy.campaigns.timing import zone_of
from airflow_truedy.contacts.reasons import Reason
from airflow_truedy.formats import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_truedy.campaigns.plan import CampaignPlan
    from airflow_truedy.contacts.contacts_file import Manifest

#: Bytes of the plan as JSON.
LARGEST_PLAN = 8_000
_LABEL, _SHORT_LABEL = 40, 16
_DAYS_SHOWN = 14
_FEWER_DAYS = 3
_REASONS_SHOWN = 8
_SHRUNK_FROM = Decimal("0.2")
_REFUSED_FROM = Decimal("0.1")
_NAMED_IN_WARNING = 6


@dataclass(frozen=True)
class Rate:
    """
    What calls cost.

    :param amount: price of one call, or of one minute.
    :param per: which of them.
    :param currency: of the amount, for people to read. Default: USD.
    """

    amount: Decimal
    per: Literal["call", "minute"]
    currency: str = "USD"

    def of(self, calls: int, assumptions: Assumptions) -> str:
        """Return the price of calls, in full and with cents at least."""
        price = self.amount * calls * (assumptions.average_minutes if self.per == "minute" else 1)
        exact = price.normalize()
        return f"{exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"{exact:f}"


@dataclass(frozen=True)
class PlannedPart:
    """
    One batch call of a campaign.

    :param plan: what the launch would be given.
    :param starts_at: the instant from which on it may call.
    """

    plan: CampaignPlan
    starts_at: datetime

    @property
    def manifest(self) -> Manifest | None:
        """Of its contacts, where they come from a contacts file."""
        return self.plan.contacts.manifest if self.plan.contacts else None

    @property
    def label(self) -> str:
        """What tells it from the other parts: its value of a split list, else its zone."""
        split = self.manifest.split if self.manifest else None
        return shown(scrub(str((split or {}).get("value") or self.plan.timezone)), _LABEL)

    def forecast(self, assumptions: Assumptions) -> Forecast:
        """Estimate its days; none where only the server knows how many people there are."""
        plan = self.plan
        cap = plan.fields.get("max_calls_per_day")
        return forecast(plan.hours, self.starts_at, plan.expected_contacts or 0, cap, assumptions)


def planned(plan: CampaignPlan, now: datetime) -> PlannedPart:
    """
    Return a part as it would be launched at an instant.

    :raises TimingError: what the launch itself would raise then.
    """
    at = plan.start_step(now).at if plan.start else plan.moment
    return PlannedPart(plan, at or now)


def preview(
    parts: Sequence[PlannedPart],
    now: datetime,
    *,
    assumptions: Assumptions | None = None,
    rate: Rate | None = None,
    previous: Sequence[Manifest] = (),
    made_in_try: int = 1,
) -> dict[str, Any]:
    """
    Return the plan of a campaign.

    :param parts: its batch calls.
    :param now: when the plan is made.
    :param assumptions: what to assume of the calls.
    :param rate: what they cost. Default: the plan tells no price.
    :param previous: manifests of an earlier list, to compare with.
    :param made_in_try: which try of its task makes it; there may be an earlier plan in this run unless it is the first.
    :raises TooManyPartsError: the plan would be too large.
    """
    assumed = assumptions or Assumptions()
    forecasts = [part.forecast(assumed) for part in parts]
    counts = [part.plan.expected_contacts for part in parts]
    people = None if None in counts else sum(count or 0 for count in counts)
    plan = {
        "kind": KIND,
        "version": VERSION,
        "made_at": utc_text(now, fraction=True),
        "made_in_try": made_in_try,
        "name": shown(scrub(parts[0].plan.name)),
        "people": people,
        "list": _list([part.manifest for part in parts]),
        "duration": _duration(forecasts),
        "assumptions": {
            "average_minutes": str(assumed.average_minutes),
            "concurrency": assumed.concurrency,
            "retry_attempts": assumed.retry_attempts,
        },
        "cost": _cost(rate, people, assumed),
        "ceilings": _ceilings([part.plan for part in parts], people, assumed),
        "warnings": [*_warnings(parts, forecasts), *_of_the_list(parts, people, previous)],
    }
    return _fitting(plan, [_part(part, days) for part, days in zip(parts, forecasts, strict=True)])


def _part(part: PlannedPart, expected: Forecast) -> dict[str, Any]:
    days, zone = expected.days, part.plan.timezone
    first, last = (days[0].first, days[-1].last) if days else (part.starts_at, None)
    return {
        "part": part.label,
        "people": part.plan.expected_contacts,
        **terms_of(part.plan),
        "first_call": _both(first, zone),
        "last_call": _both(last, zone),
        "calling_days": len(days),
        "days": [[str(day.day), day.calls, f"{day.first.astimezone(zone_of(zone)):%H:%M}"] for day in days],
    }


def _both(instant: datetime | None, zone: str) -> dict[str, str] | None:
    if instant is None:
        return None
    return {"local": f"{instant.astimezone(zone_of(zone)):%a %Y-%m-%d %H:%M %Z}", "utc": utc_text(instant)}


def _fitting(plan: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the parts into the plan, with as much of each as there is room for; the largest parts in full."""
    for part in parts:
        del part["days"][_DAYS_SHOWN:]
    whole = {**plan, "parts": parts}
    if _size(whole) > LARGEST_PLAN:
        for part in parts:
            del part["days"][_FEWER_DAYS:]
    brief = {"part", "people", "digest", "seal"}
    for part in sorted(parts, key=lambda each: each["people"] or 0):
        if _size(whole) <= LARGEST_PLAN:
            return whole
        for name in set(part) - brief:
            del part[name]
        part["part"] = shown(part["part"], _SHORT_LABEL)
    if _size(whole) > LARGEST_PLAN:
        raise TooManyPartsError(
            f"A plan of {len(parts)} batch calls is larger than {LARGEST_PLAN:,} bytes, and no person reads it. "
            "Split the list into fewer parts (max_splits), or plan them in several tasks."
        )
    return whole


def _size(plan: Mapping[str, Any]) -> int:
    return len(json.dumps(plan).encode())


def _list(manifests: Sequence[Manifest | None]) -> dict[str, Any] | None:
    """Tell what became of the rows, in words; ``None`` where contacts were not made from rows."""
    known = [each for each in manifests if each is not None]
    if len(known) < len(manifests):
        return None
    why: Counter[str] = Counter()
    for manifest in known:
        why.update(manifest.rejected_by_reason)
    told = [[_in_words(code), count] for code, count in why.most_common(_REASONS_SHOWN)]
    others = sum(count for _, count in why.most_common()[_REASONS_SHOWN:])
    return {
        "rows_read": sum(one.rows_read for one in known),
        "contacts": sum(one.contacts for one in known),
        "duplicates": sum(one.duplicates for one in known),
        "suppressed": sum(one.suppressed for one in known),
        "rejected": sum(one.rejected for one in known),
        "why_rejected": [*told, *([["other reasons", others]] if others else [])],
        "made_at": min(one.created_at for one in known),
    }


def _in_words(code: str) -> str:
    try:
        return Reason(code).explanation
    except ValueError:
        return shown(code)


def _duration(forecasts: Sequence[Forecast]) -> dict[str, Any]:
    days = [day for each in forecasts for day in each.days]
    return {
        "calls": sum(day.calls for day in days),
        "days": len({day.day for day in days}),
        "first_call": utc_text(min(day.first for day in days)) if days else None,
        "last_call": utc_text(max(day.last for day in days)) if days else None,
    }


def _cost(rate: Rate | None, people: int | None, assumed: Assumptions) -> dict[str, Any] | None:
    if rate is None:
        return None
    most = None if people is None else people * (1 + assumed.retry_attempts)
    return {
        "expected": None if people is None else rate.of(people, assumed),
        "at_most": None if most is None else rate.of(most, assumed),
        "currency": shown(rate.currency, 12),
        "rate": f"{rate.amount:f}",
        "per": rate.per,
    }


def _ceilings(plans: Sequence[CampaignPlan], people: int | None, assumed: Assumptions) -> dict[str, Any]:
    caps = [plan.fields.get("max_calls_per_day") for plan in plans]
    return {
        "calls": None if people is None else people * (1 + assumed.retry_attempts),
        "calls_per_day": None if None in caps else sum(cap or 0 for cap in caps),
        "calls_at_once": assumed.concurrency * len(plans),
        "refused_by_truedy": sum(plan.may_refuse for plan in plans),
    }


def _warnings(parts: Sequence[PlannedPart], forecasts: Sequence[Forecast]) -> Iterator[str]:
    """Tell what a person should look at twice, each with the batch calls that it is about."""
    both = list(zip(parts, forecasts, strict=True))
    firsts = [(part, _first_day(part, expected)) for part, expected in both]
    if weekend := [f"{part.label} ({day:%a} {day})" for part, day in firsts if day.isoweekday() > 5]:
        yield f"Starts on a weekend: {_some(weekend)}."
    spans = [(part, _blocked_days(part, expected)) for part, expected in both]
    if blocked := [f"{part.label} ({_some(days)})" for part, days in spans if days]:
        yield f"Spans days on which nobody may be called, so something has to hold it on them: {_some(blocked)}."
    if unknown := [part.label for part in parts if part.plan.expected_contacts is None]:
        yield f"How many people there are is known to Truedy only (a folder): {_some(unknown)}."
    if unfinished := [f"{part.label} ({expected.left:,} people)" for part, expected in both if expected.left]:
        yield f"Not called within {LONGEST_DAYS} days, or before the calling hours end: {_some(unfinished)}."
    if drafts := [part.label for part in parts if not part.plan.start]:
        yield f"Leaves drafts, which call nobody until somebody schedules them: {_some(drafts)}."


def _first_day(part: PlannedPart, expected: Forecast) -> date:
    return expected.days[0].day if expected.days else part.starts_at.astimezone(zone_of(part.plan.timezone)).date()


def _blocked_days(part: PlannedPart, expected: Forecast) -> list[str]:
    """Return the days between the first and the last call on which its people may not be called."""
    people, days = part.plan.hours.people, part.plan.window.days
    if people is None or not expected.days:
        return []
    first, last = expected.days[0].day, expected.days[-1].day
    between = [day for day in people.blocked if str(first) <= day <= str(last)]
    return [day for day in between if not days or date.fromisoformat(day).isoweekday() in days]


def _of_the_list(parts: Sequence[PlannedPart], people: int | None, previous: Sequence[Manifest]) -> Iterator[str]:
    manifests = [part.manifest for part in parts if part.manifest]
    read, rejected = sum(one.rows_read for one in manifests), sum(one.rejected for one in manifests)
    if rejected > _REFUSED_FROM * read:
        yield f"{rejected:,} of {read:,} rows were refused ({_percent(rejected, read)})."
    before = sum(one.contacts for one in previous)
    if people is not None and before and before - people >= _SHRUNK_FROM * before:
        yield (
            f"The list shrank by {_percent(before - people, before)}: {before:,} people in the earlier list, "
            f"{people:,} in this one."
        )


def _percent(part: int, whole: int) -> str:
    return f"{Decimal(100 * part) / whole:.0f} %"


def _some(texts: Iterable[str]) -> str:
    named = list(texts)
    rest = len(named) - _NAMED_IN_WARNING
    return ", ".join(named[:_NAMED_IN_WARNING]) + (f" and {rest} more" if rest > 0 else "")
