"""Faults: which call goes wrong, and how. Pure: time and randomness are given."""

import re
from enum import StrEnum
from fnmatch import translate
from functools import cached_property
from random import Random

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_PATHS = "/*/v2/*"
EVERYTHING = "*"


class FaultKind(StrEnum):
    """How a call goes wrong. In the upper half the work is not done, in the lower half it is."""

    ERROR_BEFORE = "error_before"
    ERROR_IN_200 = "error_in_200"
    DROP_BEFORE = "drop_before"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TOO_MANY = "too_many"
    CONFLICT = "conflict"

    ERROR_AFTER = "error_after"
    TIMEOUT_AFTER = "timeout_after"
    LATE = "late"
    DROP = "drop"
    HALF = "half"
    NOT_JSON = "not_json"
    SLOW = "slow"
    ODD = "odd"


class Json(BaseModel):
    """What the control API takes: camelCase, and nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class Window(Json):
    """When a rule is in force, in seconds from when it was set; no end means for ever."""

    start: float = Field(default=0, ge=0)
    end: float | None = None


class FaultRequest(Json):
    """A fault to set.

    `method` and `path` (globs; `*` crosses slashes) say which calls, by default every API call but the token.
    `rate` is the share of them, `count` how many at most. `seconds` is how long a `slow` answer takes, when
    `late` work is done, how long a `too_many` asks to wait. `status` is that of an `error_*`. `retry_after`
    false leaves the header out of a `too_many`.
    """

    kind: FaultKind
    method: str = "*"
    path: str = API_PATHS
    rate: float = Field(default=1, ge=0, le=1)
    count: int | None = Field(default=None, ge=1)
    window: Window = Window()
    seconds: float = Field(default=2, ge=0)
    status: int = Field(default=500, ge=500, le=599)
    retry_after: bool = True


class FaultRule:
    """A fault in force from the moment it was set; `hits` counts the calls it struck."""

    def __init__(self, number: int, request: FaultRequest, set_at: float) -> None:
        self.number = number
        self.request = request
        self.hits = 0
        self._from = set_at + request.window.start
        self._to = None if request.window.end is None else set_at + request.window.end

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return re.compile(translate(self.request.path))

    def is_spent(self, now: float) -> bool:
        """Whether it can strike no more."""
        count = self.request.count
        return (count is not None and self.hits >= count) or (self._to is not None and now >= self._to)

    def matches(self, method: str, path: str, now: float) -> bool:
        """Whether the call is one of those it may strike."""
        return (
            now >= self._from
            and not self.is_spent(now)
            and self.request.method in ("*", method)
            and self._path.match(path) is not None
        )


class Faults:
    """The rules in force. The first that matches and wins its throw strikes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next_number = 1
        self.rules: list[FaultRule] = []

    def add(self, request: FaultRequest, now: float) -> FaultRule:
        """Set a fault, and forget spent ones."""
        self.rules = [rule for rule in self.rules if not rule.is_spent(now)]
        rule = FaultRule(self._next_number, request, now)
        self._next_number += 1
        self.rules.append(rule)
        return rule

    def clear(self, number: int | None = None) -> None:
        """Take back one fault, or all."""
        self.rules = [rule for rule in self.rules if number is not None and rule.number != number]

    def strike(self, method: str, path: str, now: float) -> FaultRequest | None:
        """The fault that strikes this call, if any."""
        for rule in self.rules:
            if rule.matches(method, path, now) and self._random.random() < rule.request.rate:
                rule.hits += 1
                return rule.request
        return None


def random_failures(rate: float) -> tuple[FaultRequest, ...]:
    """The seed's failures: a share of all API calls answers 500, one in four of them with the work done."""
    if rate <= 0:
        return ()
    return (
        FaultRequest(kind=FaultKind.ERROR_BEFORE, rate=rate * 0.75),
        FaultRequest(kind=FaultKind.ERROR_AFTER, rate=rate * 0.25),
    )
