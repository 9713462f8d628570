"""The command `simulator`."""

import asyncio
import logging
import signal
import sys
from typing import Literal

import click
import uvloop

from app.simulator.log import MarkedFormatter
from app.simulator.server import start
from app.simulator.simulation import SimulatorConfig
from app.simulator.tenants import TENANTS
from app.simulator.webhooks import WebhookSettings

_EXAMPLES = """
\b
Examples:
  servicetitan-stream simulator
      on 127.0.0.1:8200, with the seed's delays and failures
  servicetitan-stream simulator --port 0 --delays none --calls-per-second 0
      on a free port, as fast as it can
  servicetitan-stream simulator --failure-rate 0 --seed 7
      no failures, and the same run every time
  servicetitan-stream simulator --life 5 --webhook-url http://127.0.0.1:6066/api/integrations/servicetitan/webhook
      technicians work; every change is sent as a webhook
  servicetitan-stream simulator --tenant strict
      another business, to rehearse going live with

\b
A page to look at: /simulator. How to use it: /simulator/docs.
"""


@click.command(epilog=_EXAMPLES)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8200, show_default=True, type=click.IntRange(0, 65535), help="0: a free port."
)
@click.option("--seed", type=int, help="Makes a run repeatable; drawn when not given.")
@click.option(
    "--failure-rate",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of API calls that answer 500. 0: with the strict tenant nothing odd in answers, either.",
)
@click.option(
    "--delays",
    default="seed",
    show_default=True,
    type=click.Choice(["seed", "none"]),
    help="seed: token 200 ms, create 800, status 400, cancel 500, queries 300-600.",
)
@click.option(
    "--calls-per-second",
    default=60,
    show_default=True,
    type=click.IntRange(0),
    help="Above it, 429. 0: no limit.",
)
@click.option(
    "--life",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds between a job's steps. 0: off.",
)
@click.option(
    "--tenant",
    default="a1",
    show_default=True,
    type=click.Choice(sorted(TENANTS)),
    help="strict: another business, everything enforced, and strangers with jobs of their own.",
)
@click.option("--webhook-url", help="Where to send a webhook for every change.")
@click.option(
    "--webhook-secret",
    envvar="SIMULATOR_WEBHOOK_SECRET",
    help="Signs the webhooks. It shows in the list of processes: SIMULATOR_WEBHOOK_SECRET does not.",
)
@click.option("--verbose", is_flag=True, help="A line per call.")
def simulator(
    *,
    host: str,
    port: int,
    seed: int | None,
    failure_rate: float,
    delays: Literal["seed", "none"],
    calls_per_second: int,
    life: float,
    tenant: str,
    webhook_url: str | None,
    webhook_secret: str | None,
    verbose: bool,
) -> None:
    """A simulated ServiceTitan: its API v2 over HTTP, with faults, technicians and webhooks.

    Any client id, secret, app key and tenant will do, except the key invalid_key and the tenant
    invalid_tenant. State is in memory and ends with the process.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MarkedFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if verbose else logging.INFO)
    config = SimulatorConfig(
        tenant=TENANTS[tenant],
        host=host,
        port=port,
        seed=seed,
        failure_rate=failure_rate,
        delays=delays,
        calls_per_second=calls_per_second,
        token_calls_per_second=calls_per_second,
        life_seconds=life,
        webhooks=WebhookSettings(url=webhook_url, secret=webhook_secret),
    )
    try:
        uvloop.run(_serve(config))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


async def _serve(config: SimulatorConfig) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    running = await start(config)
    click.echo(
        f"Simulated ServiceTitan on {running.url} "
        f"(simulation, seed {running.state.seed}, page {running.url}/simulator)"
    )
    await ended.wait()
    await running.stop()
