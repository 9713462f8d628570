"""A child process that never outlives its parent, not even one that is killed with SIGKILL.

The child is started through `sh`, which leaves a watcher beside it and becomes the child. The watcher reads a
pipe whose other end only the parent holds: when the parent is gone, however it went, the pipe ends and the
watcher kills the child. (Linux's parent-death signal follows the parent's *thread*, and macOS has none.)
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# `$$` stays the number of the shell, and so of the child that it becomes. No other process can be given it
# while the watcher lives, since the watcher is in the process group of that number.
_WATCHED = """
scratch=$1; shift
exec 3<&0
(cat <&3 >/dev/null; kill -KILL $$; [ -z "$scratch" ] || rm -rf -- "$scratch") &
exec "$@" 3<&- </dev/null
"""


class WatchedChild:
    """A running command in a process group (and session) of its own; its output is appended to a file.

    `scratch` is a folder that is removed when the parent dies without stopping the child. `environ` is the
    child's whole environment, the parent's when not given.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path,
        scratch: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        with output.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                ["/bin/sh", "-c", _WATCHED, "sh", str(scratch or ""), *command],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                start_new_session=True,
                env=environ,
            )

    @property
    def pid(self) -> int:
        """The number of the child and of its process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child has not ended."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Waits until the child ends by itself; gives its exit status, negative for a signal."""
        return self._process.wait()

    def stop(self, *, patience_seconds: float) -> None:
        """SIGTERM, then SIGKILL when the child is still there after that time; returns when it is gone."""
        self._process.terminate()
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._end()

    def kill(self) -> None:
        """SIGKILL, as in a crash; returns when the child is gone."""
        self._process.kill()
        self._end()

    def _end(self) -> None:
        """Ends what is left of the group, the watcher, before the end of its pipe would set it off."""
        self._process.wait()
        # Nothing is left when the watcher was killed as well; macOS says so with EPERM.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin:
            self._process.stdin.close()
