"""One call to ServiceTitan, from its turn at the pace to its outcome; never raises for HTTP.

A call is sent once; only one answered 401, which did nothing, is sent again with a new token. What became
of each is told to the breaker, the pace and the observer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson
from pydantic import ValidationError
from yarl import URL

from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure
from app.servicetitan.answers import judge, unreadable, wait_of
from app.servicetitan.breaker import Trouble
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.endpoints import LIST_BUSINESS_UNITS, Endpoint
from app.servicetitan.gate import Gate
from app.servicetitan.http import Answer, Connections, Request, Sent
from app.servicetitan.pace import Pace, Priority, Turn
from app.servicetitan.token import NoToken, Token, Tokens
from app.servicetitan.wire import Page

Value = TypeVar("Value")
Check = Callable[[], None]
"""Called when a connection is there, before a call's first byte; what it raises stops the call."""


def nothing_to_check() -> None:
    """The check of calls that no booking owns."""


Ended = Callable[[Outcome[Any]], None]
"""Called with what a call came to, of whoever asks for more than one call."""


def nobody_waits(_: Outcome[Any]) -> None:
    """For calls whose asker needs the last outcome only."""


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
    ended: Ended = nobody_waits


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade:
    """One call that was made, for logs, metrics and health. `kind` is the outcome's name.

    `left_out` is how many rows of the answer could not be read.
    """

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
    left_out: int = 0


Observe = Callable[[CallMade], None]


def nobody_observes(_: CallMade) -> None:
    """The observer when there is none."""


