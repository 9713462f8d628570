"""Who may do what: keys, and the loopback rule while there are none."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from app.setting_types import ApiKey, is_loopback


class Access(StrEnum):
    """What an operation asks of its caller."""

    OPEN = "open"
    """Nothing."""
    READ = "read"
    """A read key or an act key."""
    ACT = "act"
    """An act key."""
    SIGNED = "signed"
    """A signature of the body, which the operation checks itself."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; the name goes into logs and into the log of actions."""

    name: str
    may_act: bool


class Denied(StrEnum):
    """Why a caller is turned away."""

    NO_KEY = "a key is needed: Authorization: Bearer KEY"
    UNKNOWN_KEY = "the key is not known"
    READ_ONLY = "this key may read, not act"
    NOT_LOCAL = "without keys only this machine is answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The keys that open. Without any, whoever is on this machine may do everything."""

    keys: tuple[tuple[bytes, Caller], ...] = field(repr=False)

    def admit(
        self, access: Access, *, authorization: str | None, remote: str | None, host: str
    ) -> Caller | Denied:
        """Who this is, or why not. `host` is the Host header's name, without its port."""
        if access in {Access.OPEN, Access.SIGNED}:
            return Caller("anybody", may_act=False)
        if not self.keys:
            # A page in the browser of this machine may reach here by a name that resolves to it.
            local = is_loopback(remote or "") and is_loopback(host)
            return Caller("local", may_act=True) if local else Denied.NOT_LOCAL
        if authorization is None:
            return Denied.NO_KEY
        caller = self._who(authorization)
        if caller is None:
            return Denied.UNKNOWN_KEY
        return Denied.READ_ONLY if access is Access.ACT and not caller.may_act else caller

    def _who(self, authorization: str) -> Caller | None:
        """Compares with every key, so that the time taken tells nothing."""
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        found = None
        for digest, caller in self.keys:
            if hmac.compare_digest(digest, given):
                found = caller
        return found if scheme.lower() == "bearer" else None


def doors(read: Iterable[ApiKey], act: Iterable[ApiKey]) -> Doors:
    """The doors of these keys."""
    held = [(key, False) for key in read] + [(key, True) for key in act]
    return Doors(
        keys=tuple(
            (_digest(key.key.get_secret_value()), Caller(key.name, may_act=may_act)) for key, may_act in held
        )
    )


def sent_by_another_site(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that a page of another site sent this (https://www.w3.org/TR/fetch-metadata/).

    `host` is the Host header. What was typed or followed from a bookmark comes from no site.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("Origin")
    return origin is not None and host_of_origin(origin) != host


def is_a_key(authorization: str) -> bool:
    """Whether it is one of ours: browsers have a cookie instead, be it beside a proxy's password."""
    return authorization.partition(" ")[0].lower() == "bearer"


def host_of_origin(origin: str) -> str | None:
    """The host and port of an `Origin`, None when it has none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
