"""What the pace promises: never more than the limit in any second, and hardly less under a backlog."""

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.servicetitan.spacing import CATCH_UP, FORGIVEN, LEAST_MARGIN, MOST_MARGIN, REFUSED_MARGIN, Spacing

LIMIT = 60.0


@dataclass
class Worker:
    """A worker with a backlog: it takes every slot it is given, and sends after some delay."""

    spacing: Spacing = field(default_factory=lambda: Spacing(LIMIT))
    under_way: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)

    def run(self, start: float, end: float, *, late: float, delay: float) -> None:
        """Work from `start` to `end`; timers come `late`, bytes go out `delay` after the slot."""
        now = start
        while True:
            ready = max(now, self.spacing.ready_at(now))
            done = self.under_way[0] if self.under_way else float("inf")
            now = min(ready + late, done)
            if now > end:
                self._send_until(end)
                return
            self._send_until(now)
            if self.spacing.ready_at(now) <= now:
                self.spacing.grant(now)
                insort(self.under_way, now + delay)

    def _send_until(self, now: float) -> None:
        while self.under_way and self.under_way[0] <= now:
            at = self.under_way.pop(0)
            self.spacing.sent(at)
            self.sent.append(at)


def most_in_a_second(moments: list[float]) -> int:
    moments = sorted(moments)
    return max(
        (bisect_right(moments, start + 1.0) - at for at, start in enumerate(moments)),
        default=0,
    )


def test_nothing_goes_without_a_share() -> None:
    assert Spacing(LIMIT).ready_at(0.0) == float("inf")


def test_a_backlog_uses_at_least_97_percent_of_the_limit() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 21.0, late=0.0005, delay=0.0)
    span = worker.sent[1199] - worker.sent[0]
    assert 1199 / span >= 0.97 * LIMIT
    assert most_in_a_second(worker.sent) <= LIMIT


def test_late_timers_lose_no_slots() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 10.0, late=0.004, delay=0.0)
    assert len(worker.sent) >= 0.97 * LIMIT * (10.0 - CATCH_UP)


def test_calls_are_spread_evenly() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 5.0, late=0.0, delay=0.0)
    assert max(later - earlier for earlier, later in pairwise(worker.sent)) < 2 / LIMIT


def test_slow_first_connections_do_not_bunch_up_with_fast_later_ones() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 1.0, late=0.0, delay=0.4)
    worker.run(1.0, 4.0, late=0.0, delay=0.0)
    assert most_in_a_second(worker.sent) <= LIMIT


def test_a_dropped_call_gives_its_slot_to_the_next_one() -> None:
    spacing = Spacing(1.0)
    spacing.set_share(1.0, 0.0)
    start = spacing.ready_at(0.0)
    spacing.grant(start)
    assert spacing.ready_at(start) == float("inf")
    spacing.dropped(start)
    assert spacing.ready_at(start) <= start


def test_after_a_stop_nothing_is_caught_up_with() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 1.0, late=0.0, delay=0.0)
    worker.spacing.hold_until(5.0)
    before = len(worker.sent)
    worker.run(1.0, 5.0 + 1 / LIMIT, late=0.0, delay=0.0)
    assert worker.sent[before] >= 5.0
    assert len(worker.sent) - before <= 2


def test_calls_that_are_dropped_do_not_shorten_a_stop() -> None:
    spacing = Spacing(LIMIT)
    spacing.set_share(1.0, 0.0)
    start = spacing.ready_at(0.0)
    for _ in range(5):
        spacing.grant(start)
    spacing.hold_until(5.0)
    for _ in range(5):
        spacing.dropped(start)
    assert spacing.ready_at(start) == 5.0


def test_a_refusal_widens_the_margin_until_it_is_forgotten() -> None:
    spacing = Spacing(LIMIT)
    spacing.set_share(1.0, 0.0)
    spacing.refused(100.0)
    assert spacing.margin(100.0) == pytest.approx(LEAST_MARGIN + REFUSED_MARGIN)
    spacing.refused(100.0 + REFUSED_MARGIN / FORGIVEN / 2)
    assert spacing.margin(250.0) == pytest.approx(LEAST_MARGIN + 1.5 * REFUSED_MARGIN)
    assert spacing.margin(1_000.0) == LEAST_MARGIN


def test_the_margin_never_costs_more_than_an_eighth_of_the_limit() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    for _ in range(100):
        worker.spacing.refused(0.0)
    assert worker.spacing.margin(0.0) == MOST_MARGIN
    worker.run(0.0, 20.0, late=0.0, delay=0.0)
    assert len(worker.sent) >= LIMIT * 20 / (1 + MOST_MARGIN) * 0.98


def test_after_refusals_a_way_that_pushes_calls_together_is_no_trouble() -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    for _ in range(3):
        worker.spacing.refused(0.0)
    worker.run(0.0, 20.0, late=0.0, delay=0.0)
    # Every other call takes 80 ms longer on its way.
    arrived = [at + 0.08 * (number % 2) for number, at in enumerate(worker.sent)]
    assert most_in_a_second(arrived) <= LIMIT


@pytest.mark.parametrize("limit", [0.2, 1.0, 2.5, 7.0])
def test_small_limits_are_kept_too(limit: float) -> None:
    worker = Worker(Spacing(limit))
    worker.spacing.set_share(1.0, 0.0)
    worker.run(0.0, 60.0, late=0.001, delay=0.0)
    assert most_in_a_second(worker.sent) <= max(1.0, limit)
    assert len(worker.sent) >= 60 * limit * 0.6


@given(
    steps=st.lists(
        st.tuples(st.floats(0.01, 2.0), st.floats(0.0, 0.05), st.floats(0.0, 0.5)), min_size=1, max_size=8
    )
)
def test_no_second_is_ever_overfull(steps: list[tuple[float, float, float]]) -> None:
    worker = Worker()
    worker.spacing.set_share(1.0, 0.0)
    now = 0.0
    for seconds, late, delay in steps:
        worker.run(now, now + seconds, late=late, delay=delay)
        now += seconds
    assert most_in_a_second(worker.sent) <= LIMIT


@given(
    rebalances=st.lists(
        st.tuples(st.lists(st.integers(0, 12), min_size=3, max_size=3), st.floats(0.05, 1.5)),
        min_size=2,
        max_size=6,
    ),
    late=st.floats(0.0, 0.06),
)
def test_all_workers_together_stay_under_the_limit_through_rebalances(
    rebalances: list[tuple[list[int], float]], late: float
) -> None:
    workers = [Worker() for _ in range(3)]
    now = 0.0
    for parts, seconds in rebalances:
        whole = max(1, sum(parts))
        for worker, part in zip(workers, parts, strict=True):
            worker.spacing.set_share(0.0, now)
            worker.spacing.set_share(part / whole, now)
            worker.run(now, now + seconds, late=late, delay=0.0)
        now += seconds
    assert most_in_a_second([at for worker in workers for at in worker.sent]) <= LIMIT
