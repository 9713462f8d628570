"""Long stories, walked through by chance; many more of them in `tests/slow/test_model_walks.py`."""

from random import Random

from tests.model.lane import Rules
from tests.model.walk import walk

WALKS = 100


def test_every_event_has_its_effect_and_in_order() -> None:
    rules = Rules()
    assert sum(walk(Random(seed), rules) for seed in range(WALKS)) > 5 * WALKS
