"""A campaign as it was asked for: checked, with one instant to start at, before any request is made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_truedy.campaigns.bound_hours import BoundHours, hours_of
from airflow_truedy.campaigns.errors import (
    EverybodyLaunchedSkip,
    PastStartError,
    PastStartSkip,
    TimingError,
    WindowClosedError,
    invalid,
)
from airflow_truedy.campaigns.identity import CampaignKey, digest
from airflow_truedy.campaigns.timing import CallingWindow, StartStep, Timing, in_words, zone_of
from airflow_truedy.formats import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_truedy.api.models import BatchCallRequest
    from airflow_truedy.campaigns.approval import Approval
    from airflow_truedy.contacts.lists import ContactList

OnPast = Literal["fail", "start_now", "skip"]
OnChange = Literal["fail", "rebuild"]
OnRetry = Literal["attach", "new"]
OnDuplicate = Literal["fail", "warn", "allow"]


@dataclass(frozen=True)
class Policy:
    """
    What the author of a campaign wishes where it cannot go as planned.

    :param on_past: what a start in the past means.
    :param on_change: what another payload than an earlier attempt's means while the campaign is a draft.
    :param on_retry: whether one that ended badly is made again.
    :param on_duplicate: what the same payload under another key means.
    :param max_rejected: how many contacts the server may refuse: a whole number, or a share of all as a float.
    :param max_contacts_age: seconds that the contacts file may be old at the start; ``None`` for any age.
    :param held_on_blocked_days: whether something holds it on days on which nobody of its list may be called.
    """

    on_past: OnPast = "fail"
    on_change: OnChange = "fail"
    on_retry: OnRetry = "attach"
    on_duplicate: OnDuplicate = "fail"
    max_rejected: float = 0
    max_contacts_age: float | None = None
    held_on_blocked_days: bool = False


@dataclass(frozen=True)
class CampaignPlan:
    """
    What is to exist on the server once, and the choices of the person who asked for it.

    Made by :func:`plan_campaign`.

    :param fields: API fields that go over the wire as they are; without name, contacts and start.
    :param moment: the instant to start at; ``None`` means as soon as the task runs.
    :param request: the create request with the first contacts, checked once; without the tag in its name.
    :param hours: when it may call: its window, and the hours of its people where they are known.
    :param contacts_until: the last moment at which it may start with this list; ``None`` for any.
    :param approval: a person's yes, without which nothing may start where one is asked for; ``None`` where none is.
    :param run: Dag and run of a key that nobody stated: campaigns of one run are approved together.
    """

    key: CampaignKey
    name: str
    fields: Mapping[str, Any] = field(repr=False)
    contacts: ContactList | None
    moment: datetime | None
    start: bool
    policy: Policy
    chunk_size: int
    request: BatchCallRequest = field(repr=False)
    hours: BoundHours
    contacts_until: datetime | None
    approval: Approval | None = None
    run: tuple[str, str] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that makes this the same campaign on a retry."""
        body = {**self.request.body(), "contacts": self.contacts and self.contacts.fingerprint}
        return digest(json.dumps(body, sort_keys=True))

    @property
    def window(self) -> CallingWindow:
        """The daily calling window and working days."""
        return self.hours.window

    @property
    def timezone(self) -> str:
        """The campaign's IANA zone."""
        return str(self.fields["timezone"])

    @property
    def tagged_name(self) -> str:
        """The name with the tag by which the batch call is found again."""
        return self.key.tagged(self.name, self.fingerprint)

    @property
    def expected_contacts(self) -> int | None:
        """How many contacts the batch call must hold; ``None`` where only the server knows (a folder's)."""
        if self.fields.get("contact_folder_id"):
            return None
        return (self.contacts.count if self.contacts else 0) + len(self.fields.get("contact_ids") or ())

    @property
    def may_refuse(self) -> int:
        """How many contacts the server may refuse."""
        limit = self.policy.max_rejected
        if isinstance(limit, float):
            # Decimal, because 0.29 * 100 is a little less than 29 in binary.
            return int(Decimal(str(limit)) * (self.expected_contacts or 0))
        return int(limit)

    def start_step(self, now: datetime) -> StartStep:
        """
        Return the step that starts this campaign, as it may be taken now.

        :raises PastStartError: if the moment has passed; :class:`PastStartSkip` with ``on_past="skip"``.
        :raises TimingError: if an immediate start falls outside the stated window or days; see :meth:`check_start`.
        :raises NotApprovedError: if it needs an approval that is too old, or was for a start that has passed.
        """
        has_passed = self.moment is not None and self.moment <= now
        if self.moment is not None and has_passed and self.policy.on_past != "start_now":
            raise (PastStartSkip if self.policy.on_past == "skip" else PastStartError)(
                f"The start of campaign {self.name!r}, {in_words(self.moment, self.timezone)}, has passed. "
                "Nothing was started. on_past='start_now' starts late, 'skip' skips the task."
            )
        if self.approval is not None:
            self.approval.check(now, self.moment)
        expires = self.approval.expires if self.approval else None
        if self.moment is not None and not has_passed:
            return StartStep(self.moment, self.timezone, not_after=min(self.moment, expires or self.moment))
        if not self.window.is_open(now):
            raise TimingError(
                f"Campaign {self.name!r} would start at {in_words(now, self.timezone)}, outside its calling window "
                f"({self.window}). Nothing was started: whether the server waits for the window is not known. "
                f"Give scheduled_at, such as '{self._on_its_clock(self.hours.next_opening(now)):%Y-%m-%dT%H:%M}'."
            )
        self.check_start(now)
        limits = [limit for limit in (self.window.closing(now), self.contacts_until, expires) if limit is not None]
        return StartStep(None, self.timezone, not_after=min(limits, default=None))

    def check_start(self, at: datetime) -> None:
        """
        Refuse a start inside the window with a list that is too old by then, or that calls when nobody may be called.

        :raises TimingError: naming the day and what to do.
        """
        begins = f"Campaign {self.name!r} would start at {in_words(at, self.timezone)}"
        if self.contacts_until is not None and at > self.contacts_until:
            raise TimingError(
                f"{begins}. Its list, with its do-not-call check, may be used until "
                f"{in_words(self.contacts_until, self.timezone)} (max_contacts_age). Nothing was started. Make the "
                "list shortly before the start: clear the task that extracts it, and this one."
            )
        hours, people = self.hours, self.hours.people
        if people is None:
            return
        if not hours.allow(at):
            opening = self._on_its_clock(hours.next_opening(at))
            raise TimingError(
                f"{begins}, when nobody of its list may be called. Nothing was started. The next moment is "
                f"'{opening:%Y-%m-%dT%H:%M}'; start_on='{opening:%Y-%m-%d}' starts then."
            )
        days = hours.calling_days(at, self.expected_contacts, self.fields.get("max_calls_per_day"))
        for blocked in hours.blocked_days(at, days):
            if str(blocked) > people.last_day and days is not None:
                raise TimingError(
                    f"{begins} and still be calling on {blocked:%a %Y-%m-%d}. The hours of its list are known to "
                    f"{people.last_day} only. Nothing was started. Raise max_calls_per_day, or days_ahead where the "
                    "list is made."
                )
            if not hours.held_on_blocked_days:
                raise TimingError(
                    f"{begins} and may still be calling on {blocked:%a %Y-%m-%d}, when nobody of its list may be "
                    "called, and Truedy cannot be told so. Nothing was started. State max_calls_per_day so that it "
                    "ends before, or let a Dag hold it on such days (dags_examples/blackout_guard.py) and state "
                    "held_on_blocked_days=True."
                )

    def check_resume_at(self, now: datetime, starts_at: datetime | None, *, called: int) -> None:
        """
        Refuse to let a campaign go on that we had paused, where that would call at an hour that nobody stated.

        Until its start has come a resume only puts it back in its place. On the day of its start it is not late,
        and a campaign that has called may go on on any day.

        :param starts_at: the start that the server tells, which a person may have moved; ``None`` if it tells none.
        :param called: how many people it called before it was paused.
        :raises WindowClosedError: outside the stated window or days, or where those who are left might be called on a
            day on which nobody may be.
        :raises PastStartError: after the day of the start, unless ``on_past="start_now"``.
        """
        starts_at = starts_at or self.moment
        if starts_at is not None and starts_at > now:
            return
        left = None if self.expected_contacts is None else max(self.expected_contacts - called, 0)
        opening = self.hours.resume_opening(now, left, self.fields.get("max_calls_per_day"))
        is_late = starts_at is not None and not called and not self._is_one_day(starts_at, opening)
        if is_late and self.policy.on_past != "start_now":
            self.start_step(now)
        if opening > now:
            why = (
                "it might still call on a day on which nobody of its list may be called. It may go on"
                if self.hours.allow(now)
                else f"{in_words(now, self.timezone)} is outside its calling hours, which begin"
            )
            raise WindowClosedError(
                f"Campaign {self.name!r}, which Airflow had paused, stays paused: {why} "
                f"{in_words(opening, self.timezone)}. Run the task again then, or resume the campaign in the Truedy "
                "dashboard.",
                retry_after=(opening - now).total_seconds(),
            )

    def _is_one_day(self, one: datetime, other: datetime) -> bool:
        return self._on_its_clock(one).date() == self._on_its_clock(other).date()

    def _on_its_clock(self, instant: datetime) -> datetime:
        return instant.astimezone(zone_of(self.timezone))

    def create_request(self, *, at_once: bool = False, name_limit: int | None = None) -> BatchCallRequest:
        """
        Return the create request with the tag in its name and the first contacts.

        :param at_once: whether it starts at once although a moment was stated, because that has passed.
        :param name_limit: how many characters the server keeps of a name, where that is known.
        """
        name = self.tagged_name if name_limit is None else self.key.tagged(self.name, self.fingerprint, name_limit)
        start = {"schedule_type": "immediate", "scheduled_at": None} if at_once else {}
        return self.request.model_copy(update={"name": name, **start})


