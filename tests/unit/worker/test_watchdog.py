"""The watchdog ends what cannot keep its promise, and leaves alone what waits for a good reason."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from app.commands.status import ExitStatus
from app.worker.watchdog import STATUS, Limits, Seen, Watch, Watchdog

LIMITS = Limits(commit=10, idle=20, head=40, unread=25, recovery=30, silence=50)
EVENTS = ("booking-events", 0)
FINE = Seen(
    finished=5,
    heads={},
    unread={},
    lag=0,
    commit_age=0.0,
    group_answers=True,
    recovering=False,
    to_replay=0,
    excused=False,
)


def after(seconds: int, *changes: Seen) -> str | None:
    """The first reason, when these are seen one after another, over and over, a second apart."""
    watchdog = Watchdog(LIMITS)
    for second in range(seconds + 1):
        reason = watchdog.look(changes[second % len(changes)], float(second))
        if reason is not None:
            return reason
    return None


def working(second: int, **changes: object) -> Seen:
    return replace(FINE, finished=second, heads={EVENTS: 7}, lag=3, **changes)  # type: ignore[arg-type]  # fields of Seen


def test_nothing_to_do_is_fine_for_ever() -> None:
    assert after(10_000, FINE) is None


def test_finished_work_that_is_not_committed_ends_the_worker() -> None:
    assert after(1, replace(FINE, commit_age=9.9)) is None
    assert after(1, replace(FINE, commit_age=10.0)) == "finished work has not been committed for 10 s"


def test_nothing_can_be_committed_while_kafka_is_away_or_tables_recover() -> None:
    assert after(1, replace(FINE, commit_age=100.0, group_answers=False)) is None
    assert after(1, replace(FINE, commit_age=100.0, recovering=True)) is None


@pytest.mark.parametrize("waiting", [replace(FINE, lag=3), replace(FINE, heads={EVENTS: 7}, lag=0)])
def test_work_of_which_none_is_finished_ends_the_worker(waiting: Seen) -> None:
    assert after(19, waiting) is None
    assert "none was finished for 20 s" in (after(20, waiting) or "")


def test_an_outage_of_servicetitan_is_waited_out() -> None:
    assert after(1_000, replace(FINE, lag=3, heads={EVENTS: 7}, excused=True)) is None


def test_the_clocks_stand_still_during_an_outage_and_go_on_after_it() -> None:
    watchdog = Watchdog(LIMITS)
    waiting = replace(FINE, lag=3, heads={EVENTS: 7})
    seen = [waiting] * 15 + [replace(waiting, excused=True)] * 100 + [waiting] * 30
    reasons = [watchdog.look(one, float(second)) for second, one in enumerate(seen)]
    first = next(second for second, reason in enumerate(reasons) if reason)
    assert 115 + 4 <= first <= 115 + 7


def test_work_that_goes_on_slowly_is_fine() -> None:
    assert after(1_000, *(replace(FINE, lag=3, finished=second // 15) for second in range(1_001))) is None


def test_one_message_that_is_never_finished_ends_the_worker() -> None:
    stuck = [working(second) for second in range(60)]
    assert "booking-events[0] at 7 has not been finished for 40 s" in (after(59, *stuck) or "")


def test_heads_that_move_on_are_fine() -> None:
    moving = [replace(working(second), heads={EVENTS: second // 30}) for second in range(600)]
    assert after(599, *moving) is None


def test_a_partition_that_is_read_no_further_ends_the_worker_though_others_go_on() -> None:
    stuck = [replace(FINE, finished=second, unread={EVENTS: 7}, lag=3) for second in range(60)]
    assert after(24, *stuck) is None
    assert "booking-events[0] has not been read on from 7 for 25 s" in (after(59, *stuck) or "")


def test_an_outage_of_servicetitan_does_not_excuse_what_is_not_read_but_one_of_kafka_does() -> None:
    unread = replace(FINE, unread={EVENTS: 7}, lag=3)
    assert after(59, replace(unread, excused=True)) is not None
    assert after(49, replace(unread, group_answers=False)) is None
    reading = [replace(FINE, finished=second, unread={EVENTS: second // 20}) for second in range(600)]
    assert after(599, *reading) is None


def test_a_recovery_in_which_nothing_is_read_ends_the_worker() -> None:
    assert "nothing was read for 30 s" in (after(60, replace(FINE, recovering=True, to_replay=4)) or "")


def test_a_long_recovery_that_goes_on_is_fine() -> None:
    reading = [replace(FINE, recovering=True, to_replay=10_000 - second) for second in range(1_000)]
    assert after(999, *reading) is None


def test_a_group_that_does_not_answer_ends_the_worker() -> None:
    silent = replace(FINE, group_answers=False)
    assert after(49, silent) is None
    assert "the group has not answered for 50 s" in (after(60, silent) or "")


async def test_the_first_reason_is_given_to_give_up_and_nothing_is_looked_at_after_it() -> None:
    reasons: list[str] = []
    watch = Watch(
        lambda: replace(FINE, commit_age=500.0),
        give_up=reasons.append,
        gave_up=lambda: reasons[0] if reasons else None,
        look_seconds=0.01,
    )
    await watch.start()
    async with asyncio.timeout(30):
        while not reasons:
            await asyncio.sleep(0.01)
    await watch.stop()
    assert reasons == ["finished work has not been committed for 500 s"]


HANGS = """
import asyncio, time
from app.worker.watchdog import Watch

async def main():
    watch = Watch(lambda: None, give_up=print, gave_up=lambda: "a reason", end_seconds=0.2)
    await watch.start()
    await watch.stop()
    time.sleep(60)

asyncio.run(main())
"""


def test_a_worker_that_gave_up_and_hangs_is_ended_all_the_same() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, check=False, timeout=50)
    assert ended.returncode == STATUS == ExitStatus.GAVE_UP, ended.stderr
