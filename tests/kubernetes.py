"""Writes what the manifests repeat from the code: `python -m tests.kubernetes`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app.settings import load
from app.stream.topology import Topic, topics

KUBERNETES = Path(__file__).parents[1] / "deploy" / "kubernetes"
TOPICS_FILE = KUBERNETES / "kafka-topics" / "topics.yaml"
_HEAD = "# Written from app/stream/topology.py by `python -m tests.kubernetes`; a test compares.\n"


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file of NAME=value lines."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line)
    return dict(line.split("=", 1) for line in lines)


def live_environment() -> dict[str, str]:
    """What a worker of the overlay `live` finds, but for the file of certificates."""
    folder = KUBERNETES / "overlays" / "live"
    found = {**env_file(folder / "settings.env"), **env_file(folder / "secret.example.env")}
    del found["KAFKA_CA_FILE"]
    return found


def kafka_topics() -> str:
    """Every topic of the overlay `live` as a KafkaTopic."""
    return _HEAD + yaml.safe_dump_all((_resource(topic) for topic in _topics()), sort_keys=False, width=110)


def _topics() -> Iterator[Topic]:
    yield from topics(load(live_environment()))


def _resource(topic: Topic) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1beta2",
        "kind": "KafkaTopic",
        "metadata": {
            "name": topic.name,
            "labels": {"strimzi.io/cluster": "kafka"},
        },
        "spec": {"partitions": topic.partitions, "replicas": topic.replicas, "config": topic.config},
    }


if __name__ == "__main__":
    TOPICS_FILE.write_text(kafka_topics(), encoding="utf-8")
