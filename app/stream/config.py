"""What a stream app is told, as plain values; nothing of it is read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import faust
from faust.types.auth import CredentialsT

from app.stream.ledger import Room

if TYPE_CHECKING:
    import ssl

_REQUEST_SECONDS = 90.0
_REBALANCE_MARGIN_SECONDS = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """Where Faust's web server listens; `options` go to aiohttp's Application (`middlewares`, ...)."""

    host: str
    port: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfig:
    """`group` is the consumer group, prefix included, and the first part of every changelog's name.

    `connection` are aiokafka's arguments of one connection: `bootstrap_servers` as a list,
    `security_protocol`, `ssl_context`, `sasl_*`. All durations are seconds.
    """

    group: str
    connection: Mapping[str, Any] = field(repr=False)
    data_dir: Path
    partitions: int = 12
    replication_factor: int = 1
    store: Literal["rocksdb", "memory"] = "rocksdb"
    session_timeout: float = 10.0
    commit_interval: float = 0.5
    drain_limit: float = 35.0
    """How long a drain waits for running handlers; more than a call to ServiceTitan may take."""
    catch_up_limit: float = 5.0
    """For how long a drain still starts on what stands before finished messages, to commit these."""
    room: Room = field(default_factory=Room)
    delayed_room: Room = field(default_factory=partial(Room, unfinished=50))
    """That of delayed sources. What is due at once, thousands after a bad hour, stands in line for the same
    calls as what comes new: it is let in a little at a time, as it gets done."""
    web: WebConfig | None = None
    largest: Mapping[str, int] = field(default_factory=dict)
    """By topic, how many bytes a record may have there; Kafka's own default where it is not told."""

    @property
    def request_timeout(self) -> float:
        """Faust wants it to be at least the session."""
        return max(_REQUEST_SECONDS, self.session_timeout)

    @property
    def rebalance_timeout(self) -> float:
        """How long the group waits for a member that drains."""
        return self.catch_up_limit + self.drain_limit + _REBALANCE_MARGIN_SECONDS


def credentials(connection: Mapping[str, Any]) -> CredentialsT | None:
    """Faust's form of a connection's security, None for plain text."""
    protocol: str = connection.get("security_protocol", "PLAINTEXT")
    tls: ssl.SSLContext | None = connection.get("ssl_context")
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=connection["sasl_plain_username"],
            password=connection["sasl_plain_password"],
            mechanism=connection["sasl_mechanism"],
            ssl_context=tls,
        )
    return faust.SSLCredentials(tls) if tls is not None else None
