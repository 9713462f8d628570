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
        worker_here(made.settings, made.topics),
    ):
        yield made


@pytest.fixture
async def patient_flow(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Flow]:
    """The same with retries late enough for a test to do something before the first."""
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, RETRY_DELAYS="4,1,1") as made,
        worker_here(made.settings, made.topics),
    ):
        yield made
