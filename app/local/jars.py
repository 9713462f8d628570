"""Apache Kafka's own jars, fetched once from Maven Central and kept.

Which jars, and the SHA-256 of each, stands in `kafka-jars.txt` (written by `python -m tests.pin_kafka`): what
is fetched is complete and the same everywhere. The jars are gathered in a folder beside the final one, which
is renamed at the end: the final folder exists only when it is complete. What lies there is held to its
digests each time before it is used, and fetched anew when it differs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

KAFKA_VERSION = "4.3.1"

MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"

_TRIES = 3
_TIMEOUT_SECONDS = 30


class KafkaUnavailableError(Exception):
    """Kafka cannot be had on this machine; the message's first line says why and what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a Maven repository, pinned by its SHA-256 (64 hexadecimal digits)."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where the file is in a Maven repository, without a slash in front."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


def read_pins(text: str) -> tuple[Jar, ...]:
    """The jars of lines like `group:artifact:version sha256`."""
    pins = []
    for line in text.splitlines():
        coordinate, sha256 = line.split()
        group, artifact, version = coordinate.split(":")
        pins.append(Jar(group, artifact, version, sha256))
    return tuple(pins)


PINS = read_pins(Path(__file__).with_name("kafka-jars.txt").read_text(encoding="ascii"))


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the jars are kept: `servicetitan-stream` in `XDG_CACHE_HOME`, or in `~/.cache`."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "servicetitan-stream"


def kafka_jars(
    cache: Path | None = None, *, pins: Sequence[Jar] = PINS, repository: str = MAVEN_CENTRAL
) -> Path:
    """The folder with all jars of Kafka, fetched first (42 MB, progress on stderr) when it is not there.

    Several processes may ask at once: one fetches, the others wait for it. `KafkaUnavailableError` when the
    jars cannot be fetched.
    """
    cache = cache or cache_folder()
    folder = cache / f"kafka-{KAFKA_VERSION}-{_fingerprint(pins)}"
    if _is_whole(folder, pins):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f"{folder.name}.lock"):
            if not _is_whole(folder, pins):
                shutil.rmtree(folder, ignore_errors=True)
                _fetch(pins, folder, repository)
    except (OSError, HTTPException) as error:
        message = (
            f"Kafka {KAFKA_VERSION} could not be fetched from {repository} into {cache}: {error} - "
            "check the network, or set KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs."
        )
        raise KafkaUnavailableError(message) from error
    return folder


def _is_whole(folder: Path, pins: Sequence[Jar]) -> bool:
    """Whether the folder holds these files and no other: all that lies in it is run, whoever put it there."""
    try:
        if {one.name for one in folder.iterdir()} != {jar.name for jar in pins}:
            return False
        return all(hashlib.sha256((folder / jar.name).read_bytes()).hexdigest() == jar.sha256 for jar in pins)
    except OSError:
        return False


def _fingerprint(pins: Sequence[Jar]) -> str:
    """Other jars of the same version go into another folder."""
    return hashlib.sha256(" ".join(jar.sha256 for jar in pins).encode()).hexdigest()[:8]


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Holds the lock file; the system lets go of it when the process ends, however it ends."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(pins: Sequence[Jar], folder: Path, repository: str) -> None:
    _say(f"Kafka {KAFKA_VERSION} is fetched once into {folder} ...")
    scratch = folder.with_name(f"{folder.name}.partial")
    # A fetch that was killed may have left its own.
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        for jar in _shown(pins):
            (scratch / jar.name).write_bytes(_download(jar, repository))
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _download(jar: Jar, repository: str) -> bytes:
    for _ in range(_TRIES - 1):
        try:
            return _download_once(jar, repository)
        except (OSError, HTTPException):
            continue
    return _download_once(jar, repository)


def _download_once(jar: Jar, repository: str) -> bytes:
    url = f"{repository}/{jar.path}"
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own https address
        content: bytes = answer.read()
    if hashlib.sha256(content).hexdigest() != jar.sha256:
        raise OSError(f"{jar.name} is not the file that it should be")
    return content


def _shown(pins: Sequence[Jar]) -> Iterable[Jar]:
    """The same jars, with a bar on a terminal and a line now and then elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        return track(pins, description=f"Kafka {KAFKA_VERSION}", console=console)
    return _told(pins)


def _told(pins: Sequence[Jar]) -> Iterator[Jar]:
    for number, jar in enumerate(pins, start=1):
        yield jar
        if number % 10 == 0 or number == len(pins):
            _say(f"Kafka {KAFKA_VERSION}: {number} of {len(pins)} files")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress for people
