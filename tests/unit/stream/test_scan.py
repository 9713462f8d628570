"""Which lanes the scan takes for lost: not those that only wait for their turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.stream.scan import LostTimers, ended_before

BEGUN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RETRY = ("booking-events-retry-5s", 0)
ANSWERS = ("booking-signals", 0)


@dataclass(frozen=True, slots=True)
class Due:
    """A lane that should have been woken long ago."""

    booking_id: str = "b-1"
    partition: int = 0
    turn: int = 3


@dataclass(slots=True)
class Looks:
    """A look every 15 seconds."""

    lost: LostTimers
    now: datetime = BEGUN

    def look(self, *due: Due, worked: int, end: int = 10, view_seconds_behind: float = 1.0) -> list[str]:
        """Whom it wakes, when a retry topic is worked up to `worked` and ends at `end`."""
        self.now += timedelta(seconds=15)
        found = self.lost.look(
            due,
            ends={RETRY: end, ANSWERS: 4},
            reached={RETRY: worked, ANSWERS: 4},
            as_of=self.now - timedelta(seconds=view_seconds_behind),
            now=self.now,
        )
        return [lane.booking_id for lane in found]


def test_a_lane_whose_timer_was_lost_is_woken_once_all_was_worked_that_could_wake_it() -> None:
    looks = Looks(LostTimers())
    assert [looks.look(Due(), worked=10) for _ in range(3)] == [[], [], ["b-1"]]


def test_lanes_whose_timers_are_only_late_are_left_alone_however_long_that_takes() -> None:
    looks = Looks(LostTimers())
    waiting = [Due(f"b-{number}") for number in range(1_000)]
    assert not any(looks.look(*waiting, worked=9) for _ in range(40))


def test_a_lost_timer_behind_a_thousand_late_ones_does_not_wait_for_what_comes_after_it() -> None:
    looks = Looks(LostTimers())
    late = [Due(f"b-{number}") for number in range(1_000)]
    lost = Due("lost", turn=7)
    assert looks.look(*late, lost, worked=9, end=10) == []
    # The topic goes on to grow; what stood in it then is worked, and the lanes of it are not due any more.
    assert looks.look(lost, worked=10, end=5_000) == []
    assert looks.look(lost, worked=11, end=6_000) == ["lost"]


def test_a_view_that_has_not_read_what_became_of_it_wakes_nobody() -> None:
    looks = Looks(LostTimers())
    assert not any(looks.look(Due(), worked=10, view_seconds_behind=100.0) for _ in range(5))


def test_a_lane_that_moved_on_is_another_one() -> None:
    looks = Looks(LostTimers())
    assert not any(looks.look(Due(turn=turn), worked=10) for turn in range(10))


def test_a_lane_that_was_woken_is_not_woken_again_at_once() -> None:
    looks = Looks(LostTimers())
    woken = [looks.look(Due(), worked=10) for _ in range(6)]
    assert woken == [[], [], ["b-1"], [], [], ["b-1"]]


@pytest.mark.parametrize("ahead", [timedelta(days=-500), timedelta(0), timedelta(days=500)])
def test_a_clock_that_jumps_lets_no_booking_leave_early(ahead: timedelta) -> None:
    kept = timedelta(days=400)
    before = ended_before(BEGUN + ahead, BEGUN, kept)
    assert before is not None
    assert before <= BEGUN - kept
    assert ended_before(BEGUN, None, kept) is None


def test_what_could_not_be_worked_says_nothing_of_who_waits() -> None:
    looks = Looks(LostTimers())
    looks.look(Due(), worked=10)
    looks.look(Due(), worked=10)
    looks.lost.start_over()
    assert looks.look(Due(), worked=10) == []