class Caller:
    """Makes calls. See the module's text."""

    def __init__(
        self,
        *,
        config: UpstreamConfig,
        pace: Pace,
        gate: Gate,
        connections: Connections,
        tokens: Tokens,
        observe: Observe,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._pace = pace
        self._gate = gate
        self._connections = connections
        self._tokens = tokens
        self._observe = observe
        self._clock = clock

    async def call(
        self,
        endpoint: Endpoint[Value],
        errand: Errand,
        *,
        row: int | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Outcome[Value]:
        """One call; `row` goes into the endpoint's path, `query` over what it is always asked."""
        request = self._request(endpoint, errand, row=row, body=body, query=query or {})
        return await self._exchange(_Call(endpoint, errand, request))

    async def ping(self, errand: Errand) -> Outcome[object]:
        """The cheapest read: one row of a short list."""
        return await self.call(LIST_BUSINESS_UNITS, errand, query={"page": "1", "pageSize": "1"})

    async def _exchange(self, call: "_Call[Value]") -> Outcome[Value]:
        """Send with a token that is taken; a first 401 fetches another token and sends again."""
        said = ""
        for _ in ("with the token at hand", "with a fresh one"):
            token = await self._tokens.get()
            if isinstance(token, NoToken):
                return self._no_token(token)
            outcome = await self._in_turn(call, token)
            if isinstance(outcome, Accepted) or outcome.http_status != 401:
                return outcome
            said = outcome.detail
        detail = f"{call.endpoint.template}: 401 with a fresh token: {said}"
        self._gate.breaker.no_token(Trouble.AUTHENTICATION, self._clock(), detail)
        return Busy(detail=detail, http_status=401)

    async def _in_turn(self, call: "_Call[Value]", token: Token) -> Outcome[Value]:
        """Wait for a turn and send; Busy when the breaker opened meanwhile."""
        async with self._pace.turn(call.errand.priority, since=call.errand.since) as turn:
            if self._gate.is_open and not call.errand.probing:
                return Busy(detail="calls are stopped")
            token = self._tokens.current or token
            started = self._clock()
            number = self._gate.breaker.call_begins(started)
            try:
                sent = await self._connections.send(_ready(call, token, turn))
            finally:
                self._gate.breaker.call_ends(number)
            seconds = self._clock() - started
        outcome = _understood(call, sent)
        if outcome.http_status == 401:
            self._tokens.reject(token)
        self._learn(call, number, sent, outcome)
        self._tell(call, outcome, seconds)
        call.errand.ended(outcome)
        return outcome

    def _learn(self, call: "_Call[Any]", number: int, sent: Sent, outcome: Outcome[Any]) -> None:
        """Tell breaker and pace what the call came to."""
        lane, now = call.errand.lane, self._clock()
        match outcome:
            case Failed(detail=detail) | Unsure(detail=detail):
                why = f"{call.endpoint.template}: {detail}"
                self._gate.breaker.call_failed(number, lane, now, why)
            case Accepted() | Refused() | Busy():
                self._gate.breaker.call_succeeded(number, lane, now)
        if isinstance(outcome, Busy) and isinstance(sent, Answer):
            self._pace.refused(wait_of(sent, datetime.now(UTC)))
        else:
            self._pace.accepted()

    def _no_token(self, said: NoToken) -> Busy:
        trouble = Trouble.AUTHENTICATION if said.denied else Trouble.OUTAGE
        self._gate.breaker.no_token(trouble, self._clock(), said.detail, wait=said.wait)
        return Busy(detail=said.detail)

    def _request(
        self,
        endpoint: Endpoint[Any],
        errand: Errand,
        *,
        row: int | None,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str],
    ) -> Request:
        path = endpoint.template.format(tenant=self._config.tenant_id, id=row)
        asked = {**endpoint.query, **query}
        if endpoint.external_data:
            asked["externalDataApplicationGuid"] = self._config.application_guid
        headers = {"ST-App-Key": self._config.app_key}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if errand.traceparent:
            headers["traceparent"] = errand.traceparent
        return Request(
            method=endpoint.method,
            url=URL(f"{self._config.api_root}{path}").with_query(asked),
            headers=headers,
            body=None if body is None else orjson.dumps(body),
            about_to_send=errand.check,
        )

    def _tell(self, call: "_Call[Any]", outcome: Outcome[Any], seconds: float) -> None:
        self._observe(
            CallMade(
                method=call.endpoint.method,
                endpoint=call.endpoint.template,
                http_status=outcome.http_status,
                seconds=seconds,
                kind=type(outcome).__name__,
                detail="" if isinstance(outcome, Accepted) else outcome.detail,
                priority=call.errand.priority,
                lane=call.errand.lane,
                traceparent=call.errand.traceparent,
                at=datetime.now(UTC),
                left_out=_left_out(outcome),
            )
        )


@dataclass(frozen=True, slots=True)
class _Call(Generic[Value]):
    """A call to make."""

    endpoint: Endpoint[Value]
    errand: Errand
    request: Request


def _understood(call: _Call[Value], sent: Sent) -> Outcome[Value]:
    """What a call came to: whatever there is in an answer that nobody thought of, it cannot be read."""
    try:
        return _read(call, judge(call.endpoint, sent, datetime.now(UTC)))
    except Exception as error:  # noqa: BLE001 - the one boundary: a stranger's answer ends no worker
        status = sent.status if isinstance(sent, Answer) else None
        return unreadable(call.endpoint, status, type(error).__name__)


def _read(call: _Call[Value], outcome: Outcome[bytes]) -> Outcome[Value]:
    """The outcome with its body read; a success that cannot be read is none."""
    if not isinstance(outcome, Accepted):
        return outcome
    try:
        value = call.endpoint.read(outcome.value)
    except ValidationError as error:
        # Field names and kinds of error only: the values may be personal.
        why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
        return unreadable(call.endpoint, outcome.http_status, why)
    return Accepted(value=value, at=outcome.at, http_status=outcome.http_status)


def _left_out(outcome: Outcome[Any]) -> int:
    if isinstance(outcome, Accepted) and isinstance(outcome.value, Page):
        return len(outcome.value.left_out)
    return 0


def _ready(call: _Call[Any], token: Token, turn: Turn) -> Request:
    """The request with its token, checked and counted at the moment it goes out."""

    def about_to_send() -> None:
        call.request.about_to_send()
        turn.sent()

    headers = {**call.request.headers, "Authorization": f"Bearer {token.text}"}
    return replace(call.request, headers=headers, about_to_send=about_to_send)
