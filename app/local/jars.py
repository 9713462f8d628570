"""Apache Kafka's own jars, fetched once from Maven Central and kept.

`jgo` resolves the jars as Maven would and checks each one's checksum. They are gathered in a folder beside
the final one and renamed at the end: the final folder exists only when it is complete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jgo.maven import Artifact

KAFKA_VERSION = "4.3.1"

MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"

# The "!" keeps each project's own choice of versions: without it slf4j's or log4j's parent would decide on
# the version of kafka-clients. Kafka 4.3 is built against slf4j 1.7.
_COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}!", "org.slf4j:slf4j-simple:1.7.36!")
_TRIES = 3
_TIMEOUT_SECONDS = 30


class KafkaUnavailableError(Exception):
    """Kafka cannot be had on this machine; the message's first line says why and what to do."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the jars are kept: `servicetitan-stream` in `XDG_CACHE_HOME`, or in `~/.cache`."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "servicetitan-stream"


def kafka_jars(cache: Path | None = None, *, repository: str = MAVEN_CENTRAL) -> Path:
    """The folder with all jars of Kafka, fetched first (42 MB, progress on stderr) when it is not there.

    Several processes may ask at once: one fetches, the others wait for it. `KafkaUnavailableError` when the
    jars cannot be fetched.
    """
    cache = cache or cache_folder()
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f"{jars.name}.lock"):
            if not jars.is_dir():
                _fetch_into(jars, repository)
    # jgo raises RuntimeError for what is not found or has a wrong checksum; requests' errors are OSErrors.
    except (OSError, RuntimeError) as error:
        message = (
            f"Kafka {KAFKA_VERSION} could not be fetched from {repository} into {cache}: {_first_line(error)}"
            " - check the network, or set KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs."
        )
        raise KafkaUnavailableError(message) from error
    return jars


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Holds the lock file; the system lets go of it when the process ends, however it ends."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_into(jars: Path, repository: str) -> None:
    print(f"Kafka {KAFKA_VERSION} is fetched once into {jars} ...", file=sys.stderr, flush=True)  # noqa: T201 - progress for people
    with tempfile.TemporaryDirectory(prefix=f"{jars.name}.", dir=jars.parent) as scratch:
        gathered = Path(scratch) / "jars"
        gathered.mkdir()
        for artifact in _shown(_needed(Path(scratch) / "repository", repository)):
            shutil.move(_download(artifact), gathered)
        gathered.rename(jars)


def _needed(maven_folder: Path, repository: str) -> list[Artifact]:
    """What Kafka needs to run: the jars named above and, through their POMs, all that those need."""
    maven = MavenContext(
        repo_cache=maven_folder, remote_repos={"central": repository}, timeout=_TIMEOUT_SECONDS
    )
    asked = [maven.create_dependency(coordinate) for coordinate in _COORDINATES]
    named, transitive = maven.resolver.resolve(asked)
    at_run_time = [one for one in transitive if one.scope in ("compile", "runtime")]
    return [one.artifact for one in (*named, *at_run_time)]


def _download(artifact: Artifact) -> Path:
    for _ in range(_TRIES - 1):
        try:
            return artifact.resolve()
        except (OSError, RuntimeError):
            # jgo takes any file that is there for a whole one.
            if artifact.cached_path:
                artifact.cached_path.unlink(missing_ok=True)
    return artifact.resolve()


def _shown(artifacts: Sequence[Artifact]) -> Iterable[Artifact]:
    """The same artifacts, with a bar on a terminal and a line now and then elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        return track(artifacts, description=f"Kafka {KAFKA_VERSION}", console=console)
    return _told(artifacts)


def _told(artifacts: Sequence[Artifact]) -> Iterator[Artifact]:
    for number, artifact in enumerate(artifacts, start=1):
        yield artifact
        if number % 10 == 0 or number == len(artifacts):
            print(f"Kafka {KAFKA_VERSION}: {number} of {len(artifacts)} files", file=sys.stderr, flush=True)  # noqa: T201 - progress for people


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
