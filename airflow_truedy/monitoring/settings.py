"""What a wait is asked for and what it has seen so far, both as plain JSON: they cross from worker to triggerer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from datetime import time
from typing import TYPE_CHECKING, Any

from airflow_truedy.campaigns.identity import CampaignKey
from airflow_truedy.campaigns.windows import CallingWindow
from airflow_truedy.monitoring.outcome import Counts, SuccessRules

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_INTERVAL = 60.0


@dataclass(frozen=True)
class WatchSettings:
    """
    How to wait for one batch call. All times are seconds; instants are seconds since 1970.

    :param interval: usual time between two looks.
    :param deadline: instant at which the waiting ends, whatever the campaign does.
    :param max_paused: how long the campaign may be paused; ``None`` waits.
    :param stall_after: how long no counter may move while the calling window is open; ``None`` waits.
    :param window: when calls may be placed.
    :param key: key of the campaign that this task made; its mark tells a pause of ours from a person's.
    """

    batch_call_id: str
    interval: float = DEFAULT_INTERVAL
    deadline: float | None = None
    max_paused: float | None = None
    stall_after: float | None = None
    window: CallingWindow = field(default_factory=CallingWindow)
    rules: SuccessRules = field(default_factory=SuccessRules)
    key: CampaignKey | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "batch_call_id": self.batch_call_id,
            "interval": self.interval,
            "deadline": self.deadline,
            "max_paused": self.max_paused,
            "stall_after": self.stall_after,
            "window": _window_to_json(self.window),
            "rules": asdict(self.rules),
            "key": None if self.key is None else {"text": self.key.text, "word": self.key.word},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> WatchSettings:
        """Read it back, written by this or another version: unknown keys are ignored, missing ones are the defaults."""
        given = _known(cls, values)
        parts: dict[str, Any] = {
            "window": window_from_json(given.pop("window", None) or {}),
            "rules": SuccessRules(**_known(SuccessRules, given.pop("rules", None) or {})),
            "key": _key_from_json(given.pop("key", None)),
        }
        return cls(**given, **parts)


@dataclass
class Seen:
    """
    What a wait remembers from one look to the next.

    :param since: instant at which the waiting began.
    :param at: instant of the last answer.
    :param status: the server's word then.
    :param called_at_first: calls at the first look; the rate is measured from there.
    :param open_seconds: seconds of calling (state active, window open) since the first look.
    :param still: seconds of open window since a counter moved last.
    :param paused_at: instant since which the campaign is paused.
    :param failing_at: instant since which it cannot be read.
    :param missing: times in a row that the server said 404.
    :param unknown: unknown word for a state that was warned about.
    :param due: instant of the next look.
    """

    since: float
    at: float | None = None
    status: str = ""
    counts: Counts = field(default_factory=Counts)
    called_at_first: int | None = None
    open_seconds: float = 0.0
    still: float = 0.0
    paused_at: float | None = None
    failing_at: float | None = None
    missing: int = 0
    unknown: str | None = None
    due: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Seen:
        """Read it back, written by this or another version."""
        given = _known(cls, values)
        counts = Counts.from_json(given.pop("counts", None) or {})
        return replace(cls(since=float(given.pop("since", 0.0))), counts=counts, **given)


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _window_to_json(window: CallingWindow) -> dict[str, Any]:
    return {
        "zone": window.zone,
        "opens": window.opens and f"{window.opens:%H:%M}",
        "closes": window.closes and f"{window.closes:%H:%M}",
        "days": sorted(window.days),
    }


def window_from_json(values: Mapping[str, Any]) -> CallingWindow:
    """Read a calling window: ``zone``, ``opens`` and ``closes`` as HH:MM, ``days``; what is missing is no limit."""
    opens, closes = values.get("opens"), values.get("closes")
    return CallingWindow(
        zone=values.get("zone") or "UTC",
        opens=time.fromisoformat(opens) if opens else None,
        closes=time.fromisoformat(closes) if closes else None,
        days=frozenset(values.get("days") or ()),
    )


def _key_from_json(values: Mapping[str, Any] | None) -> CampaignKey | None:
    return CampaignKey(**_known(CampaignKey, values)) if values else None
