"""The web views on real sockets, with a view that is fed by hand instead of from Kafka."""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp import web
from jsonschema import Draft202012Validator

from app.booking.record import encode
from app.business_file import load_business
from app.servicetitan.token import NoToken, Token
from app.settings import Settings, load
from app.stream.config import AppConfig, WebConfig
from app.stream.faust_app import build_app
from app.view import schema
from app.view.apply import apply
from app.view.config import ViewConfig, ViewTopics
from app.view.projector import Progress
from app.view.view import View
from app.web.guard import web_options
from app.web.install import install
from app.web.openapi import description
from app.web.services import Answered, Services, StreamFacts, TopicNames, UpstreamFacts
from tests.support.rows import NOW, Read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime
    from pathlib import Path

    from app.booking.events import Headers
    from app.booking.record import Record
    from app.stream.faust_app import StreamApp
    from app.web.ops.figures import PaceFacts

TOKEN = "secret-token-text"
PREFIX = "/api/integrations/servicetitan"
TOPICS = ViewTopics(
    bookings="bookings", behind="behind", dead_letters="dead", signals="signals", webhooks="webhooks"
)


_DESCRIPTION = description(load_business().problems)


def check_answer(method: str, path: str, status: int, body: object) -> None:
    """Every answer that a test gets is one that the API's description declares."""
    for template, operations in _DESCRIPTION["paths"].items():
        described = operations.get(method.lower())
        if described is None or not re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            continue
        assert str(status) in described["responses"], f"{method} {template} answers {status}: {body}"
        content = described["responses"][str(status)]["content"].get("application/json")
        if content is not None:
            schema = {**content["schema"], "components": _DESCRIPTION["components"]}
            Draft202012Validator(schema).validate(body)


@dataclass(slots=True)
class Sent:
    """A record that a view published."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class FedView(View):
    """A view whose file is written by the test."""

    def __init__(self, config: ViewConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock=clock)
        self._business = config.business
        self._offsets = itertools.count()
        self.database = schema.create(
            config.path, schema.Stamp(cluster="c", prefix="", partitions=1), clock()
        )

    async def start(self) -> None:
        """Stand still, caught up."""
        self.set_progress(build=1, caught_up=True, as_of=self._clock())
        self._caught_up.set()

    async def stop(self) -> None:
        """Close the file."""
        await super().stop()
        self.database.close()

    def set_progress(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Progress
        self._projector.progress = replace(self._projector.progress, **changes)

    def put(self, *records: Record) -> None:
        """As if the rows had come from the changelog."""
        self.read(
            *(Read(topic="bookings", key=one.booking_id.encode(), value=encode(one)) for one in records)
        )

    def read(self, *records: Read) -> None:
        """As if the records had come."""
        batch = [replace(one, offset=next(self._offsets)) for one in records]
        self._counted = None
        self._changed(apply(self.database, TOPICS, batch, business=self._business, now=self._clock()))


@dataclass(slots=True)
class Served:
    """A running server, and what is behind it."""

    session: aiohttp.ClientSession
    address: str
    view: FedView
    settings: Settings
    port: int
    sent: list[Sent] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    stream: StreamFacts = field(default_factory=lambda: StreamFacts(ready=True, members=2))
    upstream: UpstreamFacts = field(default_factory=lambda: UpstreamFacts(status="up"))
    pace: PaceFacts | None = None
    token: Token | NoToken = field(default_factory=lambda: Token(text=TOKEN, expires_in=900, until=0.0))
    now: datetime = NOW
    reads_back: bool = True
    """Whether the view reads which keys came with which bodies, as it does from Kafka."""
    on_publish: Callable[[Sent], Awaitable[None]] | None = None
    """What the rest of the service does with what is published."""

    async def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        sent = Sent(topic, key, value, dict(headers))
        if self.on_publish is not None:
            await self.on_publish(sent)
        self.sent.append(sent)
        if self.reads_back and topic == "signals" and b'"request.made"' in (value or b""):
            self.view.read(Read(topic=topic, key=key or b"", value=value))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        api: bool = True,
        **options: Any,  # noqa: ANN401 - aiohttp's own
    ) -> tuple[int, Any, Any]:
        """Status, JSON and headers of the answer."""
        url = f"{self.address}{PREFIX if api else ''}{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            if response.content_type == "text/plain" and path == "/metrics":
                return response.status, await response.text(), response.headers
            as_json = response.content_type == "application/json" and method != "HEAD"
            body = await response.json() if as_json else None
            check_answer(method, response.url.raw_path, response.status, body)
            return response.status, body, response.headers

    async def auth_test(self) -> Token | NoToken:
        return self.token

    async def metrics(self) -> bytes:
        return b"# nothing happened yet\n"

    def services(self) -> Services:
        """What the views are given; what a test changes later is seen."""
        return Services(
            settings=self.settings,
            topics=TopicNames(booking_events="events", signals="signals", webhooks="webhooks"),
            view=self.view,
            publish=self.publish,
            stream=lambda: self.stream,
            upstream=lambda: self.upstream,
            auth_test=self.auth_test,
            metrics=self.metrics,
            answered=self.answered.append,
            clock=lambda: self.now,
            started=self.now,
            version="1.2.3",
            pace=lambda: self.pace,
        )


@contextlib.asynccontextmanager
async def serving(folder: Path, **environ: str) -> AsyncIterator[Served]:
    """The views as a worker has them, on a free port of this machine."""
    settings = load({"DATA_DIR": str(folder), "WEB_WAIT_SECONDS": "2", **environ})
    app = _app(settings, folder)
    async with aiohttp.ClientSession() as session:
        served = Served(session, "", cast("FedView", None), settings, 0)
        served.view = FedView(_view_config(settings, folder), clock=lambda: served.now)
        install(app, served.services())
        await app.web.wsgi()
        runner = app.web._runner  # type: ignore[attr-defined]  # of the aiohttp driver
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.port = runner.addresses[0][1]
        served.address = f"http://127.0.0.1:{served.port}"
        await served.view.start()
        try:
            yield served
        finally:
            await served.view.stop()
            await runner.cleanup()


def _app(settings: Settings, folder: Path) -> StreamApp:
    return build_app(
        AppConfig(
            group="web-test",
            connection={"bootstrap_servers": ["127.0.0.1:1"]},
            data_dir=folder / "store",
            partitions=1,
            store="memory",
            web=WebConfig(host="127.0.0.1", port=6066, options=web_options(settings)),
        )
    )


def _view_config(settings: Settings, folder: Path) -> ViewConfig:
    return ViewConfig(
        connection={},
        data_dir=folder,
        prefix="",
        topics=TOPICS,
        partitions=1,
        business=settings.business,
    )


__all__ = ["PREFIX", "FedView", "Progress", "Sent", "Served", "serving"]
