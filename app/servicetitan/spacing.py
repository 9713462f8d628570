"""When the next call may go: even slots, and a window that is never overfull. Pure: the time is passed in.

Two rules hold together. Slots come at even distances, and slots that were missed (a timer came late) may be
caught up with for a moment. The window holds whatever the slots do: no more than the share of the limit is
sent within any one second and a margin. A call counts as sent only when its bytes go out, since the first
connections take longer than later ones, and calls granted a second apart could arrive together.

How far the way to ServiceTitan pushes calls together is not known beforehand: the margin begins small, grows
with each refusal and shrinks again while there is none.
"""

import math
from bisect import insort
from collections import deque

LEAST_MARGIN = 0.025
"""A second and this part of it is the window within which no more than a second's calls are sent."""
MOST_MARGIN = 0.125
REFUSED_MARGIN = 0.02
"""What a refusal adds to the margin. A refusal costs a second: as much as this costs in fifty."""
FORGIVEN = 0.02 / 300
"""What leaves the margin again in each second: a refusal is forgotten after five minutes."""
SLACK = 0.003
"""Slots are spread over this much more than the window, so that late timers lose none."""
CATCH_UP = 0.1
"""Seconds of missed slots that may be made up for."""


class Spacing:
    """The calls of one worker against its share of `limit` (calls per second of all workers together).

    The share is zero until `set_share` is called. `now` is always monotonic seconds.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._rate = 0.0
        self._most = 0
        self._seconds = 1.0
        self._next = -math.inf
        self._held_until = -math.inf
        self._granted = 0
        self._margin = LEAST_MARGIN
        self._margin_at = -math.inf
        self._sent: deque[float] = deque()

    @property
    def rate(self) -> float:
        """The share of the limit, calls per second."""
        return self._rate

    def set_share(self, fraction: float, now: float) -> None:
        """Take another share of the limit, 0 to 1.

        What is gained counts as used until now, evenly and then in a burst, for that is what another worker
        may have done with it.
        """
        before = self._most
        self._rate = self._limit * fraction
        whole = math.floor(self._rate + 1e-9)
        self._most = max(1, whole) if self._rate > 0 else 0
        self._seconds = max(1.0, 1 / self._rate) if self._rate > 0 else 1.0
        self._forget(now)
        foreign = self._most - len(self._sent) - self._granted
        if self._most <= before or foreign <= 0:
            return
        until = now + CATCH_UP
        window = self._window(now)
        used = (until - window * i / foreign for i in range(foreign))
        self._sent = deque(sorted([*self._sent, *used]))
        self._next = max(self._next, until)

    def ready_at(self, now: float) -> float:
        """The earliest time for the next call; infinite while only a call under way can make room."""
        if self._most == 0:
            return math.inf
        self._forget(now)
        over = self._granted + len(self._sent) - self._most
        if over < 0:
            return self._next
        if over < len(self._sent):
            return max(self._next, self._sent[over] + self._window(now))
        return math.inf

    def grant(self, now: float) -> None:
        """A call has been given its slot; `sent` or `dropped` follows."""
        self._next = max(self._next, now - CATCH_UP) + self._interval(now)
        self._granted += 1

    def sent(self, now: float) -> None:
        """A granted call goes out now."""
        self._granted -= 1
        insort(self._sent, now)

    def dropped(self, now: float) -> None:
        """A granted call was not made after all: its slot goes to the next one, not before a stop ends."""
        self._granted -= 1
        self._next = max(self._next - self._interval(now), self._held_until)

    def refused(self, now: float) -> None:
        """ServiceTitan saw too many within a second: keep a wider margin for a while."""
        self._margin = min(MOST_MARGIN, self.margin(now) + REFUSED_MARGIN)
        self._margin_at = now

    def margin(self, now: float) -> float:
        """The part of a second by which the window is longer than one."""
        return max(LEAST_MARGIN, self._margin - FORGIVEN * (now - self._margin_at))

    def hold_until(self, at: float) -> None:
        """No call before `at`, and nothing to catch up with then."""
        self._held_until = max(self._held_until, at)
        self._next = max(self._next, at)

    def _window(self, now: float) -> float:
        return (1 + self.margin(now)) * self._seconds

    def _interval(self, now: float) -> float:
        return (1 + self.margin(now) + SLACK) * self._seconds / self._most if self._most else 0.0

    def _forget(self, now: float) -> None:
        horizon = now - self._window(now)
        while self._sent and self._sent[0] <= horizon:
            self._sent.popleft()
