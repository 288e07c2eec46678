"""The OpenAPI document tells the truth: every answer of a whole campaign's life is as it describes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from truedy_sandbox.testing import AGENT, SandboxClient


class DescribedApi(SandboxClient):
    """Checks every answer against the document, and remembers which operations were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.document = self.app.openapi()
        # Not even a field too many: the real service may add some, the sandbox has to say so.
        for schema in self.document["components"]["schemas"].values():
            schema.setdefault("additionalProperties", False)
        self.asked: set[str] = set()

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = super().ask(method, path, body, **more)
        operation = self._operation(method, path)
        responses = operation["responses"]
        described = responses.get(str(answer.status_code), responses["default"])
        schema = {**described["content"]["application/json"]["schema"], "components": self.document["components"]}
        Draft202012Validator(schema).validate(answer.json())
        if answer.status_code < 300:
            self.asked.add(operation["operationId"])
        return answer

    def _operation(self, method: str, path: str) -> Any:
        # Fixed paths come first in the document, as they do in the router.
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"{\w+}", "[^/]+", template)
            if method.lower() in operations and re.fullmatch(pattern, f"/api/public/v1/{path}"):
                return operations[method.lower()]
        raise AssertionError(f"{method} {path} is not in the document")


def test_every_operation_answers_as_the_document_says() -> None:
    api = DescribedApi()
    draft = api.draft(40)
    api.post(f"batch-calls/{draft}/contacts", {"contacts": [{"phone_number": "+12125550199"}]})
    api.ask("PATCH", f"batch-calls/{draft}", {"name": "Renewals 2"})
    api.post(f"batch-calls/{draft}/schedule", {})
    api.advance(30)
    api.post(f"batch-calls/{draft}/pause")
    api.post(f"batch-calls/{draft}/resume")
    api.advance(20)
    api.get("calls")
    api.advance(86400)
    api.get("batch-calls")
    api.get(f"batch-calls/{draft}")
    api.get(f"batch-calls/{draft}/contacts", limit=100)
    calls = api.get("calls", limit=100)["data"]
    answered = next(each["id"] for each in calls if each["recording_url"] and each["status"] == "completed")
    for end in ("", "/transcript", "/recording"):
        api.get(f"calls/{answered}{end}")
    api.post("calls", {"agent_id": AGENT, "phone_number": "+12125550199"})
    api.post("calls/bulk-delete", {"ids": [answered, "call_unknown"]})
    folder = api.post("contacts/folders", {"name": "Customers"})["id"]
    rows = b"phone,name,plan\n+12125550101,Ann Example,gold\nnonsense,,\n"
    api.post("contacts/import", files={"file": ("people.csv", rows, "text/csv")}, data={"folder_id": folder})
    contact = api.post("contacts", {"phone_number": "+12125550102", "folder_id": folder})["id"]
    api.ask("PATCH", f"contacts/{contact}", {"first_name": "Ann"})
    api.get("contacts")
    api.get("contacts/folders")
    api.ask("DELETE", f"contacts/folders/{folder}")
    api.get("agents")
    api.get(f"agents/{AGENT}")
    api.get("telephony/numbers")
    api.ask("DELETE", f"batch-calls/{api.draft()}")
    api.post("batch-calls/bulk-delete", {"ids": [api.draft(), draft]})
    operations = (each for path in api.document["paths"].values() for each in path.values())
    assert {each["operationId"] for each in operations} - api.asked == set()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "batch-calls/batch_unknown", None, 404),
        ("POST", "batch-calls", {"name": ""}, 422),
        ("POST", "batch-calls/batch_unknown/schedule", None, 404),
        ("GET", "agents", None, 401),
    ],
)
def test_a_refusal_is_as_the_document_says(method: str, path: str, body: Any, status: int) -> None:
    api = DescribedApi()
    if status == 401:
        api.headers = {}
    assert api.ask(method, path, body).status_code == status
