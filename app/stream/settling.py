"""How long writes without an answer may still be running upstream, whether this machine is awake or not."""

from collections.abc import Callable

from app.stream.clock import elapsed


class Settling:
    """A deadline per lane, `seconds` after the send, or after an intent or unsettled row was first seen."""

    def __init__(self, seconds: float, clock: Callable[[], float] = elapsed) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: dict[str, float] = {}

    def sent(self, lane: str, at: float) -> None:
        """A write was sent at `at`, by `clock.elapsed`, and its outcome is unknown."""
        self._until[lane] = at + self._seconds

    def answered(self, lane: str, seconds: float) -> None:
        """A write was answered with an error just now: it may go on for so long, and no longer."""
        self._until[lane] = self._clock() + seconds

    def left(self, lane: str) -> float:
        """Seconds that a write of this lane may still be running; counted from now when it is news."""
        return max(0.0, self._until.setdefault(lane, self._clock() + self._seconds) - self._clock())

    def forget(self, lane: str) -> None:
        """Nothing of this lane is running: the next that may be starts anew."""
        self._until.pop(lane, None)

    def start_over(self) -> None:
        """Partitions came: what another worker sent meanwhile is not counted from what was sent here."""
        self._until.clear()
