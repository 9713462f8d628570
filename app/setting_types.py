"""What settings are made of: types that parse themselves from an environment variable's text."""

import base64
import ipaddress
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from yarl import URL


class Mode(StrEnum):
    """Which ServiceTitan is called."""

    SIMULATION = "simulation"
    SANDBOX = "sandbox"
    LIVE = "live"


LEAST_KEY = 16
"""Characters of a key for the HTTP API: fewer may be guessed."""
LEAST_SECRET = 16
"""Bytes of a webhook secret once decoded: fewer may be found out from one signed body."""


_KNOWN_HOSTS = {
    "api.servicetitan.io": Mode.LIVE,
    "auth.servicetitan.io": Mode.LIVE,
    "api-integration.servicetitan.io": Mode.SANDBOX,
    "auth-integration.servicetitan.io": Mode.SANDBOX,
}
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,30}}\.?")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for the HTTP API and the name its holder is called in logs and in the log of actions."""

    name: str
    key: SecretStr


def _entries(value: object) -> object:
    """Splits a comma list; blanks around entries and empty entries are dropped."""
    if not isinstance(value, str):
        return value
    return tuple(entry for part in value.split(",") if (entry := part.strip()))


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _server(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
        raise ValueError(f"{value!r} is not host:port")
    return value


def address(value: str) -> str:
    """An http(s) address, no trailing slash or `/v2`; a bare host gets a scheme. Raises ValueError."""
    if "@" in value:
        raise ValueError("credentials do not belong into a URL")
    scheme = "http" if is_loopback(value.partition(":")[0]) else "https"
    text = value if "://" in value else f"{scheme}://{value}"
    url = URL(text)
    if url.scheme not in {"http", "https"} or url.query_string or url.fragment:
        raise ValueError("not an http or https address")
    if not _is_a_host(url.raw_host or ""):
        raise ValueError("not the address of a host")
    return text.rstrip("/").removesuffix("/v2").rstrip("/")


def _is_a_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_HOST.fullmatch(host))
    return True


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of an address that `address` takes."""
    return (URL(url).host or "").lower().rstrip(".")


def mode_of(url: str) -> Mode | None:
    """The mode that an address's host stands for by itself; None for a host that could be anybody's."""
    host = host_of(url)
    return Mode.SIMULATION if is_loopback(host) else _KNOWN_HOSTS.get(host)


def _keys(kind: str) -> Callable[[object], object]:
    """Parses `name:key, key` into `ApiKey`s; one without a name is called after its place, as `act-2`."""

    def parse(value: object) -> object:
        entries = _entries(value)
        if not isinstance(value, str) or not isinstance(entries, tuple):
            return value
        return tuple(_key(entry, kind, place) for place, entry in enumerate(entries, start=1))

    return parse


def _key(entry: str, kind: str, place: int) -> ApiKey:
    name, colon, key = entry.rpartition(":") if entry.count(":") == 1 else ("", "", entry)
    if colon and not (name and re.fullmatch(r"[\w.@-]{1,50}", name)):
        raise ValueError(f"the name of key {place} is not 1 to 50 letters, digits, '.', '@', '-' or '_'")
    if not re.fullmatch(r"[!-~]+", key):
        raise ValueError(f"key {place} is empty or has a blank or a character that is not ASCII in it")
    if len(key) < LEAST_KEY:
        raise ValueError(f"key {place} has {len(key)} characters, a key needs at least {LEAST_KEY}")
    return ApiKey(name=name or f"{kind}-{place}", key=SecretStr(key))


def webhook_key(secret: str) -> bytes:
    """The bytes that a secret signs with: base64 after `whsec_` (Standard Webhooks), else the text itself.

    Raises ValueError, whose text does not show it, for one that is no base64.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("a secret that starts with whsec_ is not base64") from None


def _webhook_secret(value: SecretStr) -> SecretStr:
    found = len(webhook_key(value.get_secret_value()))
    if found < LEAST_SECRET:
        raise ValueError(f"a secret has {found} bytes, it needs at least {LEAST_SECRET}")
    return value


def _guid(value: str) -> str:
    return str(uuid.UUID(value))


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("there is no such file")
    return value


Servers = Annotated[
    tuple[Annotated[str, AfterValidator(_server)], ...], BeforeValidator(_entries), Field(min_length=1)
]
Protocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]
Mechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
Address = Annotated[str, AfterValidator(address)]
ModeName = Annotated[Mode, BeforeValidator(_lower)]
Guid = Annotated[str, AfterValidator(_guid)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Delays = Annotated[tuple[Seconds, ...], BeforeValidator(_entries), Field(min_length=1, max_length=5)]
ReadKeys = Annotated[tuple[ApiKey, ...], BeforeValidator(_keys("read"))]
ActKeys = Annotated[tuple[ApiKey, ...], BeforeValidator(_keys("act"))]
WebhookSecrets = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_webhook_secret)], ...], BeforeValidator(_entries)
]
HeaderName = Annotated[str, BeforeValidator(_lower), Field(pattern=r"^[a-z0-9-]{1,100}$")]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
