"""Time that has passed, whether this machine was awake or not."""

import time


def elapsed() -> float:
    """Seconds on a clock that is never set and goes on while the machine is suspended.

    What others do meanwhile, the group and ServiceTitan, does not wait; Linux's monotonic clock does.
    """
    return time.clock_gettime(_CLOCK)


# macOS has no CLOCK_BOOTTIME; its monotonic clock counts sleep.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
