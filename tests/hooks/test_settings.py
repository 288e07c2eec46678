from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_truedy.hooks.settings import ClientSettings, ConnectionFieldError

KEY = "truedy_0123456789abcdefghijklmn"
DEFAULT = "https://api.truedy.ai/api/public/v1"


class Fields:
    """A connection as the form fills it."""

    def __init__(self, **fields: Any) -> None:
        self.conn_id = "crm"
        self.host: str | None = fields.get("host")
        self.port: int | None = fields.get("port")
        self.schema: str | None = fields.get("schema")
        self.password: str | None = fields.get("password", KEY)
        self.extra: str | None = fields.get("extra")


def read(extra: dict[str, Any] | None = None, **fields: Any) -> ClientSettings:
    return ClientSettings.read(Fields(**fields), extra or {})


@pytest.mark.parametrize(
    ("host", "port", "base_url"),
    [
        (None, None, DEFAULT),
        ("", None, DEFAULT),
        ("api.truedy.ai", None, DEFAULT),
        (" api.truedy.ai ", None, DEFAULT),
        ("https://api.truedy.ai", None, DEFAULT),
        ("https://api.truedy.ai/", None, DEFAULT),
        ("https://api.truedy.ai/api/public/v1/", None, DEFAULT),
        ("truedy.internal:8443", None, "https://truedy.internal:8443/api/public/v1"),
        ("truedy.internal", 8443, "https://truedy.internal:8443/api/public/v1"),
        ("truedy.internal:8443", 9, "https://truedy.internal:8443/api/public/v1"),
        ("truedy.internal/gateway/v1", None, "https://truedy.internal/gateway/v1"),
        ("https://truedy.internal/gateway/v1", 8443, "https://truedy.internal:8443/gateway/v1"),
        ("http://127.0.0.1:8123", None, "http://127.0.0.1:8123/api/public/v1"),
        ("http://localhost", 8123, "http://localhost:8123/api/public/v1"),
        ("http://[::1]:8123", None, "http://[::1]:8123/api/public/v1"),
        ("http://127.8.9.1:8123/x", None, "http://127.8.9.1:8123/x"),
    ],
)
def test_a_host_becomes_a_base_url(host: str | None, port: int | None, base_url: str) -> None:
    assert read(host=host, port=port).base_url == base_url


@pytest.mark.parametrize("host", ["http://api.truedy.ai", "http://10.0.0.5:8000", "http://localhost.evil.test"])
def test_the_key_is_never_sent_unencrypted_to_another_machine(host: str) -> None:
    with pytest.raises(ConnectionFieldError, match=r"'crm'.*unencrypted.*https://"):
        read(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "ftp://api.truedy.ai",
        "https://",
        "://",
        "host:port",
        "https://[::1",
        "https://x.test/v1?a=b",
        "a.test#b",
        "truedy_0123abcd",
    ],
)
def test_what_is_no_address_is_refused_naming_the_field(host: str) -> None:
    with pytest.raises(ConnectionFieldError, match="'crm': host is not an address"):
        read(host=host)


def test_credentials_in_the_host_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConnectionFieldError, match="user name or password") as refused:
        read(host="https://anna:s3cret@truedy.internal")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("password", [None, "", "   "])
def test_a_missing_key_is_named_with_its_field(password: str | None) -> None:
    with pytest.raises(ConnectionFieldError, match=r"'crm': there is no API key.*password") as refused:
        read(password=password)
    assert refused.value.retryable is False


def test_white_space_around_a_pasted_key_is_dropped() -> None:
    assert read(password=f" {KEY}\n").api_key == KEY


