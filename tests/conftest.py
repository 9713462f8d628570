"""Fixtures of all tests, how they share the machine, and the rule that a skipped test is a failed run."""

from __future__ import annotations

import asyncio
import compileall
import math
import os
import signal
import sys
import sysconfig
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.broker import SharedKafka, any_kafka, kafka_of
from tests.support.system import ProgramMissing, install, packages_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xdist.workermanage import WorkerController

PROCESSES_PER_CORE, SLOW_PROCESSES_PER_CORE = 3, 1.5
"""Most tests wait, for Kafka or for a time to pass; each slow one is several busy processes by itself."""

SLOW = Path(__file__).with_name("slow")
"""Kill trials, demos, the README by hand, the image and long walks: `uv run pytest tests/slow`."""

LONG = {"flow", "browser", "model"}
"""The folders of which a test takes seconds."""

_SHARED = pytest.StashKey[SharedKafka]()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """The bootstrap servers of a real Kafka, shared by all tests of the run: use a `unique_prefix`."""
    address = getattr(request.config, "workerinput", {}).get("kafka")
    if address is not None:
        yield kafka_of(address)
        return
    with any_kafka() as servers:
        yield servers


@pytest.fixture
def unique_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A TOPIC_PREFIX that no other test has; its topics go with the test."""
    prefix = f"t{uuid.uuid4().hex[:10]}-"
    servers = request.getfixturevalue("kafka") if "kafka" in request.fixturenames else None
    yield prefix
    if servers:
        from tests.support.topics import delete_all

        with ThreadPoolExecutor() as aside:  # a test's loop may stand here
            aside.submit(asyncio.run, delete_all(servers, prefix)).result()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is slow is run where it is named."""
    return True if collection_path == SLOW and not slow_is_named(config) else None


def slow_is_named(config: pytest.Config) -> bool:
    """Whether an argument is the folder of the slow tests, or in it."""
    return any(Path(argument.partition("::")[0]).resolve().is_relative_to(SLOW) for argument in config.args)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Folders are shared out. Files and single tests run in this process, and whatever coverage measures."""
    if any(".py" in argument for argument in config.args) or "coverage" in sys.modules:
        return 0
    per_core = SLOW_PROCESSES_PER_CORE if slow_is_named(config) else PROCESSES_PER_CORE
    return math.ceil(per_core * len(os.sched_getaffinity(0)))


def pytest_configure() -> None:
    """What the shell set, and all processes that tests start would inherit."""
    # Otherwise each of some hundred processes compiles all that it imports, which takes longer than its test.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # What a shell starts in the background ignores SIGINT.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """On a fresh machine the processes, which start at the same moment, would each compile the same."""
    for folder in (SLOW.parents[1] / "app", sysconfig.get_path("purelib")):
        compileall.compile_dir(folder, quiet=2, workers=0)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """All processes of the run share this one's Kafka."""
    stash = node.config.stash
    node.workerinput["kafka"] = stash.setdefault(_SHARED, stash.get(_SHARED, None) or SharedKafka()).address


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the processes shared."""
    shared = config.stash.get(_SHARED, None)
    if shared is not None:
        shared.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first: what is left for the end is short, so that all processes end together."""
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1 and not slow_is_named(config):
        items[:] = dealt_out(items, processes)


def dealt_out(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """The tests in an order of which each process begins at its own part (xdist's worksteal).

    Each part has its share of the files with long tests, whole, and then as many short ones as make it full.
    """
    files = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    long = sorted((path for path in files if LONG & set(path.parts)), key=lambda path: -len(files[path]))
    parts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for path in long:
        min(parts, key=len).extend(files.pop(path))
    short = chain.from_iterable(files.values())
    for number, part in enumerate(parts):
        size = len(items) * (number + 1) // processes - len(items) * number // processes
        part.extend(islice(short, max(0, size - len(part))))
    return [*chain.from_iterable(parts), *short]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring what the chosen tests need, before the first test's time runs."""
    if not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        bring_programs(item.nodeid for item in session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids: list[str]) -> None:
    """The same where tests are shared out: they are once each process has told which it found."""
    bring_programs(ids)


def bring_programs(tests: Iterable[str]) -> None:
    """Install what these tests need and no package index has."""
    missing = packages_for(tests)
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
