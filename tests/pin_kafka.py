"""Writes which jars Kafka needs, as Maven would choose them: `python -m tests.pin_kafka` after a new version.

`jgo` resolves them, and checks each against Maven's own checksum.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jgo.maven import MavenContext

from app.local import jars

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jgo.maven import Artifact

PINS = Path(jars.__file__).with_name("kafka-jars.txt")
# The "!" keeps each project's own choice of versions: without it the parent of slf4j decides as well.
# Kafka 4.3 is built against slf4j 1.7.
COORDINATES = (f"org.apache.kafka:kafka_2.13:{jars.KAFKA_VERSION}!", "org.slf4j:slf4j-simple:1.7.36!")


def needed(folder: Path) -> Iterable[Artifact]:
    """The artifacts named above and, through their POMs, all that they need at run time."""
    maven = MavenContext(repo_cache=folder)
    named, transitive = maven.resolver.resolve([maven.create_dependency(one) for one in COORDINATES])
    return [one.artifact for one in (*named, *transitive) if one.scope in (None, "compile", "runtime")]


def as_line(artifact: Artifact) -> str:
    """`group:artifact:version sha256`."""
    digest = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
    return f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {digest}\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PINS.write_text("".join(sorted(as_line(one) for one in needed(Path(scratch)))), encoding="ascii")