@pytest.mark.parametrize(
    ("extra", "field", "value"),
    [
        ({}, "requests_per_minute", 60),
        ({"requests_per_minute": ""}, "requests_per_minute", 60),
        ({"requests_per_minute": None}, "requests_per_minute", 60),
        ({"requests_per_minute": "30"}, "requests_per_minute", 30),
        ({"requests_per_minute": 0}, "requests_per_minute", 0),
        ({}, "timeout", None),
        ({"timeout": ""}, "timeout", None),
        ({"timeout": 0}, "timeout", None),
        ({"timeout": "12.5"}, "timeout", 12.5),
        ({}, "verify", True),
        ({"verify": ""}, "verify", True),
        ({"verify": "False"}, "verify", False),
        ({"verify": "false"}, "verify", False),
        ({"verify": False}, "verify", False),
        ({"verify": "0"}, "verify", False),
        ({"verify": "true"}, "verify", True),
        ({"verify": "/etc/ssl/corporate.pem"}, "verify", "/etc/ssl/corporate.pem"),
        ({}, "proxy", None),
        ({"proxy": ""}, "proxy", None),
        ({"proxy": "http://proxy.internal:3128"}, "proxy", "http://proxy.internal:3128"),
        ({}, "headers", {}),
        ({"headers": {"X-Team": "crm"}}, "headers", {"X-Team": "crm"}),
        ({"headers": '{"X-Team": "crm"}'}, "headers", {"X-Team": "crm"}),
    ],
)
def test_extra_fields_are_read_also_where_they_are_text(extra: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(read(extra), field) == value


@pytest.mark.parametrize(
    "extra",
    [
        {"timeout": "soon"},
        {"timeout": -1},
        {"timeout": "nan"},
        {"timeout": "inf"},
        {"timeout": True},
        {"requests_per_minute": [60]},
        {"headers": "X-Team: crm"},
        {"headers": ["X-Team"]},
        {"headers": '["X-Team"]'},
    ],
)
def test_an_extra_field_that_cannot_be_used_is_named(extra: dict[str, Any]) -> None:
    (name,) = extra
    with pytest.raises(ConnectionFieldError, match=f"'crm': extra '{name}'"):
        read(extra)


def test_settings_show_no_secret() -> None:
    shown = repr(read({"headers": {"X-Gateway-Token": "t0ken"}, "proxy": "http://anna:s3cret@proxy"}))
    for secret in (KEY, "t0ken", "s3cret"):
        assert secret not in shown


FORMS = {
    "UI fields": {
        "conn_type": "truedy",
        "host": "truedy.internal",
        "port": 8443,
        "password": KEY,
        "extra": {"timeout": 5},
    },
    "JSON": json.dumps(
        {"conn_type": "truedy", "host": "https://truedy.internal:8443", "password": KEY, "extra": {"timeout": "5"}}
    ),
    "JSON with text extra": json.dumps(
        {"conn_type": "truedy", "host": "truedy.internal:8443", "password": KEY, "extra": '{"timeout": 5}'}
    ),
    "URI": f"truedy://:{KEY}@truedy.internal:8443?timeout=5",
    "URI with an address": f"truedy://:{KEY}@https%3A%2F%2Ftruedy.internal%3A8443?timeout=5",
    "URI with a path": f"truedy://:{KEY}@truedy.internal:8443/api/public/v1?timeout=5",
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_connection_means_the_same_in_all_its_forms(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = FORMS[form]
    monkeypatch.setenv("AIRFLOW_CONN_CRM", written if isinstance(written, str) else json.dumps(written))
    connection = BaseHook.get_connection("crm")
    settings = ClientSettings.read(connection, connection.extra_dejson)
    assert settings == ClientSettings(
        api_key=KEY,
        base_url="https://truedy.internal:8443/api/public/v1",
        user_agent=settings.user_agent,
        timeout=5.0,
        name="crm",
    )


def test_the_path_of_a_uri_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CRM", f"truedy://:{KEY}@gateway.internal/voice/v2")
    connection = BaseHook.get_connection("crm")
    assert ClientSettings.read(connection, {}).base_url == "https://gateway.internal/voice/v2"


@pytest.mark.parametrize("extra", ['{"dry_run": true,}', "{'dry_run': True}", "dry_run", '{"dry_run": true'])
def test_an_extra_that_airflow_cannot_read_does_not_end_a_dry_run(extra: str) -> None:
    with pytest.raises(ConnectionFieldError, match="'crm': extra must be a JSON object"):
        ClientSettings.read(Fields(extra=extra), {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dryrun", "dry_run"),
        ("dry-run", "dry_run"),
        ("Dry_Run", "dry_run"),
        ("extra__truedy__dry_run", "dry_run"),
        ("only_number", "only_numbers"),
        ("onlyNumbers", "only_numbers"),
    ],
)
def test_a_name_that_is_nearly_right_is_told(name: str, meant: str) -> None:
    with pytest.raises(ConnectionFieldError, match=f"'crm': extra '{name}' does not exist; '{meant}' is meant"):
        read({name: True})


def test_an_extra_may_hold_what_others_use() -> None:
    read({"owner": "crm team", "note": "x", "__extra__": "{}", "verify_until": "2027"})


@pytest.mark.parametrize("extra", [None, "", " ", "{}", " {\n} "])
def test_an_extra_may_state_nothing(extra: str | None) -> None:
    assert not ClientSettings.read(Fields(extra=extra), {}).dry_run


@pytest.mark.parametrize("extra", ["text", "12", ["a"], 3, True, None])
def test_an_extra_that_is_no_object_is_named(extra: Any) -> None:
    with pytest.raises(ConnectionFieldError, match="'crm': extra must be a JSON object"):
        ClientSettings.read(Fields(), extra)


@pytest.mark.parametrize(
    ("host", "schema", "port", "base_url"),
    [
        ("api.truedy.ai", "https", None, DEFAULT),
        ("api.truedy.ai", "HTTPS", None, DEFAULT),
        (None, "https", None, DEFAULT),
        ("https://api.truedy.ai", "https", None, DEFAULT),
        ("https://api.truedy.ai/gateway/v1", "https", None, "https://api.truedy.ai/gateway/v1"),
        ("127.0.0.1", "http", 8765, "http://127.0.0.1:8765/api/public/v1"),
        ("localhost:8765", "http", None, "http://localhost:8765/api/public/v1"),
        ("truedy.internal", "gateway/v1", None, "https://truedy.internal/gateway/v1"),
        ("truedy.internal", "/gateway/v1/", 8443, "https://truedy.internal:8443/gateway/v1"),
    ],
)
def test_a_scheme_in_the_field_schema_is_a_scheme(
    host: str | None, schema: str, port: int | None, base_url: str
) -> None:
    assert read(host=host, schema=schema, port=port).base_url == base_url


def test_a_scheme_in_the_field_schema_does_not_send_the_key_unencrypted() -> None:
    with pytest.raises(ConnectionFieldError, match="unencrypted"):
        read(host="api.truedy.ai", schema="http")


@pytest.mark.parametrize("host", [None, "api.truedy.ai", "https://api.truedy.ai"])
@pytest.mark.parametrize("port", [0, 443, None])
def test_port_0_of_the_form_and_the_usual_port_change_nothing(host: str | None, port: int | None) -> None:
    assert read(host=host, port=port).base_url == DEFAULT


@pytest.mark.parametrize(("value", "seconds"), [(None, 15.0), ("", 15.0), (0, 0.0), ("2.5", 2.5), (60, 60.0)])
def test_the_settle_time_is_fifteen_seconds_unless_stated(value: Any, seconds: float) -> None:
    assert read({"settle": value}).settle == seconds


@pytest.mark.parametrize("value", [-1, "soon", True, "nan", "inf", [3]])
def test_a_settle_time_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ConnectionFieldError, match="'settle'"):
        read({"settle": value})


@pytest.mark.parametrize("value", [True, "true", "True", " yes ", "1", 1, "on"])
def test_a_dry_run_is_read_from_json_forms_and_uris(value: Any) -> None:
    assert read({"dry_run": value}).dry_run is True


@pytest.mark.parametrize("value", [None, "", False, "false", "0", 0, "no"])
def test_nothing_stated_is_no_dry_run(value: Any) -> None:
    assert read({"dry_run": value}).dry_run is False


@pytest.mark.parametrize("value", ["ture", "maybe", 2, ["true"], {"dry": True}])
def test_a_dry_run_that_is_misspelt_does_not_dial(value: Any) -> None:
    with pytest.raises(ConnectionFieldError, match="'dry_run' must be true or false"):
        read({"dry_run": value})


@pytest.mark.parametrize(
    "value",
    [
        ["+15555550100", "+442079460018"],
        '["+15555550100", "+442079460018"]',
        "+15555550100,+442079460018",
        " +15555550100 ; +442079460018, ",
        ["+15555550100", "+442079460018", "+15555550100"],
    ],
)
def test_numbers_are_read_from_json_forms_and_uris(value: Any) -> None:
    assert read({"only_numbers": value}).only_numbers == ("+15555550100", "+442079460018")


@pytest.mark.parametrize("value", [None, "", []])
def test_no_numbers_stated_allow_all(value: Any) -> None:
    assert read({"only_numbers": value}).only_numbers == ()


@pytest.mark.parametrize(
    "value", ["15555550100", "all", ",", "[]", " ", {"a": 1}, 15555550100, [15555550100], ["+1555", None], True, "none"]
)
def test_numbers_that_cannot_be_read_do_not_allow_all(value: Any) -> None:
    with pytest.raises(ConnectionFieldError, match="'only_numbers' must be a list") as refused:
        read({"only_numbers": value})
    assert "15555550100" not in str(refused.value).replace("+15555550100", "", 1)


@pytest.mark.parametrize("name", ["proxy", "dashboard_url"])
def test_a_text_that_is_no_text_is_named(name: str) -> None:
    with pytest.raises(ConnectionFieldError, match=f"'{name}' must be text"):
        read({name: ["http://proxy"]})


def test_the_restrictions_are_told_without_showing_a_number() -> None:
    assert read().restrictions() == ""
    settings = read({"dry_run": True, "only_numbers": [f"+1555555010{digit}" for digit in range(5)]})
    assert settings.restrictions() == (
        "dry run, nothing is changed and nobody is called; "
        "only +*********00, +*********01, +*********02 and 2 more may be called"
    )
    assert "5550" not in repr(settings)
