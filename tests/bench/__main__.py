"""The benchmark: `uv run python -m tests.bench [SCENARIO ...] [--quick] [--write]`.

Prints figures in tables, beside a baseline where there is one. Nothing is asserted: what a busy machine
measures says little. `--write` puts the tables into the README, for a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import backlog, calls, faults, latency, limit, restart, unlimited, view, web
from tests.bench.world import Bench
from tests.support.broker import choose_kafka, docker_answers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.bench.figures import Table

SCENARIOS: Mapping[str, Callable[[Bench], Awaitable[list[Table]]]] = {
    "limit": limit.run,
    "unlimited": unlimited.run,
    "faults": faults.run,
    "calls": calls.run,
    "latency": latency.run,
    "restart": restart.run,
    "backlog": backlog.run,
    "view": view.run,
    "web": web.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="small sizes, one run: to try the benchmark")
    asked = parser.parse_args()
    # A topic's first records are refused until its leaders are known, each time with a line.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    chosen = asked.scenarios or list(SCENARIOS)
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    with (
        choose_kafka(os.environ, docker_answers).run() as servers,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        asyncio.run(_run(Bench(servers, Path(folder), asked.quick), chosen))


async def _run(bench: Bench, chosen: list[str]) -> list[Table]:
    tables: list[Table] = []
    for name in chosen:
        begun = time.monotonic()
        found = await SCENARIOS[name](bench)
        tables += found
        for table in found:
            print(table.text(), flush=True)
        print(f"({name} took {time.monotonic() - begun:.0f} s)", flush=True)
    return tables


if __name__ == "__main__":
    main()
