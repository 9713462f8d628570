"""Kafka with sign-in and TLS: what is let in, and what is refused at once."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.local.kafka import SHORT_LIVED, LocalKafka, free_port
from app.settings import Settings, SettingsWrong, load
from app.stream.kafka import KafkaAway, connection, wait_for_kafka
from app.stream.provision import ensure
from app.stream.topology import topics

_JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="right";'


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The address of a Kafka that lets `ann` in with the password `right`."""
    port = free_port()
    listener = f"SASL_PLAINTEXT://127.0.0.1:{port}"
    properties = {
        "listeners": listener,
        "advertised.listeners": listener,
        "listener.security.protocol.map": "SASL_PLAINTEXT:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": _JAAS,
    }
    with LocalKafka(properties=properties, java_options=SHORT_LIVED):
        yield f"127.0.0.1:{port}"


def signing_in(servers: str, password: str) -> Settings:
    return load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_USERNAME": "ann",
            "KAFKA_SASL_PASSWORD": password,
            "TOPIC_PARTITIONS": "1",
        }
    )


async def test_the_right_password_is_let_in(guarded: str) -> None:
    asked = signing_in(guarded, "right")
    await wait_for_kafka(connection(asked), seconds=60, say=lambda _: None)
    assert (await ensure(topics(asked), connection(asked))).created


async def test_a_wrong_password_is_refused_at_once_and_not_shown(guarded: str) -> None:
    said: list[str] = []
    with pytest.raises(KafkaAway) as caught:
        await wait_for_kafka(connection(signing_in(guarded, "topsecret")), seconds=3600, say=said.append)
    assert said == []
    assert "KAFKA_" in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@asynccontextmanager
async def no_tls_here() -> AsyncIterator[str]:
    """A server that answers every hello in plain text."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield "127.0.0.1:{1}".format(*server.sockets[0].getsockname())


async def test_tls_that_fails_is_not_waited_for() -> None:
    said: list[str] = []
    async with no_tls_here() as servers:
        asked = load({"KAFKA_BOOTSTRAP_SERVERS": servers, "KAFKA_SECURITY_PROTOCOL": "SSL"})
        with pytest.raises(KafkaAway, match="refuses the connection"):
            await wait_for_kafka(connection(asked), seconds=3600, say=said.append)
    assert said == []


def test_the_connection_carries_sasl_and_tls_only_when_asked() -> None:
    plain = connection(load({}))
    assert plain == {"bootstrap_servers": ["localhost:9092"], "security_protocol": "PLAINTEXT"}
    secure = connection(
        load(
            {
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                "KAFKA_SASL_USERNAME": "me",
                "KAFKA_SASL_PASSWORD": "pw",
            }
        )
    )
    assert secure["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (secure["sasl_plain_username"], secure["sasl_plain_password"]) == ("me", "pw")
    assert isinstance(secure["ssl_context"], ssl.SSLContext)


def test_a_ca_file_without_certificates_is_a_wrong_setting(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    with pytest.raises(SettingsWrong, match="KAFKA_CA_FILE"):
        connection(load({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": str(empty)}))
