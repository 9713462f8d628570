from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stream.errors import LogWentBack
from app.stream.ledger import Intake, Ledger, Room

if TYPE_CHECKING:
    from random import Random


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ledger(start: int = 0, *, room: Room | None = None, clock: Clock | None = None) -> Ledger:
    return Ledger(start, room=room, clock=clock or Clock())


def to_commit(book: Ledger) -> int | None:
    return book.committable


def test_commits_behind_the_last_message_before_which_all_is_done() -> None:
    book = ledger()
    for offset in range(5):
        book.fetched(offset)
    book.done(2)
    book.done(1)
    assert to_commit(book) is None
    book.done(0)
    assert to_commit(book) == 3
    book.done(4)
    assert to_commit(book) == 3
    book.done(3)
    assert to_commit(book) == 5


def test_a_gap_in_the_log_is_no_gap_in_the_work() -> None:
    book = ledger(start=31)
    for offset in (31, 40, 41):
        book.fetched(offset)
    book.done(40)
    assert to_commit(book) is None
    book.done(31)
    assert to_commit(book) == 41


def test_the_message_right_behind_an_unfinished_head_is_not_committed() -> None:
    # Faust's own bookkeeping commits 33 here.
    book = ledger(start=31)
    book.fetched(31)
    book.fetched(32)
    book.done(32)
    assert to_commit(book) is None


def test_nothing_is_committable_without_work_or_twice() -> None:
    book = ledger(start=7)
    assert to_commit(book) is None
    book.fetched(7)
    book.done(7)
    book.commit_answered(8)
    assert to_commit(book) is None


def test_what_was_dropped_after_its_fetch_holds_the_position() -> None:
    book = ledger()
    for offset in range(3):
        book.fetched(offset)
    book.done(1)
    book.done(2)
    assert to_commit(book) is None
    assert (book.position, book.next_needed()) == (0, 0)


def test_what_is_never_handed_out_is_passed_over_when_nothing_is_pending() -> None:
    book = ledger()
    book.read_to(2)
    assert (to_commit(book), book.next_needed()) == (2, 2)
    book.fetched(2)
    book.read_to(5)
    assert to_commit(book) == 2
    book.done(2)
    assert to_commit(book) == 3
    book.read_to(5)
    assert to_commit(book) == 5
    book.read_to(4)
    assert to_commit(book) == 5


def test_refuses_a_log_that_goes_back_and_what_is_not_pending() -> None:
    book = ledger()
    book.fetched(4)
    with pytest.raises(LogWentBack):
        book.fetched(4)
    with pytest.raises(KeyError):
        book.done(3)


def test_is_crowded_at_its_limit_and_roomy_again_at_half() -> None:
    book = ledger(room=Room(unfinished=4, window=100))
    for offset in range(4):
        book.fetched(offset)
    assert book.crowded
    book.done(3)
    assert book.crowded
    book.done(2)
    assert not book.crowded


def test_a_stuck_head_bounds_the_window_too() -> None:
    book = ledger(room=Room(unfinished=10, window=6))
    for offset in range(6):
        book.fetched(offset)
        if offset:
            book.done(offset)
    assert (book.unfinished, book.window, book.crowded) == (1, 6, True)
    book.done(0)
    assert not book.crowded


def test_head_age_counts_from_when_the_head_became_the_head() -> None:
    clock = Clock()
    book = ledger(clock=clock)
    assert book.head_age() == 0
    book.fetched(0)
    book.fetched(1)
    clock.now += 5
    assert book.head_age() == 5
    book.done(0)
    clock.now += 2
    assert book.head_age() == 2
    book.done(1)
    clock.now += 9
    assert book.head_age() == 0


def test_commit_age_counts_from_the_oldest_finished_message() -> None:
    clock = Clock()
    book = ledger(clock=clock)
    for offset in range(3):
        book.fetched(offset)
    book.done(1)
    clock.now += 1
    assert book.commit_age() == 0
    book.done(0)
    clock.now += 3
    assert book.commit_age() == 3
    book.commit_answered(2)
    clock.now += 1
    assert book.commit_age() == 0


def test_a_commit_of_an_older_position_starts_the_age_anew() -> None:
    clock = Clock()
    book = ledger(clock=clock)
    for offset in range(2):
        book.fetched(offset)
        book.done(offset)
        clock.now += 3
    book.commit_answered(1)
    clock.now += 1
    assert book.commit_age() == 1


def test_accepts_only_while_open() -> None:
    book = ledger()
    assert book.accepting
    for intake in (Intake.DRAINING, Intake.CLOSED):
        book.intake = intake
        assert not book.accepting


def test_a_log_that_begins_below_what_is_committed_is_committed_from_there() -> None:
    book = ledger(start=1_000)
    book.fetched(0)
    assert book.committable == 0
    book.done(0)
    book.read_to(1)
    assert book.committable == 1


@given(
    gaps=st.lists(st.integers(1, 4), min_size=1, max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_the_position_is_always_behind_the_done_prefix(gaps: list[int], order: Random) -> None:
    offsets = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    book = ledger(start=0)
    for offset in offsets:
        book.fetched(offset)
    done: set[int] = set()
    for offset in order.sample(offsets, len(offsets)):
        book.done(offset)
        done.add(offset)
        prefix = list(takewhile(done.__contains__, offsets))
        assert book.position == (prefix[-1] + 1 if prefix else 0)
        assert book.unfinished == len(offsets) - len(done)


def test_a_partition_is_crowded_by_the_bytes_that_are_not_done() -> None:
    ledger = Ledger(0, room=Room(size=100))
    for offset in range(3):
        ledger.fetched(offset, 40)
    assert ledger.crowded
    ledger.done(1)
    assert ledger.crowded
    ledger.done(0)
    assert not ledger.crowded
