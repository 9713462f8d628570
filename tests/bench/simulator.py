"""The simulator with jobs in it: `python -m tests.bench.simulator IDS CALLS_PER_SECOND`.

IDS is a file with a JSON list of booking ids; each gets a job. Two lines are printed: the jobs, as JSON, and
the address.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

import orjson
import uvloop

from app.simulator.server import start
from app.simulator.simulation import SimulatorConfig
from tests.bench.stock import Known
from tests.support.simulated import add_customer, add_job


async def main(ids: list[str], calls_per_second: int) -> None:
    config = SimulatorConfig(
        port=0,
        seed=1,
        failure_rate=0,
        delays="none",
        calls_per_second=calls_per_second,
        token_calls_per_second=0,
    )
    running = await start(config)
    world = running.state.world
    customer = add_customer(world)
    made = []
    for booking in ids:
        job = add_job(world, customer, booking)
        visit = world.appointments_of(job)[0]
        made.append(asdict(Known(booking, job.id, customer.id, customer.location_ids[0], visit.id)))
    print(orjson.dumps(made).decode(), flush=True)
    print(running.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(orjson.loads(Path(sys.argv[1]).read_bytes()), int(sys.argv[2])))