def plan_campaign(
    *,
    key: CampaignKey,
    name: str,
    fields: Mapping[str, Any],
    contacts: ContactList | None,
    timing: Timing,
    policy: Policy = Policy(),
    chunk_size: int = 500,
    run: tuple[str, str] | None = None,
) -> CampaignPlan:
    """
    Check everything that can be checked before the first request, and return the plan.

    :param fields: the other API fields of ``POST /batch-calls``, ``extra_fields`` among them.
    :param timing: start, zone, window and days. All but the start come with the contacts' manifest, where it carries
        calling hours.
    :raises TimingError: if the start, zone or window is missing, impossible, ambiguous, or not one of the people's.
    :raises InvalidPayloadError: if a value breaks a rule of the API, naming field, value and rule.
    :raises EverybodyLaunchedSkip: if everybody is in the campaign of another part of the same list.
    """
    from airflow_truedy.api.models import BatchCallRequest
    from airflow_truedy.contacts.launched import without_launched

    contacts = without_launched(contacts)
    people = hours_of(contacts)
    timing = timing.within(people)
    hours = BoundHours(timing.window, people, policy.held_on_blocked_days)
    moment = timing.moment if timing.start_on is None else hours.opening_on(timing.start_on)
    first = next(iter(contacts.chunks(chunk_size)), None) if contacts else None
    stated = _stated(fields, timing)
    if contacts is not None and first is None:
        _check_somebody_is_left(stated, contacts)
    _check_people_fit_together(stated, contacts, chunk_size, has_hours=people is not None)
    _check_name(name, key.word)
    if isinstance(policy.max_rejected, float) and policy.max_rejected > 1:
        raise invalid("max_rejected", policy.max_rejected, "a whole number, or a share as a float from 0.0 to 1.0")
    schedule_type = "scheduled" if moment else "immediate"
    request = BatchCallRequest.checked(
        **stated, name=name, schedule_type=schedule_type, scheduled_at=moment, contacts=first
    )
    plan = CampaignPlan(
        key=key,
        name=name,
        fields=stated,
        contacts=contacts,
        moment=moment,
        start=timing.start,
        policy=policy,
        chunk_size=chunk_size,
        request=request,
        hours=hours,
        contacts_until=_usable_until(contacts, policy.max_contacts_age),
        run=run,
    )
    if plan.start and moment is not None:
        plan.check_start(moment)
    return plan


