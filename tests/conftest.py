"""Fixtures of all tests, and the rule that a skipped test is a failed run."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.broker import choose_kafka, docker_answers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap servers of a real Kafka, shared by all tests of the run: use a `unique_prefix`."""
    with choose_kafka(os.environ, docker_answers).run() as servers:
        yield servers


@pytest.fixture
def unique_prefix() -> str:
    """A TOPIC_PREFIX that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}-"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing may be passed over: with a skipped test the run has failed, though each other test passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
