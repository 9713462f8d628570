"""A world with a worker in it, for tests of the flow from booking events to jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.flow import Flow, flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def flow(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Flow]:
    """Topics of its own, a simulator that does all at once, and one worker in this process."""
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as made,
        worker_here(made.settings),
    ):
        yield made
