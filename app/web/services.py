"""What the web views need of the worker: handed in, so that they know nothing of how it works."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from aiohttp import web

from app.booking.events import Headers
from app.servicetitan.token import NoToken, Token
from app.settings import Settings
from app.view.view import View
from app.web.ops.figures import Figures, PaceFacts


class Publish(Protocol):
    """Sends a record; returns when the broker has acknowledged it. Without a partition the key decides."""

    async def __call__(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> object:
        """Raise when the broker refuses it; wait when the broker is away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """How the worker's streams are. Ages in seconds, lag in records; `members` of the last assignment.

    `per_second` is how many records it finished each second lately; `group_answers` whether the group surely
    counts this worker in.
    """

    ready: bool
    recovering: bool = False
    rebalancing: bool = False
    members: int = 0
    lag: int = 0
    per_second: float = 0.0
    commit_age: float = 0.0
    head_age: float = 0.0
    group_answers: bool = True
    gave_up: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFacts:
    """How ServiceTitan is, by the last question of health or the last real call; `breaker` is its state."""

    status: Literal["up", "down", "unknown"]
    detail: str = ""
    breaker: str = "closed"
    checked_at: datetime | None = None
    trouble: str | None = None
    """Why the breaker is open: outage, authentication or refusals."""
    since: datetime | None = None
    """Since when it is open."""
    names: tuple[str, ...] = ()
    """What is wrong with the business's names, a line for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request that was answered; `route` is its template, `unmatched` for what is none of ours."""

    route: str
    method: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNames:
    """The full names of the topics that the views write to."""

    booking_events: str
    signals: str
    webhooks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a view may use. `clock` gives the time in UTC, `started` is the worker's start.

    `pace` is None before ServiceTitan was called for the first time; `figures` is fed by the worker.
    """

    settings: Settings
    topics: TopicNames
    view: View
    publish: Publish = field(repr=False)
    stream: Callable[[], StreamFacts]
    upstream: Callable[[], UpstreamFacts]
    auth_test: Callable[[], Awaitable[Token | NoToken]]
    metrics: Callable[[], Awaitable[bytes]]
    answered: Callable[[Answered], None]
    clock: Callable[[], datetime]
    started: datetime
    version: str
    pace: Callable[[], PaceFacts | None] = lambda: None
    figures: Figures = field(default_factory=Figures)

    @property
    def kafka(self) -> Literal["up", "behind", "down"]:
        """Down when it answers neither the view nor the group: at a start or a rebalance one is silent."""
        view = self.view
        if view.progress.trouble is not None or (view.unanswered and not self.stream().group_answers):
            return "down"
        return "behind" if view.far_behind else "up"


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services of the application that answers this request."""
    return request.app[SERVICES]
