"""One batch call: its settings, its contacts, its life cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truedy_sandbox.calling_hours import CallingHours
from truedy_sandbox.problems import wrong_state
from truedy_sandbox.settings import OUTCOMES

if TYPE_CHECKING:
    from truedy_sandbox.dialer import Dialer
    from truedy_sandbox.roster import Roster

DELETABLE = ("draft", "failed", "cancelled")
LIVE = ("scheduled", "active")


@dataclass
class BatchCall:
    """
    A batch call as the server keeps it. ``status`` holds the sandbox's own word ``active`` for a live one.

    Time enters by arguments only: call :meth:`advance` before reading anything that time changes.
    """

    number: int
    id: str
    name: str
    agent_id: str
    sending_numbers: list[str]
    rotation: str
    schedule_type: str
    scheduled_at: float | None
    hours: CallingHours
    created_at: float
    roster: Roster
    dialer: Dialer
    complete_share: float
    status: str = "draft"
    changed_at: float = 0.0
    begins_at: float | None = None
    first_due: float | None = None
    # Contacts of the book that were copied in: their id by place, and the other way round.
    sources: dict[int, str] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    resumed_at: float | None = None

    def advance(self, now: float) -> None:
        """Let time pass up to ``now``."""
        if self.status == "scheduled" and self.first_due is not None and now >= self.first_due:
            self.status = "active"
            self.changed_at = self.first_due
        if self.status == "draft":
            return
        target = math.ceil(len(self.roster) * self.complete_share)
        self.dialer.advance(now, target)
        if self.status == "active" and self.dialer.placed >= target and not self.dialer.in_flight:
            self.status = "completed"
            self.dialer.stop()

    def schedule(self, now: float, start: float | None, zone: str | None) -> None:
        """Start at a moment, or at once."""
        if self.status != "draft":
            raise wrong_state("schedule", self.status, "draft")
        if zone is not None:
            self.hours = CallingHours(
                zone,
                self.hours.start_time,
                self.hours.end_time,
                self.hours.working_days,
                self.hours.max_calls_per_day,
            )
        self.scheduled_at = start
        self.begins_at = start or now
        self._run(now)

    def copy_in(self, contact_id: str, contact: dict[str, Any]) -> None:
        """Add a contact of the book, unless its number is in already."""
        if self.roster.add([contact]):
            place = len(self.roster) - 1
            self.sources[place] = contact_id
            self.places[contact_id] = place

    def pause(self, now: float) -> None:
        """Hold all future calls."""
        if self.status not in LIVE:
            raise wrong_state("pause", self.status, "active or scheduled")
        self.dialer.stop()
        self.status = "paused"
        self.changed_at = now

    def resume(self, now: float) -> None:
        """Go on: back to scheduled if the start is still ahead, else live."""
        if self.status != "paused":
            raise wrong_state("resume", self.status, "paused")
        self.resumed_at = now
        begun = self.begins_at is not None and self.begins_at <= now
        self._run(now)
        if begun:
            self.first_due = now
            self.advance(now)

    def check_editable(self) -> None:
        """Refuse an edit in a state that does not allow it."""
        if self.status not in ("draft", "scheduled", "paused"):
            raise wrong_state("update", self.status, "draft, scheduled or paused")

    def reschedule(self, now: float) -> None:
        """Spread the contacts not called yet anew after an edit."""
        self.changed_at = now
        if self.status != "draft":
            self.begins_at = self.scheduled_at or self.begins_at
        if self.status == "scheduled":
            self._run(now)

    def add(self, now: float, contacts: list[dict[str, Any]]) -> int:
        """Add contacts; return how many came in."""
        if self.status not in ("draft", "paused"):
            raise wrong_state("add contacts to", self.status, "draft or paused")
        self.changed_at = now
        return self.roster.add(contacts)

    def force(self, now: float, status: str) -> None:
        """End the batch call by hand, as a person in the dashboard or a server error would."""
        self.dialer.stop()
        self.status = status
        self.changed_at = now

    def _run(self, now: float) -> None:
        self.first_due = self.dialer.run(self.hours, max(now, self.begins_at or now))
        self.status = "scheduled"
        self.changed_at = now
        self.advance(now)

    @property
    def called(self) -> int:
        """How many calls have ended."""
        return self.dialer.completed + self.dialer.failed

    @property
    def updated_at(self) -> float:
        """When anything last changed, counters included."""
        return max(self.created_at, self.changed_at, self.dialer.last_event)

    def from_number(self, index: int) -> str | None:
        """Return the number that the call to one contact comes from."""
        if not self.sending_numbers:
            return None
        place = 0 if self.rotation == "random" and len(self.sending_numbers) == 1 else index
        if self.rotation == "random":
            place = (index * 2654435761) >> 7
        return self.sending_numbers[place % len(self.sending_numbers)]

    def contact_status(self, index: int, flying: set[int]) -> str:
        """Return a contact's ``call_status``; ``flying`` are the places whose call is going on."""
        if index >= self.dialer.placed:
            return "pending" if self.status == "draft" else "scheduled"
        if index in flying:
            return "calling"
        return OUTCOMES[self.dialer.outcomes[index]]

    def flying(self) -> set[int]:
        """Return the places of the contacts that are on the phone now."""
        return {index for _, index in self.dialer.in_flight}
