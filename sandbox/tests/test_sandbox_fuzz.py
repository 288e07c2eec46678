"""Whatever is sent, the sandbox never answers 500: fuzzed against the OpenAPI document that it serves."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from truedy_sandbox.app import create_app
from truedy_sandbox.clock import VirtualClock
from truedy_sandbox.settings import Settings
from truedy_sandbox.testing import AGENT, MONDAY, people

SETTINGS = Settings(rate_limit=0, error_shape="framework")
app = create_app(SETTINGS, clock=VirtualClock(MONDAY, speed=0))
world = app.state.world
# Something to find, so that more than the refusals is reached.
batch = world.do(
    "create_batch",
    {
        "name": "x",
        "agent_id": AGENT,
        "phone_rotation_strategy": "random",
        "schedule_type": "immediate",
        "timezone": "UTC",
        "contacts": people(9),
    },
)["id"]
call = world.do("create_call", {"agent_id": AGENT, "phone_number": "+12125550199"})["id"]
contact = world.do("create_contact", {"phone_number": "+12125550100"})["id"]
folder = world.do("create_folder", {"name": "x"})["id"]
KNOWN = {"batch_call_id": batch, "call_id": call, "contact_id": contact, "folder_id": folder, "agent_id": AGENT}

schema = schemathesis.openapi.from_asgi("/api/public/v1/openapi.json", app)
operations = [result.ok() for result in schema.get_all_operations()]


def test_the_document_names_every_endpoint_with_a_known_path():
    found = {(each.method.upper(), each.path.removeprefix("/api/public/v1")) for each in operations}
    assert len(found) == 27
    assert {("POST", "/batch-calls"), ("POST", "/contacts/import"), ("GET", "/telephony/numbers")} < found


@schema.parametrize()
@settings(
    max_examples=40,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_answered_500(case):
    headers = {"Authorization": f"Bearer {SETTINGS.api_key}"}
    case.call_and_validate(headers=headers, checks=[not_a_server_error])
    for name in set(case.path_parameters or ()) & set(KNOWN):
        case.path_parameters[name] = KNOWN[name]
    if isinstance(case.body, dict) and "agent_id" in case.body:
        case.body["agent_id"] = AGENT
    if case.path_parameters or case.body:
        case.call_and_validate(headers=headers, checks=[not_a_server_error])
