"""
Check a Truedy server before the first campaign: ``python -m airflow_truedy.check --conn-id truedy_default``.

It shows which of the promises that a launch rests on hold there, which ``settle`` fits, and a report for a bug report.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_truedy import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_truedy.campaigns.server_check import ServerCheck

_ABOUT = """\
Makes one draft with {contacts} fictional numbers (555-0100 to 555-0199) on the server of {conn_id}, and deletes it.
It takes about a minute. Nothing is scheduled. What the server starts by itself would begin in 30 days, and is paused
at once.
"""
_WORDS = {True: "holds", False: "DOES NOT HOLD", None: "not known"}


def report_of(check: ServerCheck) -> dict[str, Any]:
    """Return everything that was found as plain JSON, without keys, numbers, names, ids and addresses."""
    return {
        "version": __version__,
        "complete": check.complete,
        "findings": [asdict(each) for each in check.findings],
        "lags": check.lags,
        "settle": check.settle()[0],
        "left_behind": len(check.left_behind),
    }


def show(check: ServerCheck, settle: float) -> int:
    """
    Print what was found; return 0 if no promise is broken, 1 if one is, 2 if the check stopped before its end.

    :param settle: what the connection states, in seconds.
    """
    _say("")
    for each in check.findings:
        _say(f"{_WORDS[each.holds]:>13}  {each.promise}: {each.found}")
    for what, lag in check.lags.items():
        _say(f"{'':>13}  {what} after {lag:.1f} s" if lag is not None else f"{'NOT SEEN':>13}  {what}")
    fits, advice = check.settle()
    _say(f"\n{advice}.")
    if fits and settle < fits:
        _say(f"The connection has settle = {settle:g}: raise it.")
    broken = [each for each in check.findings if each.holds is False]
    if not check.complete:
        _say("The check did not come to its end, so of what is not listed above nothing is known.")
    elif broken:
        _say(f'{len(broken)} of {len(check.findings)} do not hold: see "What the check found" in docs/safety.md.')
    else:
        _say("Everything that could be tried holds.")
    if check.left_behind:
        _say(f"Left behind, delete by hand: {', '.join(check.left_behind)}")
    _say(f"\nTo attach to a bug report:\n{json.dumps(report_of(check))}")
    if not check.complete:
        return 2
    return 1 if broken else 0


def main(arguments: Sequence[str] | None = None, **timing: Any) -> int:
    """
    Check the server of a connection and show what was found; for the exit code see :func:`show`.

    :param timing: ``sleep``, ``clock`` and ``now`` of :class:`~airflow_truedy.campaigns.server_check.ServerCheck`.
    """
    parser = argparse.ArgumentParser("python -m airflow_truedy.check", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--conn-id", default="truedy_default", help="the Airflow connection (default: %(default)s)")
    parser.add_argument("--agent-id", help="the draft's agent (default: the first one that is active and has a number)")
    options = parser.parse_args(arguments)
    # Only now: --help needs neither Airflow nor the client.
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_truedy.campaigns.server_check import CONTACTS, ServerCheck
    from airflow_truedy.compat import stored_connection
    from airflow_truedy.hooks.settings import ClientSettings, ConnectionFieldError
    from airflow_truedy.hooks.truedy import TruedyHook

    # One line for each request would hide what is found.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    _say(_ABOUT.format(contacts=CONTACTS, conn_id=options.conn_id))
    try:
        # Outside of tasks a hook itself finds no connection that was made in the UI.
        connection = stored_connection(options.conn_id)
        with TruedyHook(options.conn_id) as hook:
            hook.settings = ClientSettings.read(connection, connection.extra_dejson)
            if hook.client.dry_run or hook.client.only_numbers:
                _say(
                    f"The connection {options.conn_id!r} has dry_run or only_numbers: no draft can be made with it. "
                    "Check with the connection that production uses: the check calls nobody."
                )
                return 2
            check = ServerCheck(hook.client, say=_say, **timing)
            check.run(options.agent_id)
            return show(check, hook.settings.settle)
    except AirflowNotFoundException:
        _say(
            f"This Airflow has no connection {options.conn_id!r}. Make it in the UI, or set "
            f"AIRFLOW_CONN_{options.conn_id.upper()}, and run this where AIRFLOW_HOME or "
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN lead to the same database as Airflow's own processes."
        )
        return 2
    except ConnectionFieldError as error:
        _say(str(error))
        return 2


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
