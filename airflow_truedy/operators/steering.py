"""Operators that steer a batch call which exists. Each reads the state first, and may run twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_truedy.api.errors import InvalidPayloadError
from airflow_truedy.api.restrictions import dry_summary, refuse_other_numbers
from airflow_truedy.campaigns.timing import Timing, check_window_is_possible
from airflow_truedy.links.batch_calls import XCOM_KEY, BatchCallLink
from airflow_truedy.operators.batch_calls import summary_of
from airflow_truedy.parameters import kinds
from airflow_truedy.parameters.table import Parameter, Parameters, naming_task
from airflow_truedy.retry_policy import failing_fast

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_truedy.api.client import TruedyClient
    from airflow_truedy.api.models import BatchCall
    from airflow_truedy.campaigns.plan import OnPast

_ONE_BATCH_CALL = Parameters(Parameter("batch_call_id", kinds.batch_call), Parameter("truedy_conn_id", kinds.text))
_SCHEDULE = Parameters(
    _ONE_BATCH_CALL,
    Parameter("scheduled_at", kinds.moment),
    Parameter("timezone", kinds.text),
    Parameter("schedule_type", kinds.optional(kinds.one_of("immediate", "scheduled"))),
    Parameter("on_past", kinds.one_of("fail", "start_now", "skip")),
)
#: What an update may change. Of one that renders to nothing the old value would stay, and the task be green.
_CHANGES = Parameters(
    Parameter("name", kinds.text, may_vanish=False),
    Parameter("phone_rotation_strategy", kinds.text, may_vanish=False),
    Parameter("scheduled_at", kinds.moment, may_vanish=False),
    Parameter("start_time", kinds.text, may_vanish=False),
    Parameter("end_time", kinds.text, may_vanish=False),
    Parameter("phone_number_ids", kinds.items, may_vanish=False),
    Parameter("max_calls_per_day", kinds.optional(kinds.whole(1)), may_vanish=False),
    Parameter("working_days", kinds.items, may_vanish=False),
    Parameter("retry_failed", kinds.optional(kinds.truth), may_vanish=False),
)
_UPDATE = Parameters(_ONE_BATCH_CALL, _CHANGES, Parameter("timezone", kinds.text, may_vanish=False))


_DELETE = Parameters(
    # An empty list too: on a good day a clean-up has none to delete.
    Parameter("batch_call_ids", kinds.batch_calls),
    Parameter("fail_if_kept", kinds.truth),
    Parameter("truedy_conn_id", kinds.text),
)


class _OneBatchCall(BaseOperator):
    """
    Does one thing with one batch call.

    :param batch_call_id: the batch call, or the dict that ``CreateBatchCallOperator`` returns.
    :param truedy_conn_id: connection of type ``truedy``.
    :cvar deed: what it does, as a verb.
    :cvar lets_call: whether people are called after it who would not be called without it.
    """

    deed: ClassVar[str]
    lets_call: ClassVar[bool] = False
    parameters: ClassVar[Parameters] = _ONE_BATCH_CALL
    template_fields: Sequence[str] = _ONE_BATCH_CALL.template_fields
    operator_extra_links = (BatchCallLink(),)
    ui_color = "#fef7e0"

    def __init__(self, *, batch_call_id: Any, truedy_conn_id: str = "truedy_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_call_id = batch_call_id
        self.truedy_conn_id = truedy_conn_id
        self._stated = _ONE_BATCH_CALL.check(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Do it.

        :return: the batch call as read back: ``batch_call_id``, ``name``, ``status``, ``scheduled_at`` (UTC),
            ``timezone``, ``total_contacts``, ``url``, ``request_id``.
        """
        from airflow_truedy.hooks.truedy import TruedyHook

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            given = self.parameters.read(self, self._stated)
            batch_call_id = given["batch_call_id"]
            if batch_call_id == kinds.ONLY_PLANNED or hook.settings.dry_run:
                known = None if batch_call_id == kinds.ONLY_PLANNED else batch_call_id
                return dry_summary(self.log, f"{self.deed} batch call {batch_call_id}", batch_call_id=known)
            if self.lets_call:
                people = hook.list_batch_call_contacts(batch_call_id)
                refuse_other_numbers((str(one.phone_number) for one in people), hook.settings.only_numbers)
            url = hook.campaign_url(batch_call_id)
            context["ti"].xcom_push(key=XCOM_KEY, value=url)
            try:
                batch, more = self._do(hook.client, given)
                self.log.info("Batch call %s is %r.", batch.id, batch.status)
            finally:
                self.log.info("The campaign in Truedy: %s", url)
        return {**summary_of(batch), "url": url, **more}

    def _do(self, client: TruedyClient, given: Mapping[str, Any]) -> tuple[BatchCall, dict[str, Any]]:
        """Do it; return the batch call as it is then, and what else is to be told."""
        raise NotImplementedError


