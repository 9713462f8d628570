"""The limits a caller meets: calls per second, tokens. Pure: the clock is given."""

import base64
from collections import defaultdict, deque
from random import Random

import orjson

from app.simulator.wire.envelope import TokenAnswer

TOKEN_SECONDS = 900
SCOPES = tuple(
    f"tn.{name}"
    for name in (
        "crm.customers:r",
        "crm.customers:w",
        "crm.locations:r",
        "crm.locations:w",
        "jpm.jobs:r",
        "jpm.jobs:w",
        "jpm.appointments:r",
        "jpm.appointments:w",
        "jpm.jobtypes:r",
        "jpm.jobcancelreasons:r",
        "dis.appointmentassignments:r",
        "dis.appointmentassignments:w",
        "dis.arrivalwindows:r",
        "stt.businessunits:r",
        "stt.tagtypes:r",
        "mkt.campaigns:r",
    )
)
_WINDOW_SECONDS = 1.0


class Throttle:
    """At most so many calls in any second, per key; 0 means no limit. Refused calls do not count."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._passed: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, key: str, now: float) -> float | None:
        """None when the call passes; else the seconds until one would."""
        if self.per_second <= 0:
            return None
        passed = self._passed[key]
        while passed and passed[0] <= now - _WINDOW_SECONDS:
            passed.popleft()
        if len(passed) < self.per_second:
            passed.append(now)
            return None
        # Rounding must not make it longer than the window.
        return min(_WINDOW_SECONDS, passed[0] + _WINDOW_SECONDS - now)


class Tokens:
    """Access tokens: 900 s each, any number at once, revoked together."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._good_until: dict[str, float] = {}

    def issue(self, client_id: str, now: float, issued_at: int) -> TokenAnswer:
        """A token in the vendor's form, an RS256 JWT, but signed with random bytes."""
        claims = {
            "nbf": issued_at,
            "exp": issued_at + TOKEN_SECONDS,
            "iat": issued_at,
            "iss": "https://auth-integration.servicetitan.io",
            "client_id": client_id,
            "jti": self._random.randbytes(16).hex(),
            "scope": SCOPES,
            "simulation": True,
        }
        parts = (
            orjson.dumps({"alg": "RS256", "typ": "at+jwt"}),
            orjson.dumps(claims),
            self._random.randbytes(256),
        )
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._good_until = {old: until for old, until in self._good_until.items() if until > now}
        self._good_until[token] = now + TOKEN_SECONDS
        return TokenAnswer(access_token=token, expires_in=TOKEN_SECONDS, scope=" ".join(SCOPES))

    def is_good(self, token: str, now: float) -> bool:
        """Whether the token was issued here, has not expired and was not revoked."""
        return self._good_until.get(token, now) > now

    def revoke(self) -> int:
        """Make every token bad before its time; gives how many there were."""
        revoked = len(self._good_until)
        self._good_until.clear()
        return revoked
