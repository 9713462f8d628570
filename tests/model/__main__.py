"""Runs the model by hand: `python -m tests.model [--deep] [NAME ...]`, NAME a part of a scenario's name."""

from __future__ import annotations

import sys
import time

from tests.model.explore import explore
from tests.model.lane import Rules, ViolationError
from tests.model.scenarios import scenarios


def main(arguments: list[str]) -> int:
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
