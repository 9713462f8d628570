"""What a call to ServiceTitan came to. Every answer, and every lack of one, is one of these five."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

from app.booking.reasons import Reason

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Generic[T_co]):
    """The upstream did it, or it was done already.

    `at` is the upstream's own time, by which later and earlier are decided: the answer's Date header, or
    since when it was done already.
    """

    value: T_co
    at: datetime
    http_status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Nothing was sent, or a 429 turned it away: wait in memory; this is never an attempt."""

    detail: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Surely not done: connection refused, DNS, TLS, or any read that failed. Worth another attempt."""

    detail: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsure:
    """A write that may have been done: a time-out, a lost connection (`http_status` None) or a 5xx."""

    detail: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The upstream said no for what the call says; another attempt would be refused too."""

    reason: Reason
    detail: str
    http_status: int | None = None


Outcome: TypeAlias = Accepted[T_co] | Busy | Failed | Unsure | Refused
