"""Whether a webhook comes from who holds one of our secrets. Pure, in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from standardwebhooks import Webhook

from app.setting_types import webhook_key


@dataclass(frozen=True, slots=True)
class Verified:
    """Signed with our secret; `by` says with which, by its place in the setting."""

    by: str


@dataclass(frozen=True, slots=True)
class Forged:
    """Not signed, not by us, or too long ago."""

    why: str


Verdict: TypeAlias = Verified | Forged


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How signatures are looked at: ServiceTitan's header (in lower case) and encoding, and the tolerance."""

    header: str
    encoding: Literal["hex", "base64"]
    tolerance: timedelta


def verify(
    body: bytes, headers: Mapping[str, str], secrets: Sequence[str], scheme: Scheme, now: datetime
) -> Verdict:
    """Judge a webhook by its raw body. `headers` are named in lower case.

    With a `webhook-signature` it is judged by Standard Webhooks (https://www.standardwebhooks.com), whose
    time stamp guards against replay; else by HMAC-SHA256 of the body in the scheme's header.
    """
    keys = [webhook_key(secret) for secret in secrets]
    if "webhook-signature" in headers:
        return _standard(body, headers, keys, scheme, now)
    given = _decoded(headers.get(scheme.header, ""), scheme.encoding)
    if given is None:
        return Forged(f"no signature in {scheme.header}, or none in {scheme.encoding}")
    return _match([hmac.new(key, body, hashlib.sha256).digest() for key in keys], [given])


def _standard(
    body: bytes, headers: Mapping[str, str], keys: Sequence[bytes], scheme: Scheme, now: datetime
) -> Verdict:
    stamp = headers.get("webhook-timestamp", "")
    message = headers.get("webhook-id", "")
    if not (message and message.isascii() and stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
        return Forged("webhook-id or webhook-timestamp is missing, or none")
    signed_at = datetime.fromtimestamp(int(stamp), UTC)
    if abs(now - signed_at) > scheme.tolerance:
        return Forged("webhook-timestamp is too old or too new")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Forged("the body is not UTF-8")
    given = [
        decoded
        for part in headers["webhook-signature"].split()
        if part.startswith("v1,") and (decoded := _decoded(part[3:], "base64")) is not None
    ]
    expected = [
        base64.b64decode(Webhook(key).sign(message, signed_at, text).removeprefix("v1,")) for key in keys
    ]
    return _match(expected, given)


def _match(expected: Sequence[bytes], given: Sequence[bytes]) -> Verdict:
    """Compares all with all, so that the time taken does not tell which secret was near."""
    found: int | None = None
    for place, ours in enumerate(expected, start=1):
        for theirs in given:
            if hmac.compare_digest(ours, theirs):
                found = place
    return Forged("the signature is not ours") if found is None else Verified(f"key {found}")


def _decoded(text: str, encoding: Literal["hex", "base64"]) -> bytes | None:
    text = text.strip().removeprefix("sha256=")
    try:
        found = bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return found or None
