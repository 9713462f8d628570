"""What a POST shows has an address of its own, so that Back and a reload send nothing again.

The address is a random word. What was sent stands in a cookie of that address alone, for ten minutes: every
worker can show it and none has to keep it. The cookie has a code of the keys, so that it is ours.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from app.web.access import Doors

COOKIE = "ops_shown"
LASTS = timedelta(minutes=10)
_LARGEST_COOKIE = 3800
"""Browsers take 4,096 bytes with its name and attributes; what is larger is shown without such an address."""
_LARGEST_FORM = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A POST that was answered with a page: by whom, to which view, and the error that it came to, if any."""

    by: str
    view: str
    path: str
    parameters: dict[str, str]
    form: str
    problem: tuple[int, str, str] | None = None
    until: float = 0.0


_SENT = TypeAdapter(Sent)


def lead_to(sent: Sent, doors: Doors, now: datetime, *, secure: bool) -> web.Response | None:
    """The browser shall ask for that page; None when it is too large for a cookie."""
    made = {**_SENT.dump_python(sent), "until": (now + LASTS).timestamp()}
    text = base64.urlsafe_b64encode(zlib.compress(orjson.dumps(made), 9))
    cookie = f"{text.decode()}.{_code(doors, text)}"
    if len(cookie) > _LARGEST_COOKIE:
        return None
    path = f"/ops/shown/{secrets.token_urlsafe(12)}"
    answer = web.Response(status=303, headers={"Location": path})
    answer.set_cookie(
        COOKIE,
        cookie,
        path=path,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="Strict",
        secure=secure,
    )
    return answer


def what_was_sent(cookies: Mapping[str, str], doors: Doors, now: datetime) -> Sent | None:
    """What this address shows; None when that is no longer kept."""
    text, _, code = cookies.get(COOKIE, "").rpartition(".")
    given = text.encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(_code(doors, given).encode(), code.encode("utf-8", "surrogateescape")):
        return None
    try:
        packed = base64.urlsafe_b64decode(given)
        found = _SENT.validate_json(zlib.decompressobj().decompress(packed, _LARGEST_FORM))
    except (binascii.Error, zlib.error, ValidationError):
        return None
    return found if found.until >= now.timestamp() else None


def _code(doors: Doors, text: bytes) -> str:
    secret = hashlib.blake2b(b"".join(digest for digest, _ in doors.keys), person=b"ops-shown").digest()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()
