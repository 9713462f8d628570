"""Runs the model by hand: `python -m tests.model [--deep] [NAME ...]`, NAME a part of a scenario's name.

`python -m tests.model --walks COUNT [FIRST]` walks through so many long stories, with seeds from FIRST on.
"""

from __future__ import annotations

import sys
import time
from random import Random

from tests.model.explore import explore
from tests.model.lane import Rules, ViolationError
from tests.model.scenarios import scenarios
from tests.model.walk import walk


def walks(count: int, first: int = 0) -> int:
    rules, begun, taken = Rules(), time.monotonic(), 0
    for seed in range(first, first + count):
        try:
            taken += walk(Random(seed), rules)
        except ViolationError as violation:
            print(f"VIOLATION in the walk of seed {seed}: {violation}")
            return 1
    print(f"{count} walks, {taken} steps ({time.monotonic() - begun:.1f} s)")
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--walks"]:
        return walks(*map(int, arguments[1:]))
    deep = "--deep" in arguments
    names = [argument for argument in arguments if argument != "--deep"]
    found = 0
    for scenario in scenarios(deep=deep):
        if names and not any(name in scenario.name for name in names):
            continue
        begun = time.monotonic()
        try:
            seen = explore(scenario, Rules(), most=5_000_000)
            text = f"{seen.states} states, {seen.steps} steps, {seen.quiet} quiet ends"
        except ViolationError as violation:
            found = 1
            text = f"VIOLATION: {violation}"
        print(f"{scenario.name}: {text} ({time.monotonic() - begun:.1f} s)", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
