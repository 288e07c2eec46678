"""The OpenAPI document: requests as FastAPI knows them; answers, which the routes build as plain JSON, by models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from truedy_sandbox import answer_schemas as answers

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import APIRoute
    from pydantic import BaseModel

_ABOUT = """What the sandbox serves under its default settings, written from Truedy's own documents.

Other settings speak the other dialects of these documents. Nobody here has seen the live service."""

#: What each endpoint answers in ``data``, by the name of its function; a list is one page.
_DATA: dict[str, type[BaseModel] | list[type[BaseModel]]] = {
    "list_batch_calls": [answers.BatchCall],
    "create_batch_call": answers.BatchCall,
    "delete_batch_calls": answers.SeveralDeleted,
    "get_batch_call": answers.BatchCall,
    "update_batch_call": answers.BatchCall,
    "delete_batch_call": answers.Deleted,
    "schedule_batch_call": answers.BatchCallScheduled,
    "pause_batch_call": answers.BatchCallPaused,
    "resume_batch_call": answers.BatchCallResumed,
    "list_batch_call_contacts": [answers.BatchCallContact],
    "add_contacts": answers.ContactsAdded,
    "list_contacts": [answers.Contact],
    "create_contact": answers.Contact,
    "update_contact": answers.Contact,
    "list_folders": [answers.Folder],
    "create_folder": answers.Folder,
    "delete_folder": answers.Deleted,
    "import_contacts": answers.Imported,
    "list_calls": [answers.Call],
    "create_call": answers.CallPlaced,
    "delete_calls": answers.SeveralDeleted,
    "get_call": answers.Call,
    "get_transcript": answers.Transcript,
    "get_recording": answers.Recording,
    "list_agents": [answers.Agent],
    "get_agent": answers.Agent,
    "list_numbers": [answers.PhoneNumber],
}
_WITH_KEY = ("create_batch_call", "create_call")
_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def operation_name(route: APIRoute) -> str:
    """Return the name of the endpoint's function, which is the operation's id."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app whose operations are named by :func:`operation_name`."""
    document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    models: list[type[BaseModel]] = [answers.Meta, answers.Pagination, answers.Error]
    for data in _DATA.values():
        models += data if isinstance(data, list) else [data]
    _, described = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    components = document["components"]
    schemas = {**components["schemas"], **described["$defs"]}
    components["schemas"] = {name: schemas[name] for name in sorted(schemas) if name not in _FRAMEWORK}
    components["securitySchemes"] = {"BearerAuth": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"BearerAuth": []}]
    for operations in document["paths"].values():
        for operation in operations.values():
            _describe_operation(operation)
    _drop_titles(document["paths"])
    _drop_titles(components)
    return document


def _describe_operation(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    responses = operation["responses"]
    responses.pop("422", None)
    (success,) = responses.values()
    success["description"] = "Success"
    success["content"]["application/json"]["schema"] = _envelope(_DATA[name])
    responses["default"] = {"description": "Refused", "content": {"application/json": {"schema": _ref(answers.Error)}}}
    if name in _WITH_KEY:
        key = {"name": "X-Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}}
        operation.setdefault("parameters", []).append(key)


def _drop_titles(part: Any) -> None:
    """Remove the titles that only repeat a field's name; a field that is named title is not text, so it stays."""
    if isinstance(part, dict):
        if isinstance(part.get("title"), str):
            del part["title"]
        for each in part.values():
            _drop_titles(each)
    elif isinstance(part, list):
        for each in part:
            _drop_titles(each)


def _envelope(data: type[BaseModel] | list[type[BaseModel]]) -> dict[str, Any]:
    if not isinstance(data, list):
        return _object(data=_ref(data), meta=_ref(answers.Meta))
    rows = {"type": "array", "items": _ref(data[0])}
    return _object(data=rows, meta=_ref(answers.Meta), pagination=_ref(answers.Pagination))


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
