"""The command line: ``truedy-sandbox``, or ``python -m truedy_sandbox``."""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from truedy_sandbox.settings import SECTIONS, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Build the parser; every field of :class:`Settings` is an option."""
    result = argparse.ArgumentParser(
        prog="truedy-sandbox",
        usage="%(prog)s [options]",
        description="A local, stateful Truedy to develop against: same API, no calls, no money.",
    )
    result.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    result.add_argument("--port", type=int, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    result.add_argument("--allow-foreign-hosts", action="store_true", help="listen on an address that is not loopback")
    result.add_argument("--state-file", type=Path, help="keep the state in this file; default: in memory only")
    result.add_argument("--stop-with-stdin", action="store_true", help="end when standard input ends")
    result.add_argument("--openapi", action="store_true", help="print the OpenAPI document of the API and end")
    kinds = get_type_hints(Settings)
    section: Any = result
    for each in fields(Settings):
        if each.name in SECTIONS:
            section = result.add_argument_group(SECTIONS[each.name])
        section.add_argument(
            f"--{each.name.replace('_', '-')}",
            default=each.default,
            help=f"{each.metadata['help']} (default: %(default)s)".replace("%(default)s", str(each.default)),
            **_how(kinds[each.name]),
        )
    return result


def _how(kind: Any) -> dict[str, Any]:
    if kind is bool:
        return {"action": "store_true"}
    if get_origin(kind) is not None and all(isinstance(each, str) for each in get_args(kind)):
        return {"choices": get_args(kind)}
    if kind in (int, float, str):
        return {"type": kind}
    return {"type": _moment}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is stopped, or print its OpenAPI document."""
    options = parser().parse_args(arguments)
    if options.openapi:
        from truedy_sandbox.app import create_app

        _say(json.dumps(create_app().openapi(), indent=2) + "\n")
        return 0
    if not (options.allow_foreign_hosts or _is_loopback(options.host)):
        return _refuse(f"{options.host} is not a loopback address; add --allow-foreign-hosts to mean it")
    # Only now: the help and the refusal above need no web framework.
    from truedy_sandbox.app import create_app
    from truedy_sandbox.server import listen, serve_until_stopped

    try:
        settings = Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
        app = create_app(settings, state_file=options.state_file)
        listener = listen(app, options.host, options.port)
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    greeting = _greeting(options.host, listener.getsockname()[1], settings)
    serve_until_stopped(app, listener, lambda: _say(f"{greeting}\nready\n"), stop_with_stdin=options.stop_with_stdin)
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(reason + "\n")
    return 2


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _greeting(host: str, port: int, settings: Settings) -> str:
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    extra = {"settle": settings.settle}
    connection = json.dumps({"conn_type": "truedy", "password": settings.api_key, "host": url, "extra": extra})
    return (
        f"Truedy sandbox at {url} (key {settings.api_key}); for Airflow:"
        f" export AIRFLOW_CONN_TRUEDY_DEFAULT='{connection}'"
        f" or: airflow connections add truedy_default --conn-json '{connection}'"
    )
