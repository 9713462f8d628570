"""A worker as small as can be, to see how any worker starts and ends: `python -m tests.support.worker`.

It gives up, or stops for wrong topics, when a booking event says so, and prints "ready" once it owns its
partitions.
"""

import sys

from app.commands.cli import ending
from app.commands.worker import run_worker
from app.settings import Settings
from app.stream.config import AppConfig
from app.stream.faust_app import StreamApp
from app.stream.kafka import connection
from app.stream.message import Message
from app.stream.topology import Topics, TopicsWrong


def build(settings: Settings, topics: Topics) -> StreamApp:
    app = StreamApp(
        AppConfig(
            group=topics.consumer_group,
            connection=connection(settings),
            data_dir=settings.data_dir,
            partitions=settings.topic_partitions,
            store="memory",
            session_timeout=settings.kafka_session_timeout_seconds,
        )
    )

    async def handle(message: Message) -> None:
        if message.value == b"give up":
            app.give_up("it was asked to")
        if message.value == b"stop":
            app.give_up_for(TopicsWrong(["booking-events: it was asked to"]))

    async def ready() -> None:
        print("ready", flush=True)

    app.source(topics.booking_events.name, handle)
    app.on_assigned(ready)
    return app


if __name__ == "__main__":
    sys.exit(ending(lambda: run_worker(build, kafka_seconds=float(sys.argv[1]))))
