"""The benchmark: `uv run python -m tests.bench [SCENARIO ...] [--quick] [--write]`.

Prints figures in tables, beside a baseline where there is one. Nothing is asserted: what a busy machine
measures says little. `--write` puts the tables into RESULTS.md, for a quiet machine.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from tests.bench import (
    backlog,
    calls,
    faults,
    latency,
    limit,
    ops_page,
    restart,
    unlimited,
    view,
    web,
    writes,
)
from tests.bench.machine import machine
from tests.bench.world import Bench
from tests.support.broker import any_kafka

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
    "ops": ops_page.run,
    "web": web.run,
    "writes": writes.run,
}


RESULTS = Path(__file__).parent / "RESULTS.md"
_BEGIN, _END = "<!-- bench:begin -->\n", "<!-- bench:end -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="small sizes, one run: to try the benchmark")
    parser.add_argument(
        "--write", action="store_true", help="put the tables of all scenarios into RESULTS.md"
    )
    asked = parser.parse_args()
    chosen = asked.scenarios or list(SCENARIOS)
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if asked.write and (asked.quick or asked.scenarios):
        parser.error("--write wants all scenarios in full")
    # A topic's first records are refused until its leaders are known, each time with a line.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with (
        any_kafka() as servers,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        tables = uvloop.run(_run(Bench(servers, Path(folder), asked.quick), chosen))
    if asked.write:
        RESULTS.write_text(_with(tables, RESULTS.read_text(encoding="utf-8")), encoding="utf-8")


async def _run(bench: Bench, chosen: list[str]) -> list[Table]:
    print(machine(), flush=True)
    tables: list[Table] = []
    for name in chosen:
        begun = time.monotonic()
        found = await SCENARIOS[name](bench)
        tables += found
        for table in found:
            print(table.text(), flush=True)
        print(f"({name} took {time.monotonic() - begun:.0f} s)", flush=True)
    return tables


def _with(tables: list[Table], text: str) -> str:
    """The document's text with the tables between its two marks."""
    before, found_begin, rest = text.partition(_BEGIN)
    _, found_end, after = rest.partition(_END)
    if not (found_begin and found_end):
        raise SystemExit(f"RESULTS.md has no {_BEGIN.strip()} ... {_END} to write the figures into")
    shown = "\n".join(table.markdown() for table in tables)
    return f"{before}{_BEGIN}{machine()}\n\n{shown}{_END}{after}"


if __name__ == "__main__":
    main()
