"""A campaign as it was asked for: checked, with one instant to start at, before any request is made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_truedy.campaigns.bound_hours import BoundHours, bound, hours_of
from airflow_truedy.campaigns.errors import (
    EverybodyLaunchedSkip,
    PastStartError,
    PastStartSkip,
    TimingError,
    WindowClosedError,
)
from airflow_truedy.campaigns.identity import CampaignKey, digest
from airflow_truedy.campaigns.schedule import CallingWindow, check_window_is_possible, in_words, instant_of, zone_of
from airflow_truedy.campaigns.timing import check_start_is_in_window, check_timing_is_stated
from airflow_truedy.formats import moment_of

if TYPE_CHECKING:
    from airflow_truedy.api.errors import InvalidPayloadError
    from airflow_truedy.api.models import BatchCallRequest
    from airflow_truedy.calling_hours.part_hours import PartHours
    from airflow_truedy.campaigns.approval import Approval
    from airflow_truedy.contacts.lists import ContactList

OnPast = Literal["fail", "start_now", "skip"]
OnChange = Literal["fail", "rebuild"]
OnRetry = Literal["attach", "new"]
OnDuplicate = Literal["fail", "warn", "allow"]

# Stated, because documents disagree on the server's silent defaults.
_STATED_DEFAULTS = {"phone_rotation_strategy": "random", "timezone": "UTC"}


@dataclass(frozen=True)
class CampaignPlan:
    """
    What is to exist on the server once, and the choices of the person who asked for it.

    Made by :func:`plan_campaign`.

    :param fields: API fields that go over the wire as they are; without name, contacts and start.
    :param moment: the instant to start at; ``None`` means as soon as the task runs.
    :param request: the create request with the first contacts, checked once; without the tag in its name.
    :param max_rejected: how many contacts the server may refuse: a whole number, or a share of all as a float.
    :param hours: when it may call: its window, and the hours of its people where they are known.
    :param contacts_until: the last moment at which it may start with this list; ``None`` for any.
    :param approval: a person's yes, without which nothing may start where one is asked for; ``None`` where none is.
    """

    key: CampaignKey
    name: str
    fields: Mapping[str, Any] = field(repr=False)
    contacts: ContactList | None
    moment: datetime | None
    start: bool
    on_past: OnPast
    on_change: OnChange
    on_retry: OnRetry
    on_duplicate: OnDuplicate
    chunk_size: int
    max_rejected: float
    request: BatchCallRequest = field(repr=False)
    hours: BoundHours
    contacts_until: datetime | None
    approval: Approval | None = None

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
        if isinstance(self.max_rejected, float):
            # Decimal, because 0.29 * 100 is a little less than 29 in binary.
            return int(Decimal(str(self.max_rejected)) * (self.expected_contacts or 0))
        return int(self.max_rejected)

    def start_at(self, now: datetime) -> datetime | None:
        """
        Return the instant to send, ``None`` for an immediate start.

        :param now: the present instant.
        :raises PastStartError: if the moment has passed and ``on_past="fail"``.
        :raises PastStartSkip: the same with ``on_past="skip"``.
        :raises TimingError: if an immediate start falls outside the stated window or days; see :meth:`check_start`.
        :raises NotApprovedError: if it needs an approval that is too old, or was for a start that has passed.
        """
        has_passed = self.moment is not None and self.moment <= now
        if self.moment is not None and has_passed and self.on_past != "start_now":
            raise (PastStartSkip if self.on_past == "skip" else PastStartError)(
                f"The start of campaign {self.name!r}, {in_words(self.moment, self.timezone)}, has passed. "
                "Nothing was started. on_past='start_now' starts late, 'skip' skips the task."
            )
        if self.approval is not None:
            self.approval.check(now, self.moment)
        if self.moment is not None and not has_passed:
            return self.moment
        if not self.window.is_open(now):
            raise TimingError(
                f"Campaign {self.name!r} would start at {in_words(now, self.timezone)}, outside its calling window "
                f"({self.window}). Nothing was started: whether the server waits for the window is not known. "
                f"Give scheduled_at, such as '{self._on_its_clock(self.hours.next_opening(now)):%Y-%m-%dT%H:%M}'."
            )
        self.check_start(now)
        return None

    def check_start(self, at: datetime) -> None:
        """
        Refuse a start with a list that is too old by then, or at which or after which nobody of it may be called.

        :param at: the instant at which calls may begin, inside the window.
        :raises TimingError: telling what to do.
        """
        if self.contacts_until is not None and at > self.contacts_until:
            raise TimingError(
                f"Campaign {self.name!r} would start at {in_words(at, self.timezone)}. Its list, with its do-not-call "
                f"check, may be used until {in_words(self.contacts_until, self.timezone)} (max_contacts_age). Nothing "
                "was started. Make the list shortly before the start: clear the task that extracts it, and this one."
            )
        self.hours.check_start(self.name, at, self.expected_contacts, self.fields.get("max_calls_per_day"))

    def check_resume_at(self, now: datetime, starts_at: datetime | None, *, called: int) -> None:
        """
        Refuse to let a campaign go on that we had paused, where that would call at an hour that nobody stated.

        Until its start has come a resume only puts it back in its place. On the day of its start it is not late,
        and a campaign that has called may go on on any day.

        :param now: the present instant.
        :param starts_at: the start that the server tells, which a person may have moved; ``None`` if it tells none.
        :param called: how many people it called before it was paused.
        :raises WindowClosedError: outside the stated window or days, or where those who are left might be called on a
            day on which nobody may be.
        :raises PastStartError: after the day of the start, with ``on_past="fail"``.
        :raises PastStartSkip: the same with ``on_past="skip"``.
        """
        starts_at = starts_at or self.moment
        if starts_at is not None and starts_at > now:
            return
        left = None if self.expected_contacts is None else max(self.expected_contacts - called, 0)
        opening = self.hours.resume_opening(now, left, self.fields.get("max_calls_per_day"))
        is_late = starts_at is not None and not called and not self._is_one_day(starts_at, opening)
        if is_late and self.on_past != "start_now":
            self.start_at(now)
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

    def not_after(self, at: datetime | None, now: datetime) -> datetime | None:
        """
        Return the last moment at which a request that may start calls may be sent.

        :param at: the start that it asks for; ``None`` for a start at once, which must happen inside the window.
        :param now: the present instant, at which the start was decided.
        """
        return at if at is not None else self.window.closing(now)

    def start_not_after(self, at: datetime | None, now: datetime) -> datetime | None:
        """As above, for a request that starts the campaign: not with an approval or a list that is too old, either."""
        list_ends = None if at is not None else self.contacts_until
        limits = (self.not_after(at, now), list_ends, self.approval.expires if self.approval else None)
        return min((limit for limit in limits if limit is not None), default=None)

    def create_request(self, at: datetime | None, name_limit: int | None = None) -> BatchCallRequest:
        """
        Return the create request with the tag in its name and the first contacts.

        :param at: the instant to start at, ``None`` for an immediate start.
        :param name_limit: how many characters the server keeps of a name, where that is known.
        """
        name = self.tagged_name if name_limit is None else self.key.tagged(self.name, self.fingerprint, name_limit)
        schedule_type = "scheduled" if at else "immediate"
        return self.request.model_copy(update={"name": name, "schedule_type": schedule_type, "scheduled_at": at})


def plan_campaign(
    *,
    key: CampaignKey,
    name: str,
    fields: Mapping[str, Any],
    contacts: ContactList | None,
    scheduled_at: str | datetime | None,
    schedule_type: str | None = None,
    extra_fields: Mapping[str, Any] | None = None,
    start: bool = True,
    on_past: OnPast = "fail",
    on_change: OnChange = "fail",
    on_retry: OnRetry = "attach",
    on_duplicate: OnDuplicate = "fail",
    chunk_size: int = 500,
    max_rejected: float = 0,
    start_on: date | None = None,
    held_on_blocked_days: bool = False,
    max_contacts_age: float | None = None,
) -> CampaignPlan:
    """
    Check everything that can be checked before the first request, and return the plan.

    :param fields: the API fields of ``POST /batch-calls`` but name, contacts, schedule_type and scheduled_at. Zone,
        window and days come with the contacts' manifest, where it carries calling hours.
    :param start_on: start at the first moment on or after this day at which the people may be called.
    :param max_contacts_age: seconds that the contacts file may be old at the start.
    :raises TimingError: if the start, zone or window is missing, impossible, ambiguous, or not one of the people's.
    :raises InvalidPayloadError: if a value breaks a rule of the API, naming field, value and rule.
    :raises EverybodyLaunchedSkip: if everybody is in the campaign of another part of the same list.
    """
    from airflow_truedy.contacts.launched import without_launched

    contacts = without_launched(contacts)
    people = hours_of(contacts)
    given = bound({name: _ordered(value) for name, value in fields.items() if value is not None}, people)
    check_schedule_type(schedule_type)
    check_timing_is_stated(
        start=start,
        schedule_type=schedule_type,
        scheduled_at=scheduled_at,
        start_on=start_on,
        timezone=given.get("timezone"),
        start_time=given.get("start_time"),
        end_time=given.get("end_time"),
        working_days=given.get("working_days"),
    )
    if given.get("timezone"):
        zone_of(given["timezone"])
    _check_shapes(extra_fields, max_rejected)
    moment = instant_of(scheduled_at, given.get("timezone")) if scheduled_at else None
    if start_on is not None:
        check_window_is_possible(given["start_time"], given["end_time"], given.get("working_days"))
        moment = BoundHours(_window(given), people).opening_on(start_on)
    elif moment is not None and given.get("start_time") and given.get("end_time"):
        check_window_is_possible(given["start_time"], given["end_time"], given.get("working_days"))
        check_start_is_in_window(
            moment, given["timezone"], given["start_time"], given["end_time"], given.get("working_days")
        )
    stated = {**_STATED_DEFAULTS, "contact_source": _source_of(given), **given}
    # The name without its tag: that is what the limit of 255 characters is about.
    _check_name(name)
    _check_word(key.word)
    first = next(iter(contacts.chunks(chunk_size)), None) if contacts else None
    if contacts is not None and contacts.manifest and contacts.manifest.contacts and first is None:
        raise EverybodyLaunchedSkip(
            f"Everybody in this part of the list of task {contacts.manifest.made_by.get('task_id')!r} is in the "
            f"campaign of another part already: {contacts.left_out and contacts.left_out.uri}"
        )
    if contacts is not None and first is None and not (given.get("contact_ids") or given.get("contact_folder_id")):
        raise _invalid("contacts", "0 contacts", "is empty, so there is nobody to call; on_empty='skip' skips the task")
    _check_folder_and_contacts(stated, contacts.count if contacts else 0, chunk_size)
    _check_all_have_hours(stated, people)
    plan = CampaignPlan(
        key=key,
        name=name,
        fields=stated,
        contacts=contacts,
        moment=moment,
        start=start,
        on_past=on_past,
        on_change=on_change,
        on_retry=on_retry,
        on_duplicate=on_duplicate,
        chunk_size=chunk_size,
        max_rejected=max_rejected,
        request=_request(name, stated, extra_fields, first, moment),
        hours=BoundHours(_window(stated), people, held_on_blocked_days),
        contacts_until=_usable_until(contacts, max_contacts_age),
    )
    if start and moment is not None:
        plan.check_start(moment)
    return plan


def _request(
    name: str,
    fields: Mapping[str, Any],
    extra_fields: Mapping[str, Any] | None,
    first: list[dict[str, Any]] | None,
    moment: datetime | None,
) -> BatchCallRequest:
    """Build the create request, which checks every field."""
    from airflow_truedy.api.models import BatchCallRequest

    values = {
        **fields,
        "name": name,
        "schedule_type": "scheduled" if moment else "immediate",
        "extra_fields": dict(extra_fields or {}),
    }
    if moment:
        values["scheduled_at"] = moment
    if first:
        values["contacts"] = first
    return BatchCallRequest.checked(**values)


def check_schedule_type(schedule_type: object) -> None:
    """
    Refuse an unknown schedule type: a server would start at once.

    :raises InvalidPayloadError: naming the value.
    """
    if schedule_type not in (None, "immediate", "scheduled"):
        raise _invalid("schedule_type", schedule_type, "must be one of 'immediate', 'scheduled'")


def _ordered(value: Any) -> Any:
    # A set has another order in each process: other bytes under the same key on a retry.
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def _source_of(fields: Mapping[str, Any]) -> str:
    return "folder" if fields.get("contact_folder_id") else "manual"


def _check_shapes(extra_fields: object, max_rejected: float) -> None:
    if extra_fields is not None and not isinstance(extra_fields, Mapping):
        raise _invalid("extra_fields", type(extra_fields).__name__, "a mapping of field names to values")
    if isinstance(max_rejected, float) and max_rejected > 1:
        raise _invalid("max_rejected", max_rejected, "a whole number, or a share as a float from 0.0 to 1.0")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise _invalid("name", name, "must be text of 1 to 255 characters")


def _check_word(word: object) -> None:
    # It stands in brackets in the name and must leave room for the name.
    if not isinstance(word, str) or not re.fullmatch(r"[^\s\[\]]{1,40}", word) or not word.isprintable():
        raise _invalid("tag_word", word, "must be one word of 1 to 40 characters without brackets")


def _check_folder_and_contacts(fields: Mapping[str, Any], count: int, chunk_size: int) -> None:
    # How many contacts a folder brings is not known, so a part of the list that is missing could not be noticed.
    # One request is all or nothing.
    if fields.get("contact_folder_id") and count > chunk_size:
        raise _invalid("contacts", count, "must fit into one request (chunk_size) beside contact_folder_id")


def _check_all_have_hours(fields: Mapping[str, Any], people: PartHours | None) -> None:
    for name in ("contact_ids", "contact_folder_id"):
        if people is not None and fields.get(name):
            raise _invalid(name, "stated", "names people whose hours nobody knows, beside a list with hours")


def _usable_until(contacts: ContactList | None, max_age: float | None) -> datetime | None:
    """Return until when a list may be used; ``None`` for any time."""
    if max_age is None:
        return None
    if contacts is None or contacts.manifest is None:
        raise _invalid("max_contacts_age", max_age, "needs the manifest of a contacts file, which tells its age")
    return moment_of(contacts.manifest.created_at) + timedelta(seconds=max_age)


def _window(fields: Mapping[str, Any]) -> CallingWindow:
    return CallingWindow.of(
        str(fields["timezone"]), fields.get("start_time"), fields.get("end_time"), fields.get("working_days")
    )


def _invalid(field: str, value: object, rule: str) -> InvalidPayloadError:
    from airflow_truedy.api.errors import InvalidPayloadError

    return InvalidPayloadError("invalid parameter", problems=[(field, repr(value)[:60], rule)])
