"""Webhooks: what is said of a change, how it is signed, and how it is sent: also twice, late, shuffled."""

import asyncio
import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal

import aiohttp
from pydantic import Field

from app.simulator.faults import Json
from app.simulator.log import log
from app.simulator.state.world import Effect, World
from app.simulator.webhook_bodies import Told, WebhookForm, told_of

WebhookScheme = Literal["servicetitan", "standard", "both"]

RETRY_SECONDS = (10.0, 30.0, 60.0, 300.0)
"""The vendor's waits after an answer that is not 2xx; then it gives up."""

_TIMEOUT_SECONDS = 10
_KEPT = 1_000
_AT_ONCE = 16


class WebhookSettings(Json):
    """Where webhooks go and what is wrong with them.

    `url` null is off. `twice` and `late` are shares of them; a late one comes up to `late_seconds` later.
    `shuffle` n lets n gather and sends them in random order, after a second at the latest. Secrets that start
    with `whsec_` are base64, others are used as they are.
    """

    url: str | None = None
    secret: str | None = Field(default=None, repr=False)
    form: WebhookForm = "v2"
    scheme: WebhookScheme = "servicetitan"
    encoding: Literal["hex", "base64"] = "hex"
    twice: float = Field(default=0, ge=0, le=1)
    late: float = Field(default=0, ge=0, le=1)
    late_seconds: float = Field(default=5, ge=0)
    shuffle: int = Field(default=1, ge=1)


@dataclass(slots=True)
class Delivery:
    """One webhook and what became of it: the statuses that were answered, 0 for no answer."""

    id: str
    event_type: str
    job: int | None
    body: bytes
    at: datetime
    answers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Happened:
    """What is to be told of an effect, once or twice."""

    told: Told
    effect: Effect

    def delivery(self, nth: int) -> Delivery:
        again = f"-{nth + 1}" if nth else ""
        number = f"sim-{self.effect.number:06d}{again}"
        return Delivery(number, self.told.event_type, self.effect.job, self.told.body(), self.effect.at)


class Sender:
    """Sends a webhook for each effect. Those of one job go out in order, unless late or shuffled."""

    def __init__(self, world: World, settings: WebhookSettings, random: Random) -> None:
        self.settings = settings
        self.deliveries: deque[Delivery] = deque(maxlen=_KEPT)
        self._world = world
        self._random = random
        self._seen = 0
        self._held: list[_Happened] = []
        self._tails: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def publish(self) -> None:
        """Send what happened since the last time; what a body says is what is true now."""
        effects = self._world.effects[self._seen :]
        self._seen = len(self._world.effects)
        if self.settings.url is None:
            return
        for effect in effects:
            self._held += [
                _Happened(told, effect) for told in told_of(self._world, effect, self.settings.form)
            ]
        if len(self._held) >= self.settings.shuffle:
            self._release()
        elif self._held:
            self._start(self._release_later())

    async def close(self) -> None:
        """Give up what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _release(self) -> None:
        held, self._held = self._held, []
        if self.settings.shuffle > 1:
            self._random.shuffle(held)
        for happened in held:
            for nth in range(2 if self._random.random() < self.settings.twice else 1):
                self._dispatch(happened.delivery(nth))

    async def _release_later(self) -> None:
        await asyncio.sleep(1)
        self._release()

    def _dispatch(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._random.random() < self.settings.late:
            self._start(self._send(delivery, self._random.uniform(0, self.settings.late_seconds), None))
            return
        job = delivery.job if self.settings.shuffle == 1 else None
        before = self._tails.get(job) if job is not None else None
        self._start(self._send(delivery, 0, before), job)

    def _start(self, coroutine: Coroutine[None, None, None], job: int | None = None) -> None:
        """Run it in the background; with a job, the next webhook of that job waits for it."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if job is not None:
            self._tails[job] = task
            task.add_done_callback(lambda ended: self._forget(job, ended))

    def _forget(self, job: int, ended: asyncio.Task[None]) -> None:
        if self._tails.get(job) is ended:
            del self._tails[job]

    async def _send(self, delivery: Delivery, wait: float, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await asyncio.sleep(wait)
        if not await self._attempt(delivery):
            self._start(self._retry(delivery))

    async def _retry(self, delivery: Delivery) -> None:
        for seconds in RETRY_SECONDS:
            await asyncio.sleep(seconds)
            if await self._attempt(delivery):
                return
        log.warning("webhook %s given up", delivery.id)

    async def _attempt(self, delivery: Delivery) -> bool:
        settings = self.settings
        if settings.url is None:
            return True
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        headers = {
            "Content-Type": "application/json",
            **signatures(settings, delivery.id, delivery.body, self._world.now()),
        }
        status = 0
        try:
            async with (
                self._slots,
                self._session.post(settings.url, data=delivery.body, headers=headers) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("webhook %s did not arrive: %s", delivery.id, type(error).__name__)
        delivery.answers.append(status)
        return 200 <= status < 300


def signatures(settings: WebhookSettings, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that sign a body; none without a secret."""
    if settings.secret is None:
        return {}
    key = secret_key(settings.secret)
    headers: dict[str, str] = {}
    if settings.scheme in ("servicetitan", "both"):
        digest = hmac.digest(key, body, hashlib.sha256)
        text = digest.hex() if settings.encoding == "hex" else base64.b64encode(digest).decode()
        headers["x-servicetitan-signature"] = text
    if settings.scheme in ("standard", "both"):
        timestamp = str(int(now.timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        headers |= {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}",
        }
    return headers


def secret_key(secret: str) -> bytes:
    """The key of a secret: base64 after `whsec_`, else the text itself."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode()
