"""How fast a plan may go, and when it stops by itself."""

from __future__ import annotations

import pytest

from app.view.plans import PlanProgress
from app.web.ops.figures import PaceFacts
from app.web.ops.redrive import per_second, recurs


def pace(used: int, rate: float = 30.0, **changes: float) -> PaceFacts:
    return PaceFacts(rate=rate, used=used, **changes)  # type: ignore[arg-type]  # fields of its own


@pytest.mark.parametrize(
    ("facts", "breaker", "members", "rate"),
    [
        (pace(0), "closed", 1, 10.0),
        (pace(0), "closed", 2, 20.0),
        (pace(27), "closed", 1, 1.0),
        (pace(30), "closed", 1, 0.2),
        (pace(99), "closed", 1, 0.2),
        (pace(0), "open", 1, 0.0),
        (pace(0), "half-open", 1, 0.0),
        (pace(0, stopped_for=3.0), "closed", 1, 0.0),
        (None, "closed", 4, 1.0),
    ],
)
def test_it_goes_at_what_live_work_leaves(
    facts: PaceFacts | None, breaker: str, members: int, rate: float
) -> None:
    assert per_second(facts, breaker, members) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("done", "failing", "stops"),
    [(0, 0, False), (0, 4, False), (0, 5, True), (5, 5, False), (4, 5, True), (100, 20, False)],
)
def test_it_stops_when_most_fail_again(done: int, failing: int, *, stops: bool) -> None:
    progress = PlanProgress(sent=200, left=0, queued=0, working=0, done=done, failing=failing)
    assert recurs(progress) is stops
