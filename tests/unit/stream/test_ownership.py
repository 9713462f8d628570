from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.stream.consumer import listen
from app.stream.errors import NotMine
from app.stream.ownership import Membership, Ownership, Work, current_work

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def owner(clock: Clock) -> Ownership:
    """A member of generation 3 whose last answered heartbeat was sent now, and who owns 0 and 1."""
    membership = Membership(SESSION, clock)
    membership.joined(3)
    membership.heartbeat_answered(clock.now)
    ownership = Ownership(membership)
    ownership.take([0, 1])
    return ownership


@contextmanager
def working(partition: int, epoch: int) -> Iterator[None]:
    token = current_work.set(Work(partition, epoch))
    yield
    current_work.reset(token)


def test_mine_is_what_was_assigned_while_heartbeats_are_answered(owner: Ownership, clock: Clock) -> None:
    assert owner.still_mine(0)
    assert not owner.still_mine(2)
    clock.now += SESSION - 0.1
    assert owner.still_mine(0)
    clock.now += 0.2
    assert not owner.still_mine(0)


def test_a_heartbeat_counts_from_when_it_was_sent(owner: Ownership, clock: Clock) -> None:
    sent_at = clock.now
    clock.now += 60.0  # the process was stopped; the answer lay in the socket
    owner.membership.heartbeat_answered(sent_at)
    assert not owner.still_mine(0)


def test_an_expelled_member_owns_nothing_however_fresh(owner: Ownership) -> None:
    owner.membership.reset()
    assert not owner.still_mine(0)


def test_nobody_is_a_member_before_joining(clock: Clock) -> None:
    membership = Membership(SESSION, clock)
    membership.heartbeat_answered(clock.now)
    assert not membership.fresh


def test_a_given_back_partition_is_not_mine(owner: Ownership) -> None:
    assert owner.give_back()
    assert not owner.give_back()
    assert not owner.still_mine(0)


def test_work_of_an_earlier_ownership_stays_foreign_when_the_partition_comes_back(owner: Ownership) -> None:
    with working(0, owner.epoch):
        owner.give_back()
        owner.take([0])
        assert not owner.still_mine(0)
    assert owner.still_mine(0)


async def test_ensure_raises_when_the_partition_is_lost(owner: Ownership) -> None:
    with pytest.raises(NotMine):
        await owner.ensure(2)
    owner.membership.reset()
    with pytest.raises(NotMine):
        await owner.ensure(0)


async def test_ensure_waits_while_the_broker_is_away(owner: Ownership, clock: Clock) -> None:
    clock.now += SESSION + 1
    waiting = asyncio.create_task(owner.ensure(0))
    await asyncio.sleep(0.12)
    assert not waiting.done()
    owner.membership.heartbeat_answered(clock.now)
    assert await waiting == Work(0, owner.epoch)


async def test_ensure_stops_waiting_when_the_partition_is_given_back(owner: Ownership, clock: Clock) -> None:
    clock.now += SESSION + 1
    waiting = asyncio.create_task(owner.ensure(0))
    await asyncio.sleep(0)
    owner.give_back()
    with pytest.raises(NotMine):
        await waiting


def test_must_hold_raises_once_the_ownership_has_ended(owner: Ownership) -> None:
    work = Work(0, owner.epoch)
    owner.must_hold(work)
    owner.take([0])
    with pytest.raises(NotMine):
        owner.must_hold(work)


def counted_in(membership: Membership) -> bool:
    return membership.fresh


class Coordinator:
    """What is used of aiokafka's coordinator."""

    def __init__(self) -> None:
        self.answers = True
        self.resets = 0

    async def _do_heartbeat(self) -> bool:
        return self.answers

    def reset_generation(self) -> None:
        self.resets += 1


async def test_the_membership_hears_the_coordinator() -> None:
    coordinator, membership = Coordinator(), Membership(SESSION)
    listen(coordinator, membership)
    membership.joined(1)
    coordinator.answers = False
    assert not await coordinator._do_heartbeat()
    assert not counted_in(membership)
    coordinator.answers = True
    assert await coordinator._do_heartbeat()
    assert counted_in(membership)
    coordinator.reset_generation()
    assert coordinator.resets == 1
    assert not counted_in(membership)
