"""Signatures of webhooks, held against what others compute."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from app.web.signature import Forged, Scheme, Verified, verify

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BODY = '{"jobId": 1, "name": "Ä"}'.encode()
SCHEME = Scheme(header="x-servicetitan-signature", encoding="hex", tolerance=timedelta(seconds=300))
BASE64 = Scheme(header="x-sig", encoding="base64", tolerance=timedelta(seconds=300))
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def hmac_of(secret: bytes, body: bytes = BODY) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).digest()


def test_a_published_vector_of_hmac_sha256() -> None:
    """RFC 4231, test case 2."""
    given = {SCHEME.header: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}
    assert verify(b"what do ya want for nothing?", given, ["Jefe"], SCHEME, NOW) == Verified("key 1")


@pytest.mark.parametrize("secrets", [["one"], ["old", "one"], ["one", "next"]])
def test_any_of_several_secrets_will_do(secrets: list[str]) -> None:
    verdict = verify(BODY, {SCHEME.header: hmac_of(b"one").hex()}, secrets, SCHEME, NOW)
    assert verdict == Verified(f"key {secrets.index('one') + 1}")


@pytest.mark.parametrize("shape", ["{}", "sha256={}", " {} "])
def test_ways_to_write_hex(shape: str) -> None:
    for text in (hmac_of(b"one").hex(), hmac_of(b"one").hex().upper()):
        given = {SCHEME.header: shape.format(text)}
        assert verify(BODY, given, ["one"], SCHEME, NOW) == Verified("key 1")


def test_base64_and_a_header_of_ones_own() -> None:
    text = base64.b64encode(hmac_of(b"one")).decode()
    assert verify(BODY, {"x-sig": text}, ["one"], BASE64, NOW) == Verified("key 1")
    assert isinstance(verify(BODY, {"x-sig": hmac_of(b"one").hex()}, ["one"], BASE64, NOW), Forged)


def test_a_secret_in_base64() -> None:
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    assert verify(BODY, {SCHEME.header: hmac_of(key).hex()}, [WHSEC], SCHEME, NOW) == Verified("key 1")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {SCHEME.header: ""},
        {SCHEME.header: "nonsense"},
        {SCHEME.header: "\u00e9"},
        {SCHEME.header: hmac_of(b"two").hex()},
        {SCHEME.header: hmac_of(b"one").hex()[:-2]},
        {SCHEME.header: hmac_of(b"one", BODY + b" ").hex()},
        {"other": hmac_of(b"one").hex()},
    ],
)
def test_what_is_forged(given: dict[str, str]) -> None:
    assert isinstance(verify(BODY, given, ["one"], SCHEME, NOW), Forged)


def standard(secret: str | bytes = WHSEC, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    """As the reference library signs."""
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


def test_standard_webhooks_as_the_reference_signs() -> None:
    assert verify(BODY, standard(), ["other", WHSEC], SCHEME, NOW) == Verified("key 2")
    assert verify(BODY, standard(b"plain"), ["plain"], SCHEME, NOW) == Verified("key 1")
    both = f"v1,{base64.b64encode(b'x' * 32).decode()} v1a,zz {standard()['webhook-signature']}"
    assert verify(BODY, {**standard(), "webhook-signature": both}, [WHSEC], SCHEME, NOW) == Verified("key 1")


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-301, False), (-299, True), (0, True), (299, True), (301, False)]
)
def test_what_is_too_old_or_too_new_is_refused(seconds: int, taken: bool) -> None:
    verdict = verify(BODY, standard(at=NOW + timedelta(seconds=seconds)), [WHSEC], SCHEME, NOW)
    assert isinstance(verdict, Verified) is taken


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,not base64"},
        {"webhook-signature": "v2,AAAA"},
    ],
)
def test_a_standard_webhook_that_was_meddled_with(changes: dict[str, str]) -> None:
    assert isinstance(verify(BODY, {**standard(), **changes}, [WHSEC], SCHEME, NOW), Forged)


def test_a_standard_signature_is_not_outdone_by_another_header() -> None:
    """Who sends both is judged by the one that guards against replay."""
    old = standard(at=NOW - timedelta(hours=1))
    given = {**old, SCHEME.header: hmac_of(base64.b64decode(WHSEC[6:])).hex()}
    assert isinstance(verify(BODY, given, [WHSEC], SCHEME, NOW), Forged)


def test_a_body_that_is_no_text() -> None:
    assert isinstance(verify(b"\xff", standard(), [WHSEC], SCHEME, NOW), Forged)
    given = {SCHEME.header: hmac_of(b"one", b"\xff").hex()}
    assert verify(b"\xff", given, ["one"], SCHEME, NOW) == Verified("key 1")
