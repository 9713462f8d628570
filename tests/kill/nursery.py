"""Starts workers by forking a process that has imported everything: `python -m tests.kill.nursery`.

A worker's imports take longer than most of its lives in a trial. On stdin comes a line of JSON for each one
to start, `{"name", "log", "environment"}`; on stdout goes `{"name", "pid"}` when it runs, and
`{"name", "pid", "status"}` when it has ended (negative for a signal). When stdin ends, so does all.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import orjson

import app.commands.worker
import app.worker.build  # noqa: F401 - what a worker would import
from app.commands.cli import run
from app.stream import faults

_POLL_SECONDS = 0.02


def main() -> None:
    children: dict[int, str] = {}
    gc.collect()
    gc.freeze()
    try:
        while True:
            readable, _, _ = select.select([0], [], [], _POLL_SECONDS)
            if readable:
                line = sys.stdin.buffer.readline()
                if not line:
                    return
                order = orjson.loads(line)
                pid = _born(order)
                children[pid] = order["name"]
                _tell(name=order["name"], pid=pid)
            _bury(children)
    finally:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _bury(children: dict[int, str]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(name=children.pop(pid), pid=pid, status=os.waitstatus_to_exitcode(status))


def _born(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _live(order)
    return pid


def _live(order: dict[str, Any]) -> NoReturn:
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(here, there)
    os.environ.clear()
    os.environ.update(order["environment"])
    if "LD_PRELOAD" in os.environ:
        # Only a new program is loaded with it.
        os.execv(sys.executable, [sys.executable, "-m", "app", "worker"])  # noqa: S606 - our own program
    kills, stops = (
        faults.parse(order["environment"].get(name, "")) for name in (faults.VARIABLE, faults.STOP_VARIABLE)
    )
    faults.reach = faults.FaultPoints(kills, stops).reach
    status = 1
    try:
        status = run(["worker"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(**line: object) -> None:
    os.write(1, orjson.dumps(line) + b"\n")


if __name__ == "__main__":
    main()
