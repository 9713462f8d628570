"""A worker of the streaming layer alone, as a process: `python -m tests.support.stream_worker PLAN`.

PLAN is the JSON of a `WorkerPlan`. The worker writes a row and a record for every message, and says in its
journal when it began and finished each: a line is with the kernel before the next step, so SIGKILL loses
none.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from aiokafka.consumer.group_coordinator import GroupCoordinator

from app.stream.config import AppConfig
from app.stream.faust_app import StreamApp, build_app

if TYPE_CHECKING:
    from app.stream.message import Message
    from app.stream.tables import OwnedTable

Step = Literal["began", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What the worker reads and where it writes; all durations in seconds."""

    servers: str
    prefix: str
    journal: str
    data_dir: str
    partitions: int = 4
    store: Literal["rocksdb", "memory"] = "memory"
    session_timeout: float = 6.0
    commit_interval: float = 0.3
    drain_limit: float = 10.0
    shortest_work: float = 0.0
    longest_work: float = 0.2
    committed_delay: float = 0.0
    """How much later the broker's answer about a committed offset comes, as on a network."""

    def as_argument(self) -> str:
        return orjson.dumps(asdict(self)).decode()


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One step of one message; `at` is monotonic seconds, the same for all processes of a machine."""

    at: float
    worker: int
    step: Step
    partition: int
    offset: int
    key: str
    value: str


def read_journal(path: Path) -> list[JournalLine]:
    """All whole lines."""
    return [JournalLine(*orjson.loads(line)) for line in path.read_bytes().split(b"\n")[:-1]]


class Worker:
    """The app and its journal."""

    def __init__(self, plan: WorkerPlan) -> None:
        self.plan = plan
        self.app: StreamApp = build_app(
            AppConfig(
                group=f"{plan.prefix}group",
                connection={"bootstrap_servers": [plan.servers]},
                data_dir=Path(plan.data_dir),
                partitions=plan.partitions,
                store=plan.store,
                session_timeout=plan.session_timeout,
                commit_interval=plan.commit_interval,
                drain_limit=plan.drain_limit,
            )
        )
        self.table: OwnedTable = self.app.owned_table("rows")
        self.app.source(f"{plan.prefix}in", self.handle)
        self._journal = os.open(plan.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def handle(self, message: Message) -> None:
        self._note("began", message)
        await asyncio.sleep(random.uniform(self.plan.shortest_work, self.plan.longest_work))
        await self.table.put(message.partition, message.key or b"", message.value or b"")
        await self.app.publish(f"{self.plan.prefix}out", message.key, message.value)
        self._note("finished", message)

    def _note(self, step: Step, message: Message) -> None:
        key, value = (message.key or b"").decode(), (message.value or b"").decode()
        line = [time.monotonic(), os.getpid(), step, message.partition, message.offset, key, value]
        os.write(self._journal, orjson.dumps(line) + b"\n")

    async def run(self) -> int:
        """Work until SIGTERM (0), or until the app gave up (4)."""
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
        self.app.finalize()
        await self.app.start()
        ended = asyncio.create_task(self.app.wait_until_stopped())
        await asyncio.wait({ended, asyncio.create_task(asked.wait())}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        await self.app.stop()
        return 4 if self.app.gave_up else 0


def delay_committed(seconds: float) -> None:
    """Let every answer about a committed offset come that much later."""
    answered = GroupCoordinator.fetch_committed_offsets

    async def late(self: GroupCoordinator, *args: Any) -> Any:  # noqa: ANN401 - aiokafka has no types
        await asyncio.sleep(seconds)
        return await answered(self, *args)

    GroupCoordinator.fetch_committed_offsets = late


def main() -> int:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
    )
    plan = WorkerPlan(**orjson.loads(sys.argv[1]))
    if plan.committed_delay:
        delay_committed(plan.committed_delay)
    return asyncio.run(Worker(plan).run())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
