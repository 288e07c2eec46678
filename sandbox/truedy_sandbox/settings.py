"""Everything that can be chosen about a sandbox, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, Literal

DEFAULT_API_KEY = "truedy_sandbox_key"

# What a replay of the state file depends on: a file made under other values would grow another state.
REPLAYED = (
    "seed",
    "id_style",
    "create_answer",
    "allow_duplicates",
    "bad_contacts",
    "concurrency",
    "outcomes",
    "complete_share",
    "name_limit",
    "name_filter",
)


#: The sections of the settings, by the first setting of each.
SECTIONS = {
    "api_key": "key, seed and clock",
    "live_state": "dialects: forms that Truedy's own documents show",
    "read_lag": "misbehaviour: what real servers do beyond any document",
    "rate_limit": "rate limit",
    "concurrency": "calls",
}


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """
    The settings of one sandbox; each one is also a command-line option (``rate_limit`` is ``--rate-limit``).

    The defaults follow the documentation. Every other value of a dialect setting is a form that Truedy's own
    pages or its older code show somewhere, so a client can be tried against each by itself.
    """

    api_key: str = _option(DEFAULT_API_KEY, "the one key that is accepted")
    seed: int = _option(1, "decides ids, call lengths and outcomes")
    speed: float = _option(1.0, "virtual seconds per real second; 0 freezes the clock until it is moved")
    start: datetime | None = field(
        default=None, metadata={"help": "virtual time at the start (ISO 8601); default: now"}
    )

    live_state: Literal["active", "running"] = _option("active", "word for a batch that is placing calls")
    create_answer: Literal["draft", "scheduled"] = _option(
        "draft", "'scheduled': a create with contacts schedules or starts the batch by itself"
    )
    id_style: Literal["batch", "camp", "uuid"] = _option("batch", "form of batch call ids")
    meta_time: Literal["ts", "timestamp"] = _option("ts", "name of the time field in meta")
    error_shape: Literal["documented", "snapshot", "framework"] = _option("documented", "body of error answers")
    times: Literal["z", "naive"] = _option("z", "'naive': date-times in answers carry no offset (they are UTC)")
    action_answers: Literal["partial", "full", "empty"] = _option("partial", "what schedule, pause and resume answer")
    contacts_paging: Literal["offset", "page"] = _option("offset", "paging of GET /contacts")
    folders_paging: Literal["offset", "none"] = _option("offset", "paging of GET /contacts/folders")
    call_words: Literal["g3", "guides"] = _option(
        "g3", "words for call states: in_progress/completed or in-progress/ended"
    )
    csv_phone_column: Literal["phone", "phone_number"] = _option("phone", "column that a CSV import asks for")
    import_answer: Literal["g3", "snapshot"] = _option("g3", "result form of a CSV import")

    allow_duplicates: bool = _option(False, "keep the same number twice in one batch")
    bad_contacts: Literal["reject", "drop"] = _option(
        "reject", "an invalid contact fails the request, or is dropped and counted as failed"
    )
    ignore_idempotency_keys: bool = _option(False, "every create makes a new thing, whatever its key")

    read_lag: float = _option(
        0.0, "virtual seconds by which a read of one thing is behind: it answers as of so long ago"
    )
    list_lag: float = _option(0.0, "virtual seconds by which every list is behind")
    counter_lag: float = _option(
        0.0, "virtual seconds by which the counters of a batch call are behind in reads and lists"
    )
    replica_share: float = _option(1.0, "share of the reads and lists that lag, from 0 to 1; drawn from the seed")

    create_delay: float = _option(
        0.0, "virtual seconds after which a create of a batch call is carried out; its answer is lost"
    )
    name_limit: int = _option(0, "characters that are kept of a batch call's name; 0 for no limit")
    name_filter: Literal["none", "strip_brackets", "upper"] = _option(
        "none", "what becomes of a batch call's name: brackets of every kind removed, or upper case"
    )
    page_cap: int = _option(0, "rows on a page at most, whatever limit asks for; 0 for no cap")
    totals: Literal["right", "missing", "wrong", "page"] = _option(
        "right",
        "'missing': lists carry no pagination; 'wrong': it counts rows that are not there;"
        " 'page': it counts the rows of this page",
    )
    ignore_offset: bool = _option(False, "every page of a list is its first one")
    list_order: Literal["newest", "oldest", "unstable"] = _option(
        "newest", "order of lists; 'unstable': another order in each answer, drawn from the seed"
    )

    rate_limit: int = _option(100, "requests per window; 0 for no limit")
    rate_window: int = _option(60, "length of the rate limit's fixed window in real seconds")
    retry_after_header: bool = _option(False, "send Retry-After with a 429")

    concurrency: int = _option(5, "calls that one batch places at a time")
    outcomes: str = _option(
        "completed=70,no_answer=15,busy=5,voicemail=4,failed=6", "weights of the ways a call can end"
    )
    details_delay: float = _option(30.0, "virtual seconds from a call's end until its details can be read")
    complete_share: float = _option(
        1.0, "share of the contacts after which a batch counts as completed (below 1: pending stays above 0)"
    )

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.rate_window < 1 or self.rate_limit < 0 or self.speed < 0:
            raise ValueError("concurrency and rate_window must be at least 1, rate_limit and speed at least 0")
        if not 0 < self.complete_share <= 1:
            raise ValueError("complete_share must be above 0 and at most 1")
        if min(self.read_lag, self.list_lag, self.counter_lag, self.create_delay) < 0:
            raise ValueError("a lag or delay must be at least 0")
        if not 0 <= self.replica_share <= 1:
            raise ValueError("replica_share must be between 0 and 1")
        if self.name_limit < 0 or self.page_cap < 0:
            raise ValueError("name_limit and page_cap must be at least 0")
        if self.start is not None and self.start.tzinfo is None:
            object.__setattr__(self, "start", self.start.replace(tzinfo=timezone.utc))
        outcome_weights(self.outcomes)

    @property
    def settle(self) -> float:
        """Virtual seconds after which every read, list and counter shows a change."""
        return max(self.read_lag, self.list_lag, self.counter_lag) + self.create_delay

    def replayed(self) -> dict[str, Any]:
        """Return the part of the settings that a state file is bound to."""
        return {name: getattr(self, name) for name in REPLAYED}

    def unusual(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults, without the key."""
        changed = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in changed.items() if name != "api_key" and value != _DEFAULTS[name]}


_DEFAULTS = {each.name: each.default for each in fields(Settings)}
OUTCOMES = ("completed", "no_answer", "busy", "voicemail", "failed")


def outcome_weights(text: str) -> list[tuple[str, float]]:
    """
    Read ``"completed=70,failed=30"``.

    :raises ValueError: if an outcome is unknown or nothing has weight.
    """
    weights = []
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in OUTCOMES:
            raise ValueError(f"unknown outcome {name!r}; known: {', '.join(OUTCOMES)}")
        weights.append((name, float(weight or 1)))
    if sum(weight for _, weight in weights) <= 0 or min(weight for _, weight in weights) < 0:
        raise ValueError("outcome weights must not be negative and one must be above 0")
    return weights


def option_names() -> list[str]:
    """Return the names of all settings."""
    return [each.name for each in fields(Settings)]
