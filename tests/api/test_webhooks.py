from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_truedy.api.webhooks import verify_webhook

SECRET = "whsec_0a1b2c3d"
NOW = datetime(2026, 3, 18, 14, 30, tzinfo=timezone.utc).timestamp()
BODY = '{"event": "batch.completed",  "data": {"batch_id": "uv_1", "name": "Zoë"}}'.encode()


def signed(body: bytes = BODY, timestamp: str = f"{NOW:.0f}", secret: str = SECRET, **names: str) -> dict[str, str]:
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        names.get("timestamp_name", "X-Truedy-Timestamp"): timestamp,
        names.get("signature_name", "X-Truedy-Signature"): signature,
    }


def verified(headers: dict[str, str], body: Any = BODY, secret: str = SECRET, **more: Any) -> bool:
    return verify_webhook(headers, body, secret, clock=lambda: NOW, **more)


def test_a_known_signature_is_accepted() -> None:
    # Computed with: printf '1773844200.{"event":"call.ended"}' | openssl dgst -sha256 -hmac whsec_0a1b2c3d
    headers = {
        "X-Truedy-Timestamp": "1773844200",
        "X-Truedy-Signature": "dc91a1ebda8c62dc8d15a99e57b8b3f8672e0c0c6feb4b6018875056ddf1aab0",
    }
    assert verified(headers, b'{"event":"call.ended"}')


@pytest.mark.parametrize(
    "timestamp",
    [f"{NOW:.0f}", f"{NOW - 299:.0f}", f"{NOW + 59:.0f}", "2026-03-18T14:30:00.000Z", "2026-03-18T15:30:00+01:00"],
)
def test_a_fresh_webhook_is_accepted_in_both_forms_of_time(timestamp: str) -> None:
    assert verified(signed(timestamp=timestamp))


@pytest.mark.parametrize(
    "timestamp",
    [
        f"{NOW - 301:.0f}",
        f"{NOW + 61:.0f}",
        "2026-03-18T14:24:00Z",
        "2026-03-18T14:30:00",
        "",
        "soon",
        "nan",
        "1e99",
        "-5",
        "٣",
    ],
)
def test_an_old_or_unreadable_time_is_refused_however_well_it_is_signed(timestamp: str) -> None:
    assert not verified(signed(timestamp=timestamp))


def test_the_tolerance_is_what_was_stated() -> None:
    headers = signed(timestamp=f"{NOW - 20:.0f}")
    assert verified(headers, tolerance=20)
    assert not verified(headers, tolerance=19)


@pytest.mark.parametrize("changed", [BODY + b" ", BODY.replace(b"  ", b" "), b"", BODY[:-1]])
def test_another_body_is_refused(changed: bytes) -> None:
    assert not verified(signed(), changed)


def test_another_time_under_the_same_signature_is_refused() -> None:
    assert not verified({**signed(), "X-Truedy-Timestamp": f"{NOW + 1:.0f}"})


@pytest.mark.parametrize("signature", ["", "0", "é" * 64, signed(secret="whsec_other")["X-Truedy-Signature"]])
def test_another_signature_is_refused(signature: str) -> None:
    assert not verified({**signed(), "X-Truedy-Signature": signature})


@pytest.mark.parametrize("missing", ["X-Truedy-Timestamp", "X-Truedy-Signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    assert not verified({name: value for name, value in signed().items() if name != missing})


def test_header_names_come_in_any_case_and_in_the_older_spelling() -> None:
    assert verified({name.lower(): value for name, value in signed().items()})
    assert verified(signed(timestamp_name="x-trudy-timestamp", signature_name="X-TRUDY-SIGNATURE"))


def test_the_signature_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    monkeypatch.setattr(
        "airflow_truedy.api.webhooks.hmac.compare_digest", lambda *given: compared.append(given) or True
    )
    assert verified({**signed(), "X-Truedy-Signature": "0"})
    assert len(compared) == 1


def test_while_a_secret_is_changed_either_may_be_asked() -> None:
    headers = signed(secret="whsec_new")
    assert any(verified(headers, secret=secret) for secret in ("whsec_old", "whsec_new"))


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_secret_is_an_error_and_not_a_pass(secret: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        verified(signed(secret=secret), secret=secret)


def test_a_body_that_was_decoded_is_an_error() -> None:
    with pytest.raises(TypeError, match="bytes"):
        verified(signed(), BODY.decode())


@pytest.mark.parametrize("tolerance", [-1, float("nan")])
def test_a_tolerance_that_cannot_be_is_an_error(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        verified(signed(), tolerance=tolerance)
