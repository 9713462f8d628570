"""Long trials from the command line: `python -m tests.kill --seed 7 --kills 200`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kill.proxy import TrialKafka
from tests.kill.report import Options
from tests.kill.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=["kills"], help=f"of {', '.join(SCENARIOS)}, or all")
    parser.add_argument("--seed", type=int, default=1, help="The same seed makes the same choices.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=40.0, help="Events per second.")
    parser.add_argument("--store", choices=("rocksdb", "memory"), default="rocksdb")
    for name in ("copies", "failing", "behind", "timers"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Options(), name))
    parser.add_argument("--folder", type=Path, help="Where logs and stores go; a new one by default.")
    given = parser.parse_args(arguments)
    # Each reader says so for every partition that is younger than it.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    names = list(SCENARIOS) if given.scenarios == ["all"] else given.scenarios
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kill-"))
    print(f"seed {given.seed}, logs in {folder}", flush=True)
    options = Options(**{one.name: getattr(given, one.name) for one in fields(Options)})
    clean = True
    for name in names:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        with TrialKafka() as broker:
            report = asyncio.run(SCENARIOS[name](broker, place, options))
        print(f"{name}: {report}", flush=True)
        clean = clean and report.clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