def _stated(fields: Mapping[str, Any], timing: Timing) -> dict[str, Any]:
    """Return all fields to send; each default is stated, because documents disagree on the server's silent ones."""
    given = {name: value for name, value in {**fields, **timing.hours}.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, (set, frozenset)):
            # A set has another order in each process: other bytes under the same key on a retry.
            given[name] = sorted(value)
    source = "folder" if given.get("contact_folder_id") else "manual"
    return {"phone_rotation_strategy": "random", "contact_source": source, **given}


def _check_somebody_is_left(fields: Mapping[str, Any], contacts: ContactList) -> None:
    """Refuse an empty list, unless Truedy has people of the campaign already."""
    if contacts.manifest and contacts.manifest.contacts:
        raise EverybodyLaunchedSkip(
            f"Everybody in this part of the list of task {contacts.manifest.made_by.get('task_id')!r} is, or may "
            f"be, in the campaign of another part: {contacts.left_out and contacts.left_out.uri}"
        )
    if not (fields.get("contact_ids") or fields.get("contact_folder_id")):
        raise invalid("contacts", "0 contacts", "is empty, so there is nobody to call; on_empty='skip' skips the task")


def _check_people_fit_together(
    fields: Mapping[str, Any], contacts: ContactList | None, chunk_size: int, *, has_hours: bool
) -> None:
    # How many contacts a folder brings is not known, so a part of the list that is missing could not be noticed.
    # One request is all or nothing.
    if fields.get("contact_folder_id") and contacts is not None and contacts.count > chunk_size:
        raise invalid("contacts", contacts.count, "must fit into one request (chunk_size) beside contact_folder_id")
    for name in ("contact_ids", "contact_folder_id"):
        if has_hours and fields.get(name):
            raise invalid(name, "stated", "names people whose hours nobody knows, beside a list with hours")


def _check_name(name: object, word: object) -> None:
    # The name without its tag: that is what the limit of 255 characters is about.
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise invalid("name", name, "must be text of 1 to 255 characters")
    # It is put in brackets into the name and must leave room for the name.
    if not isinstance(word, str) or not re.fullmatch(r"[^\s\[\]]{1,40}", word) or not word.isprintable():
        raise invalid("tag_word", word, "must be one word of 1 to 40 characters without brackets")


def _usable_until(contacts: ContactList | None, max_age: float | None) -> datetime | None:
    """Return until when a list may be used; ``None`` for any time."""
    if max_age is None:
        return None
    if contacts is None or contacts.manifest is None:
        raise invalid("max_contacts_age", max_age, "needs the manifest of a contacts file, which tells its age")
    return moment_of(contacts.manifest.created_at) + timedelta(seconds=max_age)
