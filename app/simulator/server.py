"""The simulator as a server: over real sockets, in this process."""

from dataclasses import dataclass

from aiohttp import web

from app.simulator.endpoints import appointments, crm, exports, jobs, lists
from app.simulator.endpoints.token import TOKEN_PATH
from app.simulator.log import log
from app.simulator.pipeline import Pipeline
from app.simulator.simulation import Simulation, SimulatorConfig

ROUTES = (*crm.ROUTES, *jobs.ROUTES, *appointments.ROUTES, *lists.ROUTES, *exports.ROUTES)


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that listens at `url`."""

    url: str
    state: Simulation
    _runner: web.AppRunner
    _pipeline: Pipeline

    async def stop(self) -> None:
        """Close every connection and free the port."""
        self._pipeline.stop()
        await self._runner.cleanup()
        log.info("stopped")


async def start(config: SimulatorConfig) -> RunningSimulator:
    """Start a simulator; it listens when this returns. Raises OSError when the port is taken."""
    simulation = Simulation(config)
    pipeline = Pipeline(simulation, lambda: None)
    app = web.Application()
    app.router.add_post(TOKEN_PATH, pipeline.token)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, pipeline.handler(route))
    app.router.add_route("*", "/{tail:.*}", pipeline.unknown)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, config.host, config.port)
    await site.start()
    port = runner.addresses[0][1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    running = RunningSimulator(f"http://{host}:{port}", simulation, runner, pipeline)
    log.info("listening on %s, seed %d", running.url, simulation.seed)
    return running
