"""The proof in its short form: every kind of fault at least once, and nothing lost, twice or out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kill.proxy import TrialKafka
from tests.kill.report import Options
from tests.kill.scenarios import POINTS, SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(900)
async def test_whatever_dies_when_every_event_has_its_effect_once_and_in_order(tmp_path: Path) -> None:
    # A broker of its own: it is killed.
    with TrialKafka() as broker:
        report = await SCENARIOS["mixed"](broker, tmp_path, Options(seed=11, kills=10, rate=15.0))
    assert report.faults >= 14, str(report)
    assert report.books.events >= 500, str(report)
    assert report.clean, str(report)


@pytest.mark.timeout(600)
async def test_after_sigterm_nothing_that_was_done_is_delivered_again(tmp_path: Path) -> None:
    with TrialKafka() as broker:
        report = await SCENARIOS["terms"](broker, tmp_path, Options(seed=12, kills=3, rate=15.0))
    assert report.clean, str(report)
    assert (report.faults, report.books.redelivered) == (3, 0), str(report)


@pytest.mark.timeout(600)
async def test_a_worker_killed_at_each_point_of_delivery_loses_nothing(tmp_path: Path) -> None:
    with TrialKafka() as broker:
        report = await SCENARIOS["points"](broker, tmp_path, Options(seed=23, rate=15.0))
    assert report.clean, str(report)
    assert report.faults == len(POINTS) + 1, str(report)


@pytest.mark.timeout(600)
async def test_a_job_that_a_sleeper_made_is_found_and_cancelled(tmp_path: Path) -> None:
    with TrialKafka() as broker:
        report = await SCENARIOS["gap"](broker, tmp_path, Options(seed=13, kills=60, rate=15.0))
    assert report.clean, str(report)
    assert report.faults == 3, str(report)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("committed", Options(seed=14, kills=6, rate=15.0)),
        ("slow", Options(seed=15, rate=10.0)),
        ("sends", Options(seed=16, rate=10.0)),
        ("poison", Options(seed=17, rate=8.0, copies=2_000, failing=100, behind=200)),
        ("due", Options(seed=18, rate=8.0, timers=200)),
        ("membership", Options(seed=19, kills=40, rate=10.0)),
        ("clocks", Options(seed=20, rate=8.0)),
        ("upstream", Options(seed=21, rate=8.0)),
        ("disk", Options(seed=22, rate=5.0)),
    ],
)
async def test_each_kind_of_fault_alone_changes_nothing(
    tmp_path: Path, scenario: str, options: Options
) -> None:
    with TrialKafka() as broker:
        report = await SCENARIOS[scenario](broker, tmp_path, options)
    assert report.clean, str(report)
    assert report.faults > 0, str(report)
