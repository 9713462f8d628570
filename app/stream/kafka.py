"""How Kafka is reached: one place for addresses and security, and the wait for it at start."""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from app.settings import Settings, SettingsWrong

_PAUSE_SECONDS = 0.5
_TRY_SECONDS = 5
# aiokafka raises ValueError when a SCRAM server's proof is wrong.
_REFUSED = (
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    ssl.SSLError,
    ValueError,
)


class KafkaAway(Exception):  # noqa: N818 - read as a sentence: "Kafka away"
    """Kafka did not answer, or did not let us in; the text is one line that says what to do."""


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments that every aiokafka client takes: addresses, protocol, TLS and SASL.

    Raises `SettingsWrong` when `KAFKA_CA_FILE` holds no certificates.
    """
    protocol = settings.kafka_security_protocol
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(settings.kafka_bootstrap_servers),
        "security_protocol": protocol,
    }
    if protocol.endswith("SSL"):
        arguments["ssl_context"] = _tls(settings)
    if protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = settings.kafka_sasl_mechanism
        arguments["sasl_plain_username"] = settings.kafka_sasl_username
        arguments["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return arguments


async def wait_for_kafka(
    arguments: dict[str, Any],
    *,
    seconds: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Returns when one of the brokers answers; tells `say` once when it has to wait.

    `arguments` are those of `connection`. Raises `KafkaAway` when none answers within the seconds, and at
    once when the credentials are refused or TLS fails: waiting does not cure these.
    """
    servers = ", ".join(arguments["bootstrap_servers"])
    deadline = clock() + seconds
    said = False
    while (wrong := await _first_error(arguments)) is not None:
        reason = " ".join(str(wrong).split()) or type(wrong).__name__
        if isinstance(wrong, _REFUSED):
            raise KafkaAway(
                f"Kafka at {servers} refuses the connection: {reason}; check the KAFKA_* settings"
            )
        if clock() >= deadline:
            raise KafkaAway(
                f"no Kafka at {servers} within {seconds:g} s ({reason}); "
                "start one (servicetitan-stream broker) or set KAFKA_BOOTSTRAP_SERVERS"
            )
        if not said:
            say(f"waiting up to {seconds:g} s for Kafka at {servers}")
            said = True
        await asyncio.sleep(_PAUSE_SECONDS)


async def _first_error(arguments: dict[str, Any]) -> Exception | None:
    """None when a broker answers, else what the first one that was asked came to."""
    found: Exception | None = None
    for server in arguments["bootstrap_servers"]:
        wrong = await _try(server, arguments)
        if wrong is None:
            return None
        found = found or wrong
    return found


async def _try(server: str, arguments: dict[str, Any]) -> Exception | None:
    host, _, port = server.rpartition(":")
    security = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    try:
        async with asyncio.timeout(_TRY_SECONDS):
            conn = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=_TRY_SECONDS * 1000, **security
            )
    except (KafkaError, OSError, TimeoutError, ValueError) as wrong:
        return wrong
    conn.close()
    return None


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.kafka_ca_file)
    except ssl.SSLError:
        raise SettingsWrong(
            f"KAFKA_CA_FILE is {str(settings.kafka_ca_file)!r}: it holds no certificates; allowed: a PEM file"
        ) from None
