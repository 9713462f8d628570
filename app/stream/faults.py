"""Named points at which the kill harness ends this process.

`STREAM_KILL_AT=after-put:bookings:3` kills the worker with SIGKILL the third time it reaches the point
`after-put:bookings`; several are separated by commas, the count is 1 when it is left out. `STREAM_STOP_AT`
puts it to sleep there instead (SIGSTOP). Without the variables a point costs one comparison.

Points here: `before-put:TABLE`, `after-put:TABLE` (acknowledged by the broker, not yet in the local store),
`before-publish:TOPIC`, `after-publish:TOPIC`, `before-commit`, `after-commit`, `assigned`, `revoked`.
"""

import os
import signal

VARIABLE = "STREAM_KILL_AT"
STOP_VARIABLE = "STREAM_STOP_AT"


def parse(text: str) -> dict[str, int]:
    """The points of a `STREAM_KILL_AT` value, each with the visit (1 is the first) at which it kills."""
    return dict(_parse_one(item.strip()) for item in text.split(",") if item.strip())


def _parse_one(item: str) -> tuple[str, int]:
    name, _, count = item.rpartition(":")
    return (name, int(count)) if name and count.isdecimal() else (item, 1)


class FaultPoints:
    """Counts visits to the armed points; the process ends, or sleeps, at the visit asked for."""

    def __init__(self, armed: dict[str, int], stops: dict[str, int] | None = None) -> None:
        self._signals = {
            **dict.fromkeys(armed, signal.SIGKILL),
            **dict.fromkeys(stops or {}, signal.SIGSTOP),
        }
        self._left = {**armed, **(stops or {})}

    def reach(self, point: str, detail: str = "") -> None:
        """Say that the code is at `point` (of table or topic `detail`)."""
        if not self._left:
            return
        name = f"{point}:{detail}" if detail else point
        if name not in self._left:
            return
        self._left[name] -= 1
        if self._left[name] == 0:
            os.kill(os.getpid(), self._signals[name])


_points = FaultPoints(parse(os.environ.get(VARIABLE, "")), parse(os.environ.get(STOP_VARIABLE, "")))
reach = _points.reach
