"""The command `topics` against a real Kafka."""

import os
import subprocess
import sys

from app.settings import load
from app.stream.topology import topics


def called(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "topics", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_topics_are_missed_then_created_then_as_needed_then_refused(kafka: str, unique_prefix: str) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "TOPIC_PREFIX": unique_prefix, "TOPIC_PARTITIONS": "2"}
    names = [topic.name for topic in topics(load(environ))]

    missed = called(environ, "--check")
    assert (missed.returncode, missed.stdout) == (3, "")
    assert [line.partition(":")[0] for line in missed.stderr.splitlines()] == names

    made = called(environ)
    assert (made.returncode, made.stderr) == (0, "")
    assert [line.split()[:2] for line in made.stdout.splitlines()] == [["created", name] for name in names]

    right = called(environ, "--check")
    assert (right.returncode, right.stderr) == (0, "")
    assert all(line.startswith("as needed") and "2 partitions" in line for line in right.stdout.splitlines())

    differing = called({**environ, "TOPIC_PARTITIONS": "4"})
    assert (differing.returncode, differing.stdout) == (3, "")
    assert all("TOPIC_PARTITIONS=2" in line for line in differing.stderr.splitlines())
