from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from app.local.child import WatchedChild

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARENT = """
import sys, time
from pathlib import Path
from app.local.child import WatchedChild
child = WatchedChild(["sleep", "600"], output=Path(sys.argv[1]), scratch=Path(sys.argv[2]))
print(child.pid, flush=True)
time.sleep(600)
"""


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.01)


def group_is_gone(pid: int) -> bool:
    """Whether neither the child nor its watcher runs; what is dead but not yet reaped does not run."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return not any(
        int(group) == pid and not state.startswith("Z")
        for group, state in map(str.split, listed.splitlines())
    )


def test_a_child_runs_in_its_own_group_and_writes_its_file(tmp_path: Path) -> None:
    child = WatchedChild(["sh", "-c", "echo out; echo err >&2; exit 3"], output=tmp_path / "log")
    assert child.wait() == 3
    assert not child.running
    child.kill()
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    wait_until(lambda: group_is_gone(child.pid))


def test_stop_asks_first(tmp_path: Path) -> None:
    script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    child = WatchedChild(["sh", "-c", script], output=tmp_path / "log")
    wait_until(lambda: "ready" in (tmp_path / "log").read_text())
    child.stop(patience_seconds=30)
    assert "asked" in (tmp_path / "log").read_text()
    wait_until(lambda: group_is_gone(child.pid))


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    child = WatchedChild(["sh", "-c", script], output=tmp_path / "log")
    wait_until(lambda: "ready" in (tmp_path / "log").read_text())
    child.stop(patience_seconds=0.2)
    assert child.wait() == -signal.SIGKILL
    wait_until(lambda: group_is_gone(child.pid))


def test_a_killed_child_leaves_its_scratch_folder_for_the_next(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = WatchedChild(["sleep", "600"], output=tmp_path / "log", scratch=scratch)
    assert child.running
    child.kill()
    assert child.wait() == -signal.SIGKILL
    wait_until(lambda: group_is_gone(child.pid))
    assert scratch.exists()


def test_no_child_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log"), str(scratch)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    wait_until(lambda: group_is_gone(pid))
    wait_until(lambda: not scratch.exists())
