"""One call to ServiceTitan, from its turn at the pace to its outcome; never raises for HTTP.

A call is sent once; only one answered 401, which did nothing, is sent again with a new token. What became
of each is told to the breaker, the pace and the observer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TypeVar

from pydantic import ValidationError
from yarl import URL

from app.booking.outcomes import Accepted, Busy, Outcome
from app.servicetitan.answers import judge, problem_of, unreadable, wait_of
from app.servicetitan.breaker import Trouble
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.endpoints import Endpoint
from app.servicetitan.gate import Gate
from app.servicetitan.http import Answer, Connections, Request, Sent
from app.servicetitan.pace import Pace, Priority, Turn
from app.servicetitan.token import NoToken, Token, Tokens
from app.servicetitan.wire.base import Wire

Model = TypeVar("Model", bound=Wire)
Check = Callable[[], None]
"""Called when a connection is there, before a call's first byte; what it raises stops the call."""


def nothing_to_check() -> None:
    """The check of calls that no booking owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """For whom and how a call is made: all that is the same for every call of one ask.

    `since` (monotonic) is when the ask began; `lane` and `traceparent` go to the observer and upstream;
    `probing` lets it through an open breaker.
    """

    priority: Priority
    since: float
    lane: str = ""
    traceparent: str | None = None
    probing: bool = False
    check: Check = nothing_to_check


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade:
    """One call that was made, for logs, metrics and health. `kind` is the outcome's name."""

    method: str
    endpoint: str
    http_status: int | None
    seconds: float
    kind: str
    detail: str
    priority: Priority
    lane: str
    traceparent: str | None
    at: datetime


Observe = Callable[[CallMade], None]


def nobody_observes(_: CallMade) -> None:
    """The observer when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a client is made of; `pace` and `gate` are also the worker's to look at and to set."""

    config: UpstreamConfig
    pace: Pace
    gate: Gate
    connections: Connections
    tokens: Tokens
    observe: Observe = nobody_observes
    clock: Callable[[], float] = monotonic


