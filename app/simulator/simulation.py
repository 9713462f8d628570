"""One simulation: its configuration, its world, its limits, faults and journal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random, SystemRandom
from time import monotonic
from typing import Literal

from app.simulator.faults import Faults, random_failures
from app.simulator.journal import Journal
from app.simulator.life import Life
from app.simulator.limits import Throttle, Tokens
from app.simulator.state.strangers import settle_in
from app.simulator.state.world import World, utc_now
from app.simulator.tenant import Tenant
from app.simulator.tenants import A1
from app.simulator.webhooks import Sender, WebhookSettings

_NO_WEBHOOKS = WebhookSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """How to simulate.

    `port` 0 takes a free one. `seed` None draws one. `failure_rate` is the share of API calls that answer
    500; 0 leaves out the tenant's own faults, too. `delays` are the seed's (token 200 ms, create 800, status
    400, cancel 500, queries 300-600) or none. `calls_per_second` and `token_calls_per_second` 0 mean no
    limit. `life_seconds` lets technicians work: so long between a job's steps; 0 is off.
    """

    tenant: Tenant = A1
    host: str = "127.0.0.1"
    port: int = 8200
    seed: int | None = None
    failure_rate: float = 0.05
    delays: Literal["seed", "none"] = "seed"
    calls_per_second: int = 60
    token_calls_per_second: int = 60
    life_seconds: float = 0
    webhooks: WebhookSettings = _NO_WEBHOOKS
    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = monotonic


class Simulation:
    """Everything one run of the simulator knows; `reset` begins again from the seed."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.seed = SystemRandom().randrange(1_000_000) if config.seed is None else config.seed
        self.reset()

    def reset(self) -> None:
        """Forget everything and start as at first."""
        config = self.config
        self.random = Random(self.seed)  # noqa: S311 - a simulation has to be repeatable, not secret
        self.world = World(config.tenant, now=config.now, random=self.random)
        settle_in(self.world)
        self.tokens = Tokens(self.random)
        self.throttle = Throttle(config.calls_per_second)
        self.token_throttle = Throttle(config.token_calls_per_second)
        self.journal = Journal()
        self.faults = Faults(self.random)
        self.life = Life(self.world, config.life_seconds)
        self.sender = Sender(self.world, config.webhooks, self.random)
        always = config.tenant.faults if config.failure_rate > 0 else ()
        for request in (*random_failures(config.failure_rate), *always):
            self.faults.add(request, config.monotonic())

    def monotonic(self) -> float:
        """The clock of limits, faults and figures."""
        return self.config.monotonic()
