"""Long stories, walked through by chance: every event that was worked has had its effect, and in order.

The README's thousand walks by the rules as they are run in `test_readme.py`.
"""

from random import Random

import pytest

from tests.model.lane import Rules, ViolationError
from tests.model.mutants import MUTANTS
from tests.model.walk import walk

WALKS = 1_000
# That one is seen only where a worker sleeps, which no walk has: two jobs are then right for a while.
SEEN = {name: mutant.rules for name, mutant in MUTANTS.items() if not mutant.rules.me_for_ever}


@pytest.mark.parametrize("rules", SEEN.values(), ids=SEEN.keys())
def test_a_walk_finds_a_fault_that_is_built_in(rules: Rules) -> None:
    def walks() -> None:
        for seed in range(WALKS):
            walk(Random(seed), rules)

    with pytest.raises(ViolationError):
        walks()