class Caller:
    """Makes calls. See the module's text."""

    def __init__(self, parts: Parts) -> None:
        self._config = parts.config
        self._pace = parts.pace
        self._gate = parts.gate
        self._connections = parts.connections
        self._tokens = parts.tokens
        self._observe = parts.observe
        self._clock = parts.clock

    async def order(
        self, endpoint: Endpoint, errand: Errand, *, row: int | None = None, body: Wire | None = None
    ) -> Outcome[None]:
        """A call whose answer tells nothing beyond its status."""
        outcome = await self._exchange(endpoint, errand, row=row, body=body, query={})
        if isinstance(outcome, Accepted):
            return Accepted(value=None, at=outcome.at, http_status=outcome.http_status)
        return outcome

    async def call(
        self,
        endpoint: Endpoint,
        errand: Errand,
        model: type[Model],
        *,
        row: int | None = None,
        query: Mapping[str, str] | None = None,
        body: Wire | None = None,
    ) -> Outcome[Model]:
        """A call whose answer is read as `model`."""
        outcome = await self._exchange(endpoint, errand, row=row, body=body, query=query or {})
        if not isinstance(outcome, Accepted):
            return outcome
        try:
            value = model.read(outcome.value)
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
            self._gate.breaker.call_failed(self._clock(), f"{endpoint.template}: unreadable answer")
            return unreadable(endpoint, outcome.http_status, why)
        return Accepted(value=value, at=outcome.at, http_status=outcome.http_status)

    async def _exchange(
        self,
        endpoint: Endpoint,
        errand: Errand,
        *,
        row: int | None,
        body: Wire | None,
        query: Mapping[str, str],
    ) -> Outcome[bytes]:
        """Send with a token that is taken; a first 401 fetches another token and sends again."""
        request = self._request(endpoint, errand, row=row, body=body, query=query)
        for fresh in (False, True):
            token = await self._tokens.get()
            if isinstance(token, NoToken):
                return self._no_token(token)
            sent = await self._in_turn(endpoint, errand, request, token)
            if sent is None:
                return Busy(detail="calls are stopped")
            if not (isinstance(sent, Answer) and _status(sent) == 401):
                return self._judged(endpoint, sent)
            self._tokens.reject(token)
            if fresh:
                break
        detail = f"{endpoint.template}: 401 with a fresh token"
        self._gate.breaker.no_token(Trouble.AUTHENTICATION, self._clock(), detail)
        return Busy(detail=detail, http_status=401)

    async def _in_turn(
        self, endpoint: Endpoint, errand: Errand, request: Request, token: Token
    ) -> Sent | None:
        """Wait for a turn and send; None when the breaker opened meanwhile."""
        async with self._pace.turn(errand.priority, since=errand.since) as turn:
            if self._gate.is_open and not errand.probing:
                return None
            started = self._clock()
            sent = await self._connections.send(
                _ready(request, token=self._tokens.current or token, check=errand.check, turn=turn)
            )
            seconds = self._clock() - started
        self._tell(endpoint, errand, sent, seconds)
        return sent

    def _judged(self, endpoint: Endpoint, sent: Sent) -> Outcome[bytes]:
        now = self._clock()
        outcome = judge(endpoint, sent, datetime.now(UTC))
        if isinstance(sent, Answer) and _status(sent) < 500:
            self._gate.breaker.call_succeeded(now)
        else:
            self._gate.breaker.call_failed(now, f"{endpoint.template}: {_detail(outcome)}")
        if isinstance(outcome, Busy) and isinstance(sent, Answer):
            self._pace.refused(wait_of(sent, datetime.now(UTC)))
        else:
            self._pace.accepted()
        return outcome

    def _no_token(self, said: NoToken) -> Busy:
        trouble = Trouble.AUTHENTICATION if said.denied else Trouble.OUTAGE
        self._gate.breaker.no_token(trouble, self._clock(), said.detail, wait=said.wait)
        return Busy(detail=said.detail, http_status=said.http_status)

    def _request(
        self,
        endpoint: Endpoint,
        errand: Errand,
        *,
        row: int | None,
        body: Wire | None,
        query: Mapping[str, str],
    ) -> Request:
        path = endpoint.template.format(tenant=self._config.tenant_id, id=row)
        headers = {"ST-App-Key": self._config.app_key}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if errand.traceparent:
            headers["traceparent"] = errand.traceparent
        return Request(
            method=endpoint.method,
            url=URL(f"{self._config.api_root}{path}").with_query(query),
            headers=headers,
            body=None if body is None else body.request(),
            about_to_send=errand.check,
        )

    def _tell(self, endpoint: Endpoint, errand: Errand, sent: Sent, seconds: float) -> None:
        now = datetime.now(UTC)
        outcome: Outcome[Any] = judge(endpoint, sent, now)
        self._observe(
            CallMade(
                method=endpoint.method,
                endpoint=endpoint.template,
                http_status=_status(sent) if isinstance(sent, Answer) else None,
                seconds=seconds,
                kind=type(outcome).__name__,
                detail=_detail(outcome),
                priority=errand.priority,
                lane=errand.lane,
                traceparent=errand.traceparent,
                at=now,
            )
        )


def _ready(request: Request, *, token: Token, check: Check, turn: Turn) -> Request:
    """The request with its token, checked and counted at the moment it goes out."""

    def about_to_send() -> None:
        check()
        turn.sent()

    return Request(
        method=request.method,
        url=request.url,
        headers={**request.headers, "Authorization": f"Bearer {token.text}"},
        body=request.body,
        about_to_send=about_to_send,
    )


def _status(answer: Answer) -> int:
    problem = problem_of(answer)
    return answer.status if problem is None else problem.status


def _detail(outcome: Outcome[Any]) -> str:
    return "" if isinstance(outcome, Accepted) else outcome.detail
