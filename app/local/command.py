"""The command `broker`: the local Kafka alone."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from app.local.jars import KafkaUnavailableError
from app.local.kafka import LocalKafka

_EXIT_NO_KAFKA = 3
# Click keeps the lines of a paragraph that starts with \b.
_EXAMPLES = """\b
Examples:
  servicetitan-stream broker
  servicetitan-stream broker --port 9092 --data-dir ./data/kafka
"""


class _NoKafka(click.ClickException):
    exit_code = _EXIT_NO_KAFKA


@click.command(epilog=_EXAMPLES)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1; a free one when not given."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to keep the data in and to start on again; without it the data is thrown away at the end.",
)
def broker(port: int | None, data_dir: Path | None) -> None:
    """Run a real Apache Kafka on this machine, without Docker or Java, until Ctrl-C or SIGTERM.

    Kafka itself is fetched once (42 MB) and kept in the user's cache folder.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LocalKafka(data_dir, port) as kafka:
            click.echo(f"Kafka on {kafka.bootstrap_servers}, data in {kafka.data_dir}")
            kafka.wait()
    except KafkaUnavailableError as error:
        raise _NoKafka(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Kafka is stopped.", err=True)
