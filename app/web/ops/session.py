"""Signing in to the page: a key becomes a cookie that every worker with the same keys can verify.

The cookie holds which key it is of and until when it is good, and a code made with that key. Taking the key
out of the settings ends its sessions. Which were signed out is told on Kafka, by a digest, so that a copy of
the cookie opens nothing on any worker.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.web.access import Access, Caller, Denied, Doors, host_of_origin, is_a_key

COOKIE = "ops_session"
MOST_TRIES = 5
"""Wrong keys from one address within `TRIES_LAST`; after them none is looked at any more."""
TRIES_LAST = timedelta(minutes=1)
_MOST_KEPT = 10_000
LASTS = timedelta(hours=12)


@dataclass(slots=True)
class SignIns:
    """What a worker knows of signing in: wrong keys by address, and the sessions that were signed out."""

    wrong: dict[str, list[datetime]] = field(default_factory=dict)
    over: frozenset[str] = frozenset()

    def too_many(self, address: str, now: datetime) -> bool:
        """Whether no key from this address is looked at now."""
        self.wrong[address] = tried = [at for at in self.wrong.pop(address, []) if now - at < TRIES_LAST]
        return len(tried) >= MOST_TRIES

    def was_wrong(self, address: str, now: datetime) -> None:
        """A key from this address was none."""
        self.wrong.setdefault(address, []).append(now)
        while len(self.wrong) > _MOST_KEPT:
            del self.wrong[next(iter(self.wrong))]

    def is_over(self, cookie: str | None) -> bool:
        """Whether it was signed out."""
        return cookie is not None and session_of(cookie) in self.over


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who looks at the page. `local` is whoever is on this machine while there are no keys."""

    name: str
    may_act: bool
    local: bool = False


def visitor(
    doors: Doors,
    *,
    cookie: str | None,
    authorization: str | None,
    remote: str | None,
    host: str,
    now: datetime,
) -> Visitor | Denied:
    """Who this is, by cookie or by `Authorization: Bearer KEY`; or why nobody."""
    if doors.keys and (authorization is None or not is_a_key(authorization)):
        caller = None if cookie is None else _of_cookie(doors, cookie, now)
        return Denied.NO_KEY if caller is None else Visitor(name=caller.name, may_act=caller.may_act)
    found = doors.admit(Access.READ, authorization=authorization, remote=remote, host=host)
    if isinstance(found, Denied):
        return found
    return Visitor(name=found.name, may_act=found.may_act, local=not doors.keys)


def session_of(cookie: str) -> str:
    """What a session is known by where others may read: the cookie itself would open the page."""
    return hashlib.sha256(_bytes(cookie)).hexdigest()


def sign_in(doors: Doors, key: str, now: datetime) -> str | None:
    """The cookie for this key; None when it is not known."""
    given = hashlib.sha256(_bytes(key)).digest()
    found = None
    for digest, _ in doors.keys:
        if hmac.compare_digest(digest, given):
            found = digest
    if found is None:
        return None
    signed = f"{_name(found)}.{int((now + LASTS).timestamp())}"
    return f"{signed}.{_code(found, signed).decode()}"


def _of_cookie(doors: Doors, cookie: str, now: datetime) -> Caller | None:
    signed, _, code = cookie.rpartition(".")
    name, _, until = signed.partition(".")
    found = None
    for digest, caller in doors.keys:
        good = hmac.compare_digest(_code(digest, signed), _bytes(code))
        if good and name == _name(digest):
            found = caller
    if found is None or not until.isdecimal() or int(until) < now.timestamp():
        return None
    return found


def _name(digest: bytes) -> str:
    """Which key it is, without telling the key."""
    return hashlib.blake2b(digest, digest_size=8, person=b"ops-key-name").hexdigest()


def _code(digest: bytes, signed: str) -> bytes:
    secret = hashlib.blake2b(digest, person=b"ops-session").digest()
    return hmac.new(secret, _bytes(signed), hashlib.sha256).hexdigest().encode()


def _bytes(header: str) -> bytes:
    """What came in a header, be it no UTF-8."""
    return header.encode("utf-8", "surrogateescape")


def is_from_our_page(headers: Mapping[str, str], host: str) -> bool:
    """Whether a POST was sent by a page of ours (https://www.w3.org/TR/fetch-metadata/).

    Browsers say `Sec-Fetch-Site` only where the connection is trustworthy, and `Origin` with every POST. Who
    sends a key is no browser: no other site can make one send it. A proxy's password is sent by browsers.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("Origin")
    if origin is not None:
        return host_of_origin(origin) == host
    return is_a_key(headers.get("Authorization", ""))
