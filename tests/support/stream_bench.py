"""Apps of the streaming layer inside the test's process, on a real Kafka."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.stream.config import AppConfig
from app.stream.faust_app import StreamApp, build_app
from tests.support.topics import PATIENCE_SECONDS, ToSend, committed, create_topics, end_offsets, produce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

PARTITIONS = 4


async def until(holds: Callable[[], object], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Return when it holds; the test fails when the time is over."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@dataclass
class StreamBench:
    """One group's topics; apps are made for it, declared by the test, and started."""

    servers: str
    prefix: str
    folder: Path
    apps: AsyncExitStack = field(default_factory=AsyncExitStack)

    def topic(self, name: str) -> str:
        return f"{self.prefix}{name}"

    @property
    def group(self) -> str:
        return f"{self.prefix}group"

    async def topics(self, *names: str) -> None:
        await create_topics(self.servers, *map(self.topic, names), partitions=PARTITIONS)

    def app(self, data: str = "data", **options: Any) -> StreamApp:  # noqa: ANN401 - AppConfig's
        settings: dict[str, Any] = {"store": "memory", "session_timeout": 3.0, "drain_limit": 20.0, **options}
        return build_app(
            AppConfig(
                group=self.group,
                connection={"bootstrap_servers": [self.servers]},
                data_dir=self.folder / data,
                partitions=PARTITIONS,
                commit_interval=0.1,
                **settings,
            )
        )

    async def start(self, app: StreamApp) -> StreamApp:
        """Start it once its tables' changelogs are there, and stop it with the test."""
        app.finalize()
        changelogs = [table.changelog_topic.get_topic_name() for table in app.tables.values()]
        if changelogs:
            config = {"cleanup.policy": "compact"}
            await create_topics(self.servers, *changelogs, partitions=PARTITIONS, config=config)
        self.apps.push_async_callback(app.stop)
        await app.start()
        return app

    async def send(self, name: str, records: Iterable[ToSend]) -> list[tuple[int, int]]:
        return await produce(self.servers, self.topic(name), list(records))

    async def send_keyed(self, name: str, keys: Sequence[str]) -> list[tuple[int, int]]:
        """One record for each key in turn; values number the records."""
        return await self.send(name, [ToSend(key.encode(), b"%d" % n) for n, key in enumerate(keys)])

    async def ends(self, name: str) -> dict[int, int]:
        found = await end_offsets(self.servers, self.topic(name))
        return {tp.partition: end for tp, end in found.items() if end}

    async def commits(self, name: str) -> dict[int, int]:
        return await committed(self.servers, self.group, self.topic(name))

    async def until_committed(self, name: str) -> None:
        """Return when all that the topic holds is committed."""
        ends = await self.ends(name)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.commits(name) != ends:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def stream_bench(servers: str, prefix: str, folder: Path) -> AsyncIterator[StreamBench]:
    bench = StreamBench(servers, prefix, folder)
    async with bench.apps:
        yield bench
