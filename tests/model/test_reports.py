"""A job that is changed from both sides: what is on record in the end is what is so in ServiceTitan."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from app.booking import changes, signals
from app.booking.doubt import NO_DOUBT
from tests.model.lane import ViolationError
from tests.model.reports import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.inputs import Observed
    from app.booking.record import Job

WALKS, STEPS = 1_000, 40


@pytest.mark.parametrize("sweeps", [True, False])
def test_what_is_on_record_is_what_is_so(*, sweeps: bool) -> None:
    for seed in range(WALKS):
        walk(Random(seed), STEPS, sweeps=sweeps)


def whatever_comes_last(_seen: Observed, _job: Job) -> bool:
    return False


def by_a_time_without_a_fraction(seen: Observed, job: Job) -> bool:
    since = job.known_since
    if since.microsecond == 0 and seen.seen_by == "webhook":
        since += timedelta(seconds=1)
    return seen.at < max(since, job.reported_at or since)


def by_the_time_of_a_note(seen: Observed, job: Job) -> bool:
    return seen.at < max(job.status_at, job.reported_at or job.status_at)


@pytest.mark.parametrize(
    ("rule", "sweeps"),
    [
        (whatever_comes_last, False),
        (by_a_time_without_a_fraction, False),
        (by_the_time_of_a_note, True),
    ],
)
def test_a_walk_finds_a_rule_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, rule: Callable[[Observed, Job], bool], *, sweeps: bool
) -> None:
    monkeypatch.setattr(signals, "_is_older", rule)

    with pytest.raises(ViolationError):
        test_what_is_on_record_is_what_is_so(sweeps=sweeps)


def test_a_walk_finds_a_doubt_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "doubt_of", lambda _ask: NO_DOUBT)

    with pytest.raises(ViolationError, match="already, and we made it"):
        test_what_is_on_record_is_what_is_so(sweeps=True)
