from __future__ import annotations

import os
import signal
import subprocess
import sys

from app.stream.faults import STOP_VARIABLE, VARIABLE, FaultPoints, parse


def test_reads_points_and_counts() -> None:
    assert parse("") == {}
    assert parse("after-put:bookings:3, before-commit") == {"after-put:bookings": 3, "before-commit": 1}
    assert parse("before-publish:my-topic") == {"before-publish:my-topic": 1}


def test_an_unarmed_point_is_passed() -> None:
    points = FaultPoints({"after-put:bookings": 1})
    points.reach("after-put", "intents")
    points.reach("after-put")
    FaultPoints({}).reach("after-put", "bookings")


def test_the_process_is_killed_at_the_visit_asked_for() -> None:
    program = (
        "from app.stream import faults\nfor n in range(5): print(n, flush=True); faults.reach('here', 'now')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, VARIABLE: "here:now:3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["0", "1", "2"]


def test_the_process_sleeps_at_the_visit_asked_for_and_goes_on_when_woken() -> None:
    program = (
        "from app.stream import faults\nfor n in range(3): print(n, flush=True); faults.reach('here', 'now')"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, STOP_VARIABLE: "here:now:2"},
        stdout=subprocess.PIPE,
        text=True,
    )
    _, status = os.waitpid(running.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    running.send_signal(signal.SIGCONT)
    said, _ = running.communicate(timeout=60)
    assert (said.split(), running.returncode) == (["0", "1", "2"], 0)
