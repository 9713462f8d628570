"""One access token for all calls: fetched once, refreshed early, fetched again when it is not taken."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import urlencode

from pydantic import ValidationError

from app.servicetitan.answers import problem_of, wait_of
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.http import Answer, Connections, Request
from app.servicetitan.single_flight import SingleFlight
from app.servicetitan.wire import TokenAnswer

REFRESH_BEFORE = 60.0
"""Seconds before its end that a token is fetched anew, or a tenth of its life when that is less."""
LONGEST_LIFE = 86_400
"""Seconds that a token is believed to serve at most: ServiceTitan's serve 900."""
TEST_AGAIN = 10.0
"""Seconds that the answer to a person who tests the credentials is remembered."""
REFRESH_AGAIN = 5.0
"""Seconds between tries of an early refresh while the old token still serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token; `until` on the monotonic clock. The text is a secret."""

    text: str = field(repr=False)
    expires_in: int
    until: float
    scopes: frozenset[str] = frozenset()
    """What it may be used for; empty when that was not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoToken:
    """Why there is no token, or none that lets us in.

    `denied` when our credentials were not taken; `wait` when told how long.
    """

    detail: str
    denied: bool
    wait: float | None = None
    http_status: int | None = None


class Tokens:
    """Gives the token. ServiceTitan throttles token requests, so there is never more than one under way."""

    def __init__(
        self, config: UpstreamConfig, connections: Connections, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._config = config
        self._connections = connections
        self._clock = clock
        self._token: Token | None = None
        self._refresh_at = 0.0
        self._tested: tuple[float, Token | NoToken] | None = None
        self.denials = 0
        """How often our credentials were not taken, since the start."""
        self._fetching: SingleFlight[Token | NoToken] = SingleFlight()

    @property
    def current(self) -> Token | None:
        """The token at hand, if it still serves; never waits."""
        if self._token is None or self._clock() >= self._token.until:
            return None
        return self._token

    @property
    def age(self) -> tuple[float, float] | None:
        """How old the token at hand is, and how long it still serves, in seconds; None without one."""
        token = self.current
        if token is None:
            return None
        left = token.until - self._clock()
        return max(0.0, token.expires_in - left), left

    async def get(self) -> Token | NoToken:
        """The token at hand, or a new one. Near its end it is refreshed while it still serves."""
        token = self.current
        if token is None:
            return await self._fetching.result(self._fetch)
        if self._clock() >= self._refresh_at:
            self._refresh_at = self._clock() + REFRESH_AGAIN
            self._fetching.start(self._fetch)
        return token

    async def tested(self) -> Token | NoToken:
        """A token that was fetched now or a moment ago, however often it is asked for."""
        if self._tested is None or self._clock() - self._tested[0] >= TEST_AGAIN:
            self._tested = self._clock(), await self._fetching.result(self._fetch)
        return self._tested[1]

    def reject(self, token: Token) -> None:
        """This token was answered 401; the next `get` fetches another."""
        if self._token is token:
            self._token = None

    async def close(self) -> None:
        """Stop a fetch under way."""
        await self._fetching.close()

    async def _fetch(self) -> Token | NoToken:
        started = self._clock()
        sent = await self._connections.send(self._request())
        if not isinstance(sent, Answer):
            return NoToken(detail=f"no token: {sent.detail}", denied=False)
        if problem_of(sent) is not None:
            refusal = _refusal(sent)
            self.denials += refusal.denied
            return refusal
        try:
            said = TokenAnswer.read(sent.body)
        except ValidationError:
            return NoToken(
                detail="no token: the answer cannot be read", denied=False, http_status=sent.status
            )
        life = min(said.expires_in, LONGEST_LIFE)
        self._token = Token(text=said.access_token, expires_in=life, until=started + life, scopes=said.scopes)
        self._refresh_at = self._token.until - min(REFRESH_BEFORE, life / 10)
        return self._token

    def _request(self) -> Request:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret,
        }
        return Request(
            method="POST",
            url=self._config.token_url,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            about_to_send=_nothing_to_check,
        )


def _refusal(answer: Answer) -> NoToken:
    """A token request that was turned away: 400 and 401 mean our credentials (`invalid_client` ...)."""
    problem = problem_of(answer)
    text = problem.text if problem else ""
    return NoToken(
        detail=f"no token: {text}",
        denied=answer.status in {400, 401, 403},
        wait=wait_of(answer, datetime.now(UTC)) if answer.status == 429 else None,
        http_status=answer.status,
    )


def _nothing_to_check() -> None:
    """A token request changes nothing, whoever owns the booking."""
