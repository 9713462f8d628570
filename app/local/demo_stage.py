"""What the demo runs on: a local Kafka, the simulated ServiceTitan and a worker, each its own process."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from app.local.child import WatchedChild
from app.local.demo_check import Upstream, upstream_of
from app.local.demo_script import LIVING
from app.local.kafka import HOST, SHORT_LIVED, LocalKafka, free_port
from app.settings import Settings, load
from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import Topics
from app.stream.topology import topics as declared

_OURS = ("KAFKA_", "SERVICETITAN_", "TOPIC_", "WEB_", "WEBHOOK_", "API_", "BUSINESS_")
_MAKE_JOB = "/jpm/v2/tenant/*/jobs"
_START_SECONDS = 60
_STOP_SECONDS = 45
_POLL_SECONDS = 0.1
_LAST_LINES = 12
_WEBHOOK = "/api/integrations/servicetitan/webhook"
_LIFE_SECONDS = 2.0
_WEBHOOKS_ARE = {"scheme": "both", "twice": 0.2, "late": 0.1, "lateSeconds": 1.5, "shuffle": 2}
"""What is wrong with the webhooks: some come twice, late, in another order."""


class StageWrong(Exception):  # noqa: N818 - read as a sentence: "stage wrong"
    """A process of the demo did not start, or ended by itself; the text shows its last lines."""


class Stage:
    """Starts everything and ends it: `with Stage(...) as stage:`; blocks while it does.

    Whatever the environment says about ServiceTitan or Kafka is left out: the demo never reaches the real
    one. Logs are in `folder`, which goes when the demo ends; nothing outlives this process, however it ends.
    """

    def __init__(
        self, *, kafka_port: int | None, simulator_port: int | None, web_port: int | None, seed: int
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="servicetitan-demo-"))
        self.kafka = LocalKafka(port=kafka_port, java_options=SHORT_LIVED)
        self.simulator_port = simulator_port or free_port()
        self.web_port = web_port or free_port()
        self._seed = seed
        self._secret = secrets.token_urlsafe(32)
        self._children: dict[str, WatchedChild] = {}

    @property
    def simulator_url(self) -> str:
        """Where the simulated ServiceTitan answers."""
        return f"http://{HOST}:{self.simulator_port}"

    @property
    def web_url(self) -> str:
        """Where the worker's pages are."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def settings(self) -> Settings:
        """The worker's settings."""
        return load(self._environ())

    @property
    def arguments(self) -> dict[str, Any]:
        """How aiokafka's clients reach this Kafka."""
        return connection(self.settings)

    def __enter__(self) -> Self:
        try:
            self.kafka.start()
            self._start("simulator", "--port", str(self.simulator_port), "--seed", str(self._seed))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # The worker first: it hands back its work while Kafka and ServiceTitan still answer.
        for name in ("worker", "simulator"):
            child = self._children.pop(name, None)
            if child is not None:
                child.stop(patience_seconds=_STOP_SECONDS)
        self.kafka.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def open(self) -> Topics:
        """Makes the topics and starts the worker, once the simulator answers. Gives the topics."""
        await self._answers(f"{self.simulator_url}/simulator/stats")
        await self._bring_to_life()
        found = await ensure(declared(self.settings), self.arguments)
        self._start("worker")
        return found.topics

    async def _bring_to_life(self) -> None:
        """Technicians work on some of the jobs, and every change is told by a signed webhook."""
        told = {"url": f"{self.web_url}{_WEBHOOK}", "secret": self._secret, **_WEBHOOKS_ARE}
        life = {"seconds": _LIFE_SECONDS, "bookings": LIVING, "secondThoughts": 0}
        async with aiohttp.ClientSession(self.simulator_url, raise_for_status=True) as session:
            await session.post("/simulator/webhooks", json=told)
            await session.post("/simulator/life", json=life)

    async def refuse_jobs(self, count: int) -> None:
        """The next so many jobs are refused as if the app lacked a scope; then it has it."""
        fault = {"kind": "forbidden", "method": "POST", "path": _MAKE_JOB, "count": count}
        async with aiohttp.ClientSession(self.simulator_url, raise_for_status=True) as session:
            await session.post("/simulator/faults", json=fault)

    def check(self) -> None:
        """Raises `StageWrong` when a process has ended."""
        if not self.kafka.running:
            raise StageWrong(f"Kafka ended by itself; its last lines:\n{_tail(self.kafka.log_file)}")
        for name, child in self._children.items():
            if not child.running:
                status, lines = child.wait(), _tail(self._log(name))
                raise StageWrong(f"the {name} ended by itself with status {status}; its last lines:\n{lines}")

    async def stats(self) -> dict[str, Any]:
        """The simulator's figures."""
        return await self._ask("stats")

    async def upstream(self) -> Upstream:
        """All that was done in ServiceTitan, by its own log."""
        effects, jobs, stats = await self._ask("effects"), await self._ask("jobs"), await self.stats()
        return upstream_of(effects["effects"], jobs["jobs"], stats["customers"])

    async def _ask(self, what: str) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.simulator_url}/simulator/{what}") as answer,
        ):
            body: dict[str, Any] = await answer.json()
        return body

    async def _answers(self, url: str) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await _is_there(url):
                    self.check()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise StageWrong(f"{url} does not answer within {_START_SECONDS} s") from None

    def _start(self, command: str, *arguments: str) -> None:
        self._children[command] = WatchedChild(
            [sys.executable, "-m", "app", command, *arguments],
            output=self._log(command),
            scratch=self.folder,
            environ=self._environ(),
        )

    def _log(self, command: str) -> Path:
        return self.folder / f"{command}.log"

    def _environ(self) -> Mapping[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return others | {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SERVICETITAN_API_URL": self.simulator_url,
            "SERVICETITAN_MODE": "simulation",
            "WEB_PORT": str(self.web_port),
            "WEBHOOK_SECRETS": self._secret,
            "DATA_DIR": str(self.folder / "data"),
            "LOG_FORMAT": "json",
        }


async def _is_there(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _tail(log: Path) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])
