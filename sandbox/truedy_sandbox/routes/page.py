"""The page for people."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse

router = APIRouter()


@cache
def _html() -> str:
    return (files("truedy_sandbox") / "page.html").read_text(encoding="utf-8")


@router.get("/")
async def page() -> HTMLResponse:
    """Show campaigns and contacts, live."""
    return HTMLResponse(_html())
