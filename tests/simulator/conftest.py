"""A simulator on real sockets, as fast as it can be, and a caller that has signed in."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from app.simulator.server import RunningSimulator, start
from app.simulator.simulation import SimulatorConfig
from tests.support.simulated import Caller, Clock

Start = Callable[..., Awaitable[RunningSimulator]]


@pytest.fixture
def clock() -> Clock:
    """The simulator's wall clock."""
    return Clock()


@pytest.fixture
async def start_simulator(clock: Clock) -> AsyncIterator[Start]:
    """Starts simulators without delays, failures and limits; settings may be changed."""
    running: list[RunningSimulator] = []

    async def begin(**changes: object) -> RunningSimulator:
        values: dict[str, object] = {
            "port": 0,
            "seed": 1,
            "failure_rate": 0,
            "delays": "none",
            "calls_per_second": 0,
            "token_calls_per_second": 0,
            "now": clock,
        }
        config = SimulatorConfig(**(values | changes))  # type: ignore[arg-type]  # the tests' own values
        simulator = await start(config)
        running.append(simulator)
        return simulator

    yield begin
    for simulator in running:
        await simulator.stop()


@pytest.fixture
async def simulator(start_simulator: Start) -> RunningSimulator:
    return await start_simulator()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that sends everything once: aiohttp would repeat a PUT on a lost connection."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)
    ) as made:
        yield made


@pytest.fixture
async def caller(simulator: RunningSimulator, session: aiohttp.ClientSession) -> Caller:
    """A caller that has a token."""
    made = Caller(simulator, session)
    await made.sign_in()
    return made
