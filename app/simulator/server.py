"""The simulator as a server: over real sockets, in this process."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from app.simulator.control import Control
from app.simulator.endpoints import appointments, crm, exports, jobs, lists
from app.simulator.endpoints.token import TOKEN_PATH
from app.simulator.log import log
from app.simulator.pages import Pages
from app.simulator.pipeline import Pipeline
from app.simulator.simulation import Simulation, SimulatorConfig

ROUTES = (*crm.ROUTES, *jobs.ROUTES, *appointments.ROUTES, *lists.ROUTES, *exports.ROUTES)


LIFE_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that listens at `url`."""

    url: str
    state: Simulation
    _runner: web.AppRunner
    _pipeline: Pipeline
    _life: asyncio.Task[None]

    async def stop(self) -> None:
        """Close every connection and free the port."""
        self._life.cancel()
        await asyncio.wait([self._life])
        await self._runner.cleanup()
        self._pipeline.stop()
        await self.state.sender.close()
        log.info("stopped")


async def start(config: SimulatorConfig) -> RunningSimulator:
    """Start a simulator; it listens when this returns. Raises OSError when the port is taken."""
    simulation = Simulation(config)
    pipeline = Pipeline(simulation, lambda: simulation.sender.publish())  # noqa: PLW0108 - reset makes a new sender
    runner = web.AppRunner(_application(simulation, pipeline), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
    except OSError:
        await runner.cleanup()
        raise
    port = runner.addresses[0][1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    life = asyncio.create_task(_live(simulation))
    running = RunningSimulator(f"http://{host}:{port}", simulation, runner, pipeline, life)
    log.info("listening on %s, seed %d", running.url, simulation.seed)
    return running


def _application(simulation: Simulation, pipeline: Pipeline) -> web.Application:
    app = web.Application()
    app.router.add_post(TOKEN_PATH, pipeline.token)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, pipeline.handler(route))
    app.router.add_routes(Control(simulation, pipeline).routes())
    app.router.add_routes(Pages(simulation, ROUTES).routes())
    app.router.add_route("*", "/{tail:.*}", pipeline.unknown)
    return app


async def _live(simulation: Simulation) -> None:
    """Let life go on, and tell of it, for as long as the server runs."""
    while True:
        await asyncio.sleep(LIFE_TICK_SECONDS)
        if simulation.life.step(simulation.monotonic()):
            simulation.sender.publish()
