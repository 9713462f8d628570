"""The command `topics`: create what is missing, check the rest."""

import asyncio
import logging
import os
from datetime import timedelta

import click

from app.settings import Settings, load
from app.stream.kafka import connection, wait_for_kafka
from app.stream.provision import Found, ensure
from app.stream.topology import Topic
from app.stream.topology import topics as declared

_EXAMPLES = """\b
Examples:
  servicetitan-stream topics
  KAFKA_BOOTSTRAP_SERVERS=broker:9092 TOPIC_REPLICATION_FACTOR=3 servicetitan-stream topics
  servicetitan-stream topics --check && echo all as needed
"""


@click.command(epilog=_EXAMPLES)
@click.option("--check", is_flag=True, help="Create nothing; status 3 when a topic is missing or differs.")
@click.option(
    "--wait",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds to wait for Kafka to answer.",
)
def topics(*, check: bool, wait: float) -> None:
    """Create the topics that are missing and check those that are there; none is ever changed.

    A topic that differs is named with what to do, and the status is 3.
    """
    # What aiokafka has to say is in our own words.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found = asyncio.run(_ensure(load(os.environ), create=not check, wait=wait))
    width = max(len(topic.name) for topic in found.topics)
    for topic in found.topics:
        state = "created" if topic.name in found.created else "as needed"
        click.echo(f"{state:<9}  {topic.name:<{width}}  {topic.partitions} partitions  {_kept(topic)}")


async def _ensure(settings: Settings, *, create: bool, wait: float) -> Found:
    arguments = connection(settings)
    await wait_for_kafka(arguments, seconds=wait, say=lambda text: click.echo(text, err=True))
    return await ensure(declared(settings), arguments, create=create)


def _kept(topic: Topic) -> str:
    return f"{topic.retention // timedelta(days=1)} d" if topic.retention else "compacted"
