"""Contacts and folders."""

# ruff: noqa: TC001, TC002 - FastAPI reads these annotations when the app starts
from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from starlette.responses import Response

from truedy_sandbox.answers import answer, world_of
from truedy_sandbox.contact_book import Contact
from truedy_sandbox.problems import invalid
from truedy_sandbox.reading import page_answer, page_size, places_on_page, state_for_list
from truedy_sandbox.routes.common import Limit, Offset
from truedy_sandbox.schemas import ContactCreate, ContactUpdate, FolderCreate, plain
from truedy_sandbox.views import contact_view, folder_view

router = APIRouter(prefix="/contacts", tags=["contacts"])


@router.get("")
async def list_contacts(
    request: Request,
    folder_id: str | None = None,
    search: str | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """List contacts, the newest first; paged by offset or, by setting, by page."""
    state = state_for_list(request)
    by_page = state.settings.contacts_paging == "page"
    start = (page - 1) * page_size(request, limit) if by_page else offset
    found = _find(list(reversed(state.book.contacts.values())), folder_id, search)
    rows = [contact_view(found[at], state) for at in places_on_page(request, len(found), limit, start)]
    return page_answer(request, rows, len(found), limit, start, page=page if by_page else None)


def _find(contacts: list[Contact], folder_id: str | None, search: str | None) -> list[Contact]:
    if folder_id is not None:
        contacts = [each for each in contacts if each.folder_id == folder_id]
    if search:
        wanted = search.lower()
        contacts = [
            each
            for each in contacts
            if any(wanted in (text or "").lower() for text in (each.name, each.phone_number, each.email))
        ]
    return contacts


@router.post("", status_code=201)
async def create_contact(request: Request, body: ContactCreate) -> Response:
    """Create a contact."""
    request.state.contacts = 1
    return answer(request, world_of(request).do("create_contact", plain(body)), 201)


@router.patch("/{contact_id}")
async def update_contact(request: Request, contact_id: str, body: ContactUpdate) -> Response:
    """Change a contact."""
    changes = plain(body, only_set=True)
    return answer(request, world_of(request).do("update_contact", {"id": contact_id, "changes": changes}))


@router.get("/folders")
async def list_folders(
    request: Request,
    limit: Limit = 50,
    offset: Offset = 0,
    sort_by: Literal["name", "created_at", "contact_count"] = "created_at",
    order: Literal["asc", "desc"] = "desc",
) -> Response:
    """List folders; by setting all at once without paging."""
    state = state_for_list(request)
    folders = [folder_view(each, state.settings) for each in state.book.folders.values()]
    folders.sort(key=lambda folder: folder[sort_by], reverse=order == "desc")
    if state.settings.folders_paging == "none":
        return answer(request, folders)
    rows = [folders[at] for at in places_on_page(request, len(folders), limit, offset)]
    return page_answer(request, rows, len(folders), limit, offset)


@router.post("/folders", status_code=201)
async def create_folder(request: Request, body: FolderCreate) -> Response:
    """Create a folder."""
    return answer(request, world_of(request).do("create_folder", plain(body)), 201)


@router.delete("/folders/{folder_id}")
async def delete_folder(request: Request, folder_id: str) -> Response:
    """Delete a folder and all contacts in it."""
    return answer(request, world_of(request).do("delete_folder", {"id": folder_id}))


@router.post("/import")
async def import_contacts(
    request: Request,
    file: Annotated[UploadFile, File()],
    folder_id: Annotated[str | None, Form()] = None,
    overwrite_existing: Annotated[bool, Form()] = False,
) -> Response:
    """Import contacts from a CSV file."""
    world = world_of(request)
    rows = _rows(await file.read(), world.settings.csv_phone_column)
    request.state.contacts = len(rows)
    arguments = {"rows": rows, "folder_id": folder_id or None, "overwrite": overwrite_existing}
    result = world.do("import_contacts", arguments)
    if world.settings.import_answer == "snapshot":
        errors = [{"row": each["row"], "error": each["reason"]} for each in result["error_details"]]
        result = {
            "successful": result["imported"] + result["updated"],
            "failed": result["errors"],
            "errors": errors or None,
        }
    return answer(request, result)


def _rows(content: bytes, phone_column: str) -> list[dict[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        if phone_column not in (reader.fieldnames or ()):
            raise invalid("file", f"the column '{phone_column}' is required")
        return [_row(each, phone_column) for each in reader]
    except (UnicodeDecodeError, csv.Error):
        raise invalid("file", "not a CSV file in UTF-8") from None


def _row(cells: dict[str | Any, str | Any], phone_column: str) -> dict[str, Any]:
    """Turn a row into contact fields; columns without a meaning of their own become custom fields."""
    first, _, last = str(cells.get("name") or "").strip().partition(" ")
    known = {phone_column, "name", "email"}
    custom = {str(k): v for k, v in cells.items() if k and k not in known and isinstance(v, str) and v}
    return {
        "phone_number": str(cells.get(phone_column) or "").strip(),
        "first_name": first or None,
        "last_name": last or None,
        "email": cells.get("email") or None,
        "custom_fields": custom,
    }
