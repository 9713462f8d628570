"""Where the tests' Kafka comes from: one that is named, one in Docker, or the local one, in this order."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.local.jars import KAFKA_VERSION
from app.local.kafka import LocalKafka, free_port, single_node_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
_PORT_INSIDE = 9092


@dataclass(frozen=True, slots=True)
class NamedKafka:
    """A Kafka that runs already, and stays."""

    servers: str

    @contextmanager
    def run(self) -> Iterator[str]:
        yield self.servers


@dataclass(frozen=True, slots=True)
class DockerKafka:
    """Apache's own image in a container that goes with the tests."""

    image: str = f"apache/kafka:{KAFKA_VERSION}"

    @contextmanager
    def run(self) -> Iterator[str]:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.docker_client import DockerClient
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        host, port = DockerClient().host(), free_port()
        container = (
            DockerContainer(self.image)
            .with_envs(**container_environment(host, port))
            .with_bind_ports(_PORT_INSIDE, port)
            .waiting_for(LogMessageWaitStrategy("Kafka Server started"))
        )
        with container:
            yield f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class OwnKafka:
    """The local Kafka, on data that is thrown away."""

    @contextmanager
    def run(self) -> Iterator[str]:
        with LocalKafka() as kafka:
            yield kafka.bootstrap_servers


def choose_kafka(
    environ: Mapping[str, str], docker_answers: Callable[[], bool]
) -> NamedKafka | DockerKafka | OwnKafka:
    """The first that can be had; Docker is asked only when no Kafka is named."""
    if servers := environ.get(BOOTSTRAP_VARIABLE):
        return NamedKafka(servers)
    return DockerKafka() if docker_answers() else OwnKafka()


def docker_answers() -> bool:
    """Whether a Docker engine is there; asked in a process of its own, as a failing client leaks a socket."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", "import docker; docker.from_env(timeout=5).ping()"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=20,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def container_environment(host: str, port: int) -> dict[str, str]:
    """The local Kafka's settings as variables of Apache's image, for clients that come by `host:port`."""
    settings = {
        **single_node_properties(),
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{_PORT_INSIDE},CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
