"""A simulator in this process, on real sockets, and a client that calls it as fast as it can."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest

from app.business_file import load_business
from app.servicetitan.caller import CallMade, Observe
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.upstream import Upstream
from app.simulator.server import RunningSimulator, start
from app.simulator.simulation import SimulatorConfig
from app.view.config import ViewConfig
from tests.support.simulated import GUID
from tests.support.web import TOPICS, FedView

MakeUpstream = Callable[..., Upstream]


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    """A simulator without delays, failures and limits."""
    running = await start(
        SimulatorConfig(
            port=0,
            seed=1,
            failure_rate=0,
            delays="none",
            calls_per_second=0,
            token_calls_per_second=0,
        )
    )
    yield running
    await running.stop()


@pytest.fixture
def calls() -> list[CallMade]:
    """Every call made, in order."""
    return []


def config_of(simulator: RunningSimulator, **changes: object) -> UpstreamConfig:
    """What a client of this simulator is set to."""
    values: dict[str, object] = {
        "api_url": simulator.url,
        "auth_url": simulator.url,
        "client_id": "cid.test",
        "client_secret": "cs1.test",
        "app_key": "ak1.test",
        "tenant_id": "1000001",
        "application_guid": GUID,
        "business": load_business(),
        "calls_per_second": 1000.0,
        "timeout_seconds": 20.0,
        "first_pause": 0.05,
        "longest_pause": 0.2,
    }
    return UpstreamConfig(**(values | changes))  # type: ignore[arg-type]  # the tests' own values


@pytest.fixture
async def make_upstream(simulator: RunningSimulator, calls: list[CallMade]) -> AsyncIterator[MakeUpstream]:
    """Makes a client of the simulator; settings may be changed. `observe` is told of each call as it ends."""
    made: list[Upstream] = []

    def make(
        *, clock: Callable[[], float] = monotonic, observe: Observe = calls.append, **changes: object
    ) -> Upstream:
        upstream = Upstream(
            config_of(simulator, **changes),
            observe=observe,
            clock=clock,
        )
        upstream.pace.set_share(1.0)
        made.append(upstream)
        return upstream

    yield make
    for upstream in made:
        await upstream.close()


@pytest.fixture
async def upstream(make_upstream: MakeUpstream) -> Upstream:
    """A client of the simulator."""
    return make_upstream()


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[FedView]:
    """A view that a test feeds."""
    config = ViewConfig(
        connection={},
        data_dir=tmp_path,
        prefix="",
        topics=TOPICS,
        partitions=1,
        business=load_business(),
    )
    fed = FedView(config, clock=lambda: datetime.now(UTC))
    await fed.start()
    yield fed
    await fed.stop()