class ScheduleBatchCallOperator(_OneBatchCall):
    """
    Start a draft, at a moment or at once.

    One that is scheduled or started already is compared and left alone: the task fails if it has another start, or
    calls although the one asked for is ahead, or is paused, or in a state that this version does not know. What the
    server stored is read back; if it differs, the campaign is paused and the task fails.

    The daily calling window **cannot** be seen from here: it is set when the draft is made, and the API does not tell
    it back. A draft that was made without ``start_time`` and ``end_time`` has none and may call at any hour. For a
    start at once, a late one with ``on_past="start_now"`` too, see to it yourself that the task runs inside it.

    :param scheduled_at: when calls may begin: ISO 8601 text, a datetime or a template; a naive value is wall time in
        ``timezone``.
    :param timezone: IANA zone of ``scheduled_at``, window and days. Required with ``scheduled_at``; otherwise the
        draft's own stays. Another zone than the draft's is an error, because it would move the draft's window.
    :param schedule_type: ``immediate`` starts when the task runs, instead of ``scheduled_at``.
    :param on_past: what a start in the past means: ``fail`` (default), ``start_now`` whatever the hour, or ``skip`` the
        task.
    :raises AirflowSkipException: if the start has passed and ``on_past="skip"``.
    """

    deed, lets_call = "schedule", True
    parameters = _SCHEDULE
    template_fields: Sequence[str] = _SCHEDULE.template_fields

    def __init__(
        self,
        *,
        scheduled_at: str | datetime | None = None,
        timezone: str | None = None,
        schedule_type: str | None = None,
        on_past: OnPast = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scheduled_at = scheduled_at
        self.timezone = timezone
        self.schedule_type = schedule_type
        self.on_past = on_past
        self._stated = _SCHEDULE.check(self)
        with naming_task(self):
            known, names = self._stated.known, self._stated.names
            self._check_timing(known, {name for name in names if known[name] is None})

    @staticmethod
    def _check_timing(values: Mapping[str, Any], unknown: Collection[str] = ()) -> None:
        """Refuse a start or zone that would be left to a silent default."""
        # The rule of CreateBatchCallOperator without its window, which the schedule step does not take; a start at once
        # needs no zone here.
        others = {"start_time", "end_time", *unknown}
        if not values["scheduled_at"] and "scheduled_at" not in unknown:
            others.add("timezone")
        Timing(**{name: values[name] for name in ("scheduled_at", "timezone", "schedule_type")}).check(others)

    def _do(self, client: TruedyClient, given: Mapping[str, Any]) -> tuple[BatchCall, dict[str, Any]]:
        from airflow_truedy.campaigns.control import Start, schedule

        self._check_timing(given)
        start = Start(given["scheduled_at"], given["timezone"], given["on_past"])
        return schedule(client, given["batch_call_id"], start), {}


class PauseBatchCallOperator(_OneBatchCall):
    """
    Hold all future calls of a batch call; calls already placed run to their end.

    A draft, and one that has ended, dial nobody and are left alone. ``CreateBatchCallOperator`` does not resume what
    was paused here, also not one that was paused before because its task was killed.
    """

    deed = "pause"

    def _do(self, client: TruedyClient, given: Mapping[str, Any]) -> tuple[BatchCall, dict[str, Any]]:
        from airflow_truedy.campaigns.control import pause

        return pause(client, given["batch_call_id"]), {}


class ResumeBatchCallOperator(_OneBatchCall):
    """
    Let a paused batch call go on, whoever paused it. Fails for a draft, one that ended ``failed``, and one in a state
    that this version does not know.

    A campaign whose start is still ahead goes back to ``scheduled``; one whose start has passed calls at once. The API
    does not tell its window: see to it yourself that the task runs inside it.
    """

    deed, lets_call = "resume", True

    def _do(self, client: TruedyClient, given: Mapping[str, Any]) -> tuple[BatchCall, dict[str, Any]]:
        from airflow_truedy.campaigns.control import resume

        return resume(client, given["batch_call_id"]), {}


class UpdateBatchCallOperator(_OneBatchCall):
    """
    Change a batch call that is a draft, scheduled or paused. Only what differs is sent.

    Start and name are read back. A start that the server did not take fails the task; if it stored a third one, neither
    the old nor the new, the batch call is paused first. For a name that it did not take there is a warning. Numbers,
    limits, window and days **cannot** be read back: the API does not show them, so the log names those that are
    unknown. They are sent each time, which does no harm. A tag that ``CreateBatchCallOperator`` put into the name stays
    in it. A parameter whose template renders to nothing is an error: leave it out if nothing is to change.

    :param name: new name, 1 to 255 characters.
    :param phone_number_ids: numbers to call from.
    :param phone_rotation_strategy: ``random``, ``sequential`` or ``round_robin``.
    :param scheduled_at: new start: ISO 8601 text, a datetime or a template; a naive value is wall time in ``timezone``.
        A moment in the past is refused, and so is one for a batch call that calls or has ended. An ``immediate`` batch
        call becomes a ``scheduled`` one.
    :param start_time: daily begin of the calling window, HH:MM wall time.
    :param end_time: daily end of the calling window, HH:MM wall time.
    :param working_days: 1 = Monday to 7 = Sunday.
    :param timezone: IANA zone of these four, required with them. For window and days it must be the batch call's own,
        which the API cannot change; if the server does not tell it, they cannot be changed from here.
    :param max_calls_per_day: at most so many calls a day.
    :param retry_failed: only older servers know it.
    """

    deed = "change"
    parameters = _UPDATE
    template_fields: Sequence[str] = _UPDATE.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {"phone_number_ids": "json", "working_days": "json"}

    def __init__(
        self,
        *,
        name: str | None = None,
        phone_number_ids: Sequence[str] | str | None = None,
        phone_rotation_strategy: str | None = None,
        scheduled_at: str | datetime | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        working_days: Sequence[int] | str | None = None,
        timezone: str | None = None,
        max_calls_per_day: int | str | None = None,
        retry_failed: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.phone_number_ids = phone_number_ids
        self.phone_rotation_strategy = phone_rotation_strategy
        self.scheduled_at = scheduled_at
        self.start_time = start_time
        self.end_time = end_time
        self.working_days = working_days
        self.timezone = timezone
        self.max_calls_per_day = max_calls_per_day
        self.retry_failed = retry_failed
        self._stated = _UPDATE.check(self)
        with naming_task(self):
            self._check_what_is_stated()

    def _check_what_is_stated(self) -> None:
        given = {field.name: getattr(self, field.name) for field in _CHANGES}
        if all(value is None for value in given.values()):
            raise InvalidPayloadError("invalid parameter", problems=[("(all)", "None", "give something to change")])
        timed = [name for name in ("scheduled_at", "start_time", "end_time", "working_days") if given[name]]
        if timed and not self.timezone:
            rule = f"is required with {', '.join(timed)}: the IANA zone on whose wall clock they are read"
            raise InvalidPayloadError("invalid parameter", problems=[("timezone", "None", rule)])
        check_window_is_possible(*(self._stated.known[name] for name in ("start_time", "end_time", "working_days")))

    def _do(self, client: TruedyClient, given: Mapping[str, Any]) -> tuple[BatchCall, dict[str, Any]]:
        from airflow_truedy.campaigns.update import update

        changes = {field.name: given[field.name] for field in _CHANGES}
        done = update(client, given["batch_call_id"], changes, given["timezone"])
        return done.batch, {"sent": done.sent, "not_taken": done.not_taken, "unreadable": done.unreadable}


class DeleteBatchCallsOperator(BaseOperator):
    """
    Delete batch calls that are drafts, failed or cancelled; all others are kept and listed.

    Deletes what may be deleted before it fails about the rest. One that is not there counts as done.

    :param batch_call_ids: one or a list, also an empty one: ids, or dicts that ``CreateBatchCallOperator`` returned.
    :param fail_if_kept: fail if one was kept (default); ``False`` warns.
    :param truedy_conn_id: connection of type ``truedy``.
    :raises AirflowFailException: if one was kept and ``fail_if_kept``.
    """

    template_fields: Sequence[str] = _DELETE.template_fields
    template_fields_renderers: ClassVar[dict[str, str]] = {"batch_call_ids": "json"}
    ui_color = "#fef7e0"

    def __init__(
        self,
        *,
        batch_call_ids: Any,
        fail_if_kept: bool = True,
        truedy_conn_id: str = "truedy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_call_ids = batch_call_ids
        self.fail_if_kept = fail_if_kept
        self.truedy_conn_id = truedy_conn_id
        self._stated = _DELETE.check(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Delete.

        :return: ``deleted`` and ``gone`` (ids), ``kept`` (id -> why).
        """
        from airflow_truedy.campaigns.control import delete
        from airflow_truedy.hooks.truedy import TruedyHook

        with failing_fast(), TruedyHook(self.truedy_conn_id) as hook:
            given = _DELETE.read(self, self._stated)
            ids = [each for each in given["batch_call_ids"] if each != kinds.ONLY_PLANNED]
            if hook.settings.dry_run or (given["batch_call_ids"] and not ids):
                return dry_summary(self.log, f"delete {len(ids)} batch calls", batch_call_ids=ids)
            outcome = delete(hook.client, ids)
        self.log.info("Deleted %d batch calls; %d were not there.", len(outcome.deleted), len(outcome.gone))
        if outcome.kept:
            listed = "; ".join(f"{batch_call_id} {why}" for batch_call_id, why in outcome.kept.items())
            story = f"{len(outcome.kept)} batch calls were not deleted: {listed}."
            if given["fail_if_kept"]:
                raise AirflowFailException(f"{story} {len(outcome.deleted)} others were.")
            self.log.warning(story)
        return outcome.to_dict()
