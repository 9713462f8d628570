"""ServiceTitan as one worker has it: every part of the client, put together."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Self, TypeVar

from app.booking.outcomes import Accepted, Busy, Outcome, Refused
from app.servicetitan.caller import Caller, CallMade, Errand, Observe, nobody_observes
from app.servicetitan.catalogue import Catalogue
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.desk import Desk
from app.servicetitan.gate import Gate
from app.servicetitan.http import Connections
from app.servicetitan.jobs import Jobs
from app.servicetitan.pace import Pace, Priority
from app.servicetitan.people import People
from app.servicetitan.single_flight import SingleFlight
from app.servicetitan.token import TEST_AGAIN, NoToken, Token, Tokens
from app.servicetitan.watch import Watch

TRIES = 5
"""A fault that passes is nothing that is missing: so often is asked, `BETWEEN_TRIES` seconds apart."""
BETWEEN_TRIES = 0.5

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSeen:
    """What asking for health came to; `detail` says what is wrong."""

    well: bool
    detail: str
    seconds: float


class Upstream:
    """ServiceTitan. Make it inside a running event loop; `close` it.

    `pace` needs its share (`pace.set_share`) before anything is called; `gate` shows the breaker;
    `desk` performs asks. `observe` is told of every call made, tokens apart.
    """

    def __init__(
        self,
        config: UpstreamConfig,
        *,
        observe: Observe = nobody_observes,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._told = observe
        self._last_call: CallMade | None = None
        self._read: tuple[float, HealthSeen] | None = None
        self._reading: SingleFlight[HealthSeen] = SingleFlight()
        self._connections = Connections(config)
        self._tokens = Tokens(config, self._connections, clock=clock)
        self.pace = Pace(
            calls_per_second=config.calls_per_second, most_in_flight=config.calls_in_flight, clock=clock
        )
        self.gate = Gate(first_pause=config.first_pause, longest_pause=config.longest_pause, clock=clock)
        self._caller = Caller(
            config=config,
            pace=self.pace,
            gate=self.gate,
            connections=self._connections,
            tokens=self._tokens,
            observe=self._observe,
            clock=clock,
        )
        self.watch = Watch(self._caller, self.gate, clock)
        self._catalogue = Catalogue(self._caller, config.business, guess=config.guess_names, clock=clock)
        self.desk = Desk(
            caller=self._caller,
            gate=self.gate,
            jobs=Jobs(self._caller, self._catalogue, application_guid=config.application_guid),
            people=People(self._caller),
            clock=clock,
        )

    @property
    def last_call(self) -> CallMade | None:
        """The last call made, whatever it came to."""
        return self._last_call

    @property
    def token_denials(self) -> int:
        """How often a token was refused for our credentials, since the start."""
        return self._tokens.denials

    @property
    def token_age(self) -> tuple[float, float] | None:
        """How old the token at hand is, and how long it still serves, in seconds; None without one."""
        return self._tokens.age

    async def check_health(self) -> HealthSeen:
        """Ask for a token and one cheap read, last in the queue and once.

        While the breaker is open it says so without a call, unless a probe is due and nobody else is there.
        """
        started = self._clock()
        passage = self.gate.try_passage()
        if passage is None:
            return HealthSeen(well=False, detail=self.gate.snapshot().why, seconds=0.0)
        try:
            errand = Errand(priority=Priority.LOW, since=started, lane="health", probing=passage.probing)
            outcome = await self._caller.ping(errand)
            if isinstance(outcome, Accepted):
                passage.answered()
                return HealthSeen(well=True, detail="", seconds=self._clock() - started)
            passage.failed(outcome.detail)
            return HealthSeen(well=False, detail=outcome.detail, seconds=self._clock() - started)
        finally:
            passage.leave()

    @property
    def name_complaints(self) -> tuple[str, ...]:
        """What is wrong with the business's names, as their lists were read last; a line for each."""
        return self._catalogue.complaints

    async def look_at_names(self, *, tries: int = 1) -> Outcome[tuple[str, ...]]:
        """Read the lists that the business has names of, last in the queue; what is wrong, a line for each.

        While the breaker is open that is Busy, without a call. Of a list that cannot be read nothing is
        known; `name_complaints` tells of the others all the same.
        """
        return await until_settled(
            self._look_once, lambda found: isinstance(found, Accepted | Refused), tries=tries
        )

    async def _look_once(self) -> Outcome[tuple[str, ...]]:
        if self.gate.is_open:
            return Busy(detail=self.gate.snapshot().why)
        errand = Errand(priority=Priority.LOW, since=self._clock(), lane="names")
        return await self._catalogue.look(errand)

    async def auth_test(self) -> Token | NoToken:
        """Ask for a token and one cheap read, for a person who wants to know whether we are let in.

        A token says nothing of the app key and the tenant, which the read does. Both answers are remembered
        for `TEST_AGAIN` seconds: ServiceTitan's allowances are for the calls.
        """
        token = await self._tokens.tested()
        if isinstance(token, NoToken):
            return token
        if self._read is None or self._clock() - self._read[0] >= TEST_AGAIN:
            self._read = self._clock(), await self._reading.result(self.check_health)
        read = self._read[1]
        return token if read.well else NoToken(detail=read.detail, denied=False)

    async def close(self) -> None:
        """Stop what is under way in the background and close every connection."""
        await self.desk.close()
        await self._reading.close()
        await self._catalogue.close()
        await self._tokens.close()
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _observe(self, call: CallMade) -> None:
        self._last_call = call
        self._told(call)


async def until_settled(
    once: Callable[[], Awaitable[Found]], is_settled: Callable[[Found], bool], *, tries: int = TRIES
) -> Found:
    """What `once` gives, asked again while it is not settled; the last try's is given as it is."""
    for _ in range(tries - 1):
        found = await once()
        if is_settled(found):
            return found
        await asyncio.sleep(BETWEEN_TRIES)
    return await once()
