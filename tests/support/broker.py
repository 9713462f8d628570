"""Where the tests' Kafka comes from: one that is named, one in Docker, or the local one, in this order."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.local.jars import KAFKA_VERSION
from app.local.kafka import SHORT_LIVED, LocalKafka, free_port, single_node_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

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
        with LocalKafka(java_options=SHORT_LIVED) as kafka:
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


def any_kafka() -> AbstractContextManager[str]:
    """The bootstrap servers of the first that can be had here."""
    return choose_kafka(os.environ, docker_answers).run()


class SharedKafka:
    """One Kafka for all processes of a run: started when the first of them asks, gone with `close`.

    They ask with `kafka_of(address)`.
    """

    def __init__(self, kafka: Callable[[], AbstractContextManager[str]] = any_kafka) -> None:
        self._kafka = kafka
        self._running = ExitStack()
        self._answer = b""
        self._lock = threading.Lock()
        answer = self._started

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(answer())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where to ask."""
        host, port = self._server.server_address[:2]
        return str(host), port

    def close(self) -> None:
        """End the Kafka, if one was asked for."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._running.close()

    def _started(self) -> bytes:
        with self._lock:
            if not self._answer:
                try:
                    self._answer = b"+" + self._running.enter_context(self._kafka()).encode()
                except Exception as wrong:  # noqa: BLE001 - whoever asked is told
                    self._answer = b"-" + str(wrong).encode()
            return self._answer


def kafka_of(address: tuple[str, int]) -> str:
    """The bootstrap servers of a `SharedKafka`; RuntimeError with its words when it could not be started."""
    with socket.create_connection(address) as asking, asking.makefile("rb") as answer:
        said = answer.read().decode()
    if not said.startswith("+"):
        raise RuntimeError(f"the tests' Kafka did not start: {said[1:]}")
    return said[1:]
