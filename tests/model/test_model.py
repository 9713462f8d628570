"""The order of effects, through every misfortune that a small case can meet (design section 5)."""

import pytest

from tests.model.explore import explore
from tests.model.lane import Rules, ViolationError
from tests.model.mutants import MUTANTS, Mutant
from tests.model.scenario import Scenario
from tests.model.scenarios import scenarios

SHALLOW = list(scenarios(deep=False))
# So that all scenarios share the ways through the handler that were found.
REAL = Rules()


@pytest.mark.parametrize("scenario", SHALLOW, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_no_job_is_made_twice(scenario: Scenario) -> None:
    explored = explore(scenario, REAL)

    assert explored.quiet > 0
    print(f"{scenario.name}: {explored.states} states, {explored.steps} steps")


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_the_model_finds_a_fault_that_is_built_in(mutant: Mutant) -> None:
    scenario = next(scenario for scenario in SHALLOW if scenario.name == mutant.shown_by)

    with pytest.raises(ViolationError):
        explore(scenario, mutant.rules)
