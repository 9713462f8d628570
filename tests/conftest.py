"""Fixtures of all tests, and the rule that a skipped test is a failed run."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.broker import choose_kafka, docker_answers
from tests.support.system import ProgramMissing, install, packages_for

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
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last, however the rest is shuffled.

    Playwright's synchronous interface holds this thread's event loop until the session ends, and no
    asynchronous test can run behind it.
    """
    items.sort(key=lambda item: item.nodeid.startswith("tests/browser/"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring what the chosen tests need and no package index has, before the first test's time runs."""
    if session.config.option.collectonly:
        return
    missing = packages_for(item.nodeid for item in session.items)
    if not missing:
        return
    try:
        install(missing)
    except ProgramMissing as wrong:
        raise pytest.UsageError(str(wrong)) from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing may be passed over: with a skipped test the run has failed, though each other test passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
