"""The proof in its short form: every kind of fault at least once, and nothing lost, twice or out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.local.kafka import LocalKafka
from tests.kill.report import Options
from tests.kill.scenarios import mixed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(900)
async def test_whatever_dies_when_every_event_has_its_effect_once_and_in_order(tmp_path: Path) -> None:
    # A broker of its own: it is killed.
    with LocalKafka() as broker:
        report = await mixed(broker, tmp_path, Options(seed=11, kills=10, rate=15.0))
    assert report.faults >= 13, report
    assert report.books.events >= 500, report
    assert report.clean, report
