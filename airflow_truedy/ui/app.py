"""The web application that the API server mounts: read-only pages, and what goes with them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from airflow_truedy.ui import access
from airflow_truedy.ui.account import Accounts
from airflow_truedy.ui.pages import Pages
from airflow_truedy.ui.rendering import FOLDER, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)

_HEADERS = {
    # Nothing from elsewhere, and shown inside Airflow alone.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class _Files(StaticFiles):
    """The style sheet, the script and the icons. They hold nothing of anybody, so nobody is asked to sign in."""

    async def get_response(self, path: str, scope: object) -> Response:
        response = await super().get_response(path, scope)  # type: ignore[arg-type]
        response.headers.update(_HEADERS)
        return response


def build() -> Starlette:
    """Return the application. It has no documentation of endpoints, and only GET and HEAD."""
    pages = Pages(Accounts(access.settings_of))
    return Starlette(
        routes=[
            Route("/", _guarded(pages.home), name="home"),
            Route("/campaigns", _guarded(pages.campaigns), name="campaigns"),
            Route("/run", _guarded(pages.run), name="run"),
            Route("/plan.svg", _guarded(pages.plan_picture), name="plan"),
            Mount("/static", _Files(directory=FOLDER / "static"), name="static"),
        ],
        exception_handlers={HTTPException: _refusal},
    )


def _guarded(handler: Handler) -> Handler:
    """Give every answer the headers, and tell an error without what is in it."""

    async def answer(request: Request) -> Response:
        try:
            response = await handler(request)
        except HTTPException as problem:
            response = _refusal(request, problem)
        except Exception:
            log.exception("The page %s cannot be shown.", request.url.path)
            told = "This page cannot be shown. The API server's log tells why."
            response = _refusal(request, HTTPException(500, told))
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answer


def _refusal(request: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    detail = problem.detail if isinstance(problem, HTTPException) else ""
    html = render("refusal.html", status=status, detail=detail, airflow=request.scope.get("app_root_path", ""))
    return HTMLResponse(html, status, headers=_HEADERS)
