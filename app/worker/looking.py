"""How the worker's streams are, looked at seldom enough to be asked with every request."""

import time
from collections import deque
from collections.abc import Callable

from app.stream.faust_app import StreamApp
from app.web.services import StreamFacts

FRESH_SECONDS = 0.25
"""How old an answer may be: a look goes over every partition of every topic."""
_SPEED_SECONDS = 60.0


class StreamLook:
    """Call it for the facts."""

    def __init__(self, app: StreamApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._speed = Speed()
        self._seen: tuple[float, StreamFacts] | None = None

    def __call__(self) -> StreamFacts:
        """The facts, at most `FRESH_SECONDS` old."""
        now = self._clock()
        if self._seen is not None and now - self._seen[0] < FRESH_SECONDS:
            return self._seen[1]
        facts = _facts(self._app, self._speed.after(self._app.dispatcher.progress.finished, now))
        self._seen = (now, facts)
        return facts


class Speed:
    """Messages finished per second over the last minute, or since the first look when that is less ago."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def after(self, finished: int, now: float) -> float:
        """The speed after one more look; `finished` counts from the start, `now` is in seconds."""
        self._looks.append((now, finished))
        while now - self._looks[0][0] > _SPEED_SECONDS and len(self._looks) > 2:
            self._looks.popleft()
        then, before = self._looks[0]
        return (finished - before) / (now - then) if now > then else 0.0


def _facts(app: StreamApp, per_second: float) -> StreamFacts:
    started = app.epoch > 0
    return StreamFacts(
        ready=started and not app.recovering,
        recovering=app.recovering,
        rebalancing=app.rebalancing,
        members=app.members if started else 0,
        lag=sum(app.lag().values()) if started else 0,
        per_second=per_second,
        commit_age=app.commit_age(),
        head_age=app.oldest_head_age(),
        group_answers=app.ownership.membership.fresh,
        gave_up=app.gave_up,
    )
