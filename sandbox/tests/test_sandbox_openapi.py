"""The OpenAPI document: printed alike every time, and what is served."""

from __future__ import annotations

import json

from truedy_sandbox.cli import main


def test_the_document_is_printed_alike_every_time_and_is_what_is_served(api, capsys):
    printed = []
    for _ in range(2):
        assert main(["--openapi"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].endswith("}\n")
    assert json.loads(printed[0]) == api.get("openapi.json")
