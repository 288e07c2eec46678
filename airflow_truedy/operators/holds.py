"""Operators that hold campaigns, all live ones that are meant, and let them go on. Both may run twice."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_truedy.api.restrictions import dry_summary, refuse_other_numbers
from airflow_truedy.campaigns.timing import CallingWindow, check_window_is_possible
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters, naming_task
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.calling_hours import CallingHours
    from airflow_truedy.campaigns.meant import Meant
    from airflow_truedy.hooks.truedy import TruedyHook

_COMMON = Parameters(
    Parameter("hold", kinds.text, required=True),
    Parameter("zones", kinds.several),
    Parameter("states", kinds.several),
    Parameter("names", kinds.several),
    Parameter("tag_words", kinds.several),
    Parameter("jurisdictions", kinds.several),
    Parameter("truedy_conn_id", kinds.text),
)
_RELEASE = Parameters(
    _COMMON,
    Parameter("start_time", kinds.text, required=True),
    Parameter("end_time", kinds.text, required=True),
    Parameter("working_days", kinds.items, may_vanish=False),
)


class _Holds(BaseOperator):
    """
    What both have in common: which campaigns are meant, and the days without calls.

    :param hold: the word of the hold, such as ``blackout``, which the names of held campaigns carry. Several holds do
        not disturb each other: a campaign goes on when the last one is released.
    :param zones: only campaigns in these IANA zones or others with their clocks; one or a list.
    :param states: only campaigns in the zones in which people of these states may be, such as ``US-FL``; together with
        ``zones`` those of either. The server does not tell where a campaign's people are, but its zone: a part of a
        split list may hold people of another zone whose hours suit both. Leave both out to mean all.
    :param names: only campaigns whose name, without its tag, matches one of these patterns, such as ``Renewals*``.
    :param tag_words: only campaigns that Airflow launched with one of these tag words.
    :param calling_hours: only campaigns for which a day without calls is on, or begins within ``ahead``: a holiday of
        the rules or a blackout of this policy.
    :param jurisdictions: with ``calling_hours``: where the people of these campaigns may be: a country with all its
        states (``US``), or one of them (``US-FL``). Default: anywhere, because a campaign's zone does not tell where
        its people are, so that the holidays of all rules count, those of other countries too.
    :param ahead: with ``calling_hours``: how long before such a day. It should be the time between two runs, and a
        little more. Default: two hours.
    :param truedy_conn_id: connection of type ``truedy``.
    """

    parameters: ClassVar[Parameters] = _COMMON
    template_fields: Sequence[str] = _COMMON.template_fields
    ui_color = "#fef7e0"

    def __init__(
        self,
        *,
        hold: str,
        zones: Sequence[str] | str = (),
        states: Sequence[str] | str = (),
        names: Sequence[str] | str = (),
        tag_words: Sequence[str] | str = (),
        calling_hours: CallingHours | None = None,
        jurisdictions: Sequence[str] | str = (),
        ahead: timedelta = timedelta(hours=2),
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hold = hold
        self.zones = zones
        self.states = states
        self.names = names
        self.tag_words = tag_words
        self.calling_hours = calling_hours
        self.jurisdictions = jurisdictions
        self.ahead = ahead
        self.truedy_conn_id = truedy_conn_id
        self._stated = _COMMON.check(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it; return what became of the campaigns."""
        from airflow_truedy.calling_hours.campaign_zone import ClosedDays
        from airflow_truedy.campaigns.hold import check_word
        from airflow_truedy.campaigns.meant import Meant, Selection
        from airflow_truedy.hooks.truedy import TruedyHook

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            given = self.parameters.read(self, self._stated)
            check_word(given["hold"])
            now = hook.client.now()
            filters = {name: given[name] for name in ("zones", "states", "names", "tag_words")}
            closed = None
            if self.calling_hours is not None:
                closed = ClosedDays(self.calling_hours, now, given["jurisdictions"])
            return self._do(hook, given, Meant(Selection(now.date(), **filters), closed, now, self.ahead))

    @abstractmethod
    def _do(self, hook: TruedyHook, given: Mapping[str, Any], meant: Meant) -> dict[str, Any]:
        """Do it with the campaigns that are meant."""


class HoldBatchCallsOperator(_Holds):
    """
    Pause all live campaigns that are meant, whoever launched them, so that only a release lets them go on.

    Those that call now come first, each with one request; the log tells after each what is not stopped yet. Calls
    already placed run to their end. The lists are read again through the settle time, to find what was started a moment
    before; a campaign that is started later is not held. One that a person paused is left alone, and never let go on. A
    task that waits for a held campaign waits on; a killed task's next try does not resume it.
    """

    def _do(self, hook: TruedyHook, given: Mapping[str, Any], meant: Meant) -> dict[str, Any]:
        from airflow_truedy.campaigns.hold import hold, live
        from airflow_truedy.campaigns.steps import Settling

        if hook.settings.dry_run:
            found = [batch.id for batch in live(hook.client, meant.to_hold)]
            return dry_summary(self.log, f"hold {len(found)} campaigns", batch_call_ids=found)
        return hold(hook.client, meant.to_hold, given["hold"], Settling(hook.settings.settle)).to_dict()


class ReleaseBatchCallsOperator(_Holds):
    """
    Let campaigns go on that :class:`HoldBatchCallsOperator` paused with the same word, and no others.

    Each only within the hours stated here, on the clock of its own zone, because the server does not tell its window
    and a campaign that is resumed may call at once; one whose start is ahead goes back to its place at any hour. With
    ``calling_hours`` none for which a day without calls is on or near. What is not let go on yet stays held: run
    this again, every hour for example.

    :param start_time: begin of the hours in which a campaign may be let go on, HH:MM. State hours that lie in the
        windows of all campaigns that are meant.
    :param end_time: their end, HH:MM.
    :param working_days: their days, 1 = Monday to 7 = Sunday. Default: all.
    """

    parameters = _RELEASE
    template_fields: Sequence[str] = _RELEASE.template_fields

    def __init__(
        self,
        *,
        start_time: str,
        end_time: str,
        working_days: Sequence[int] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start_time = start_time
        self.end_time = end_time
        self.working_days = working_days
        self._stated = _RELEASE.check(self)
        with naming_task(self):
            known = self._stated.known
            check_window_is_possible(known["start_time"], known["end_time"], known["working_days"])

    def _do(self, hook: TruedyHook, given: Mapping[str, Any], meant: Meant) -> dict[str, Any]:
        from airflow_truedy.campaigns.hold import held, release
        from airflow_truedy.campaigns.steps import Settling

        opens, closes, days = given["start_time"], given["end_time"], given["working_days"]
        check_window_is_possible(opens, closes, days)
        batches = held(hook.client, meant.selection.covers, given["hold"])
        if hook.settings.dry_run:
            found = [batch.id for batch in batches]
            return dry_summary(self.log, f"let {len(found)} campaigns go on", batch_call_ids=found)

        def why_not(batch: BatchCall) -> str | None:
            people = hook.list_batch_call_contacts(batch.id)
            refuse_other_numbers((str(one.phone_number) for one in people), hook.settings.only_numbers)
            return meant.why_not_release(batch)

        return release(
            hook.client,
            batches,
            given["hold"],
            hours=CallingWindow.of("UTC", opens, closes, days),
            why_not=why_not,
            settling=Settling(hook.settings.settle),
        ).to_dict()
