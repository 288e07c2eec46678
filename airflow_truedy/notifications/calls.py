"""Ring the person on call when something goes wrong."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from airflow.sdk import Context

    from airflow_truedy.api.models import CallRequest

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_DIGITS_KEPT = 6


class TruedyCallNotifier(BaseNotifier):
    """
    Let an agent ring the person on call. For callbacks of tasks and Dags, and for ``DeadlineAlert``.

    **It rings at whatever hour.** The same person is rung once in ``once_in_minutes`` at most, whichever task, Dag or
    process asks; in doubt nobody is rung. A ring is never repeated. Whatever goes wrong here is logged and fails
    nothing.

    The number is the password of an Airflow connection: it is in no Dag, log or rendered field, and a new person on
    call needs no new Dag. The last ring is remembered in an Airflow variable ``truedy_on_call_...`` (without the
    number) and read from the agent's calls. Where no variable can be written (``SyncCallback``) the calls alone decide,
    and two processes that ask in the same seconds may both ring.

    :param agent_id: the agent that calls. Give it a job of its own: its calls are looked through.
    :param on_call_conn_id: connection of any type whose password is the number, E.164. Default: ``truedy_on_call``.
    :param once_in_minutes: how long the person is left in peace; up to five minutes more, because clocks
        differ. Default: 30.
    :param variables: more values for the agent's prompt, text to text. It always gets ``dag_id``, ``task_id``,
        ``run_id`` and ``error_class``, such as ``AirflowFailException`` or ``DeadlineMissed``.
    :param truedy_conn_id: connection of type ``truedy``; its ``dry_run`` and ``only_numbers`` hold here too.
    :param context: given by Airflow.
    """

    def __init__(
        self,
        *,
        agent_id: str,
        on_call_conn_id: str = "truedy_on_call",
        once_in_minutes: float = 30,
        variables: Mapping[str, str] | None = None,
        truedy_conn_id: str = "truedy_default",
        context: Context | None = None,
    ) -> None:
        super().__init__()
        if not once_in_minutes >= 1:
            raise ValueError(f"once_in_minutes must be 1 or more; it is {once_in_minutes!r}.")
        self.context = context or {}
        self.agent_id = agent_id
        self.on_call_conn_id = on_call_conn_id
        self.once_in_minutes = once_in_minutes
        self.variables = dict(variables or {})
        self.truedy_conn_id = truedy_conn_id

    def __call__(self, *args: Any) -> None:
        """Ring. Nothing is templated, so that nothing of Airflow's own can fail on the way."""
        self.notify(args[0] if len(args) == 1 else {})

    def __await__(self) -> Generator[Any, None, None]:
        """Ring from the triggerer."""
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """Ring, and log what came of it."""
        try:
            self._ring(context)
        except Exception as problem:
            # The type alone: nobody knows what an error of another library repeats.
            self.log.error("The person on call was NOT rung: %s.", type(problem).__name__)

    async def async_notify(self, context: Context) -> None:
        """Ring from the triggerer, in a thread: it takes seconds."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def _ring(self, context: Context) -> None:
        from airflow_truedy.campaigns.on_call import OnCallRing
        from airflow_truedy.hooks.short_lived import short_lived_client
        from airflow_truedy.hooks.truedy import TruedyHook

        hook = TruedyHook(self.truedy_conn_id)
        number = hook.get_connection(self.on_call_conn_id).password
        request = self._request(number, context)
        if request is None:
            return
        if hook.settings.dry_run:
            self.log.warning("Dry run: nobody is rung. Without it, the person on call would be.")
            return
        with short_lived_client(hook.settings) as client:
            register = VariableRegister(request.phone_number)
            call_id, told = OnCallRing(client, request, register, every=timedelta(minutes=self.once_in_minutes)).ring()
        if call_id:
            self.log.info("The person on call is rung: call %s.", call_id)
        else:
            self.log.warning("The person on call was NOT rung: %s.", told.rstrip("."))

    def _request(self, number: str | None, context: Context) -> CallRequest | None:
        from airflow_truedy.api.errors import InvalidPayloadError
        from airflow_truedy.api.models import CallRequest
        from airflow_truedy.formats import is_e164

        number = (number or "").strip()
        if not is_e164(number):
            self.log.error(
                "The person on call was NOT rung: the password of connection %r is not a number in E.164 form.",
                self.on_call_conn_id,
            )
            return None
        variables = {**self.variables, **facts_of(context)}
        try:
            return CallRequest.checked(agent_id=self.agent_id, phone_number=number, variables=variables)
        except InvalidPayloadError as problem:
            self.log.error("The person on call was NOT rung: %s", problem)
            return None


def facts_of(context: Mapping[str, Any]) -> dict[str, str]:
    """
    Return what the agent is told of a callback's context, or of the smaller one of a ``DeadlineAlert``.

    :return: ``dag_id``, ``task_id``, ``run_id``, ``error_class``; an empty text for what is not known.
    """
    ti, run = context.get("ti") or context.get("task_instance"), context.get("dag_run")
    dag_id = _first(ti, run, names=("dag_id",))
    run_id = _first(ti, run, names=("run_id", "dag_run_id")) or str(context.get("run_id") or "")
    # Of a Dag's own failure Airflow gives some task instance along.
    task_id = "" if "reason" in context else _first(ti, names=("task_id",))
    return {"dag_id": dag_id, "task_id": task_id, "run_id": run_id, "error_class": _error_class(context)}


def _first(*things: Any, names: tuple[str, ...]) -> str:
    """Return the first name that a thing has, as an attribute or as a key."""
    for thing in things:
        for name in names:
            found = thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
            if found:
                return str(found)
    return ""


def _error_class(context: Mapping[str, Any]) -> str:
    error = context.get("exception")
    if isinstance(error, BaseException):
        return type(error).__name__
    if "deadline" in context:
        return "DeadlineMissed"
    # As text it may hold anything; its first word is a class or nothing.
    word = _WORD.match(str(error or context.get("reason") or ""))
    return word[0].rpartition(".")[2] if word else ""


class VariableRegister:
    """
    An Airflow variable that remembers when a person was rung last.

    :param number: the person's; six digits of its digest are part of the variable's name.
    """

    def __init__(self, number: str) -> None:
        from airflow_truedy.campaigns.identity import digest

        self._name = f"truedy_on_call_{digest(number, _DIGITS_KEPT)}"

    def get(self) -> dict[str, Any] | None:
        """Return what was kept."""
        from airflow.sdk import Variable

        try:
            kept = json.loads(Variable.get(self._name, default="{}"))
        except ValueError:
            return None
        return kept if isinstance(kept, dict) else None

    def set(self, value: dict[str, Any]) -> None:
        """Keep ``value``."""
        from airflow.sdk import Variable

        Variable.set(self._name, json.dumps(value), description="When TruedyCallNotifier rang this person last.")
