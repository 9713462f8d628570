"""A machine that was suspended: Linux's monotonic clock stood still, the group and ServiceTitan did not."""

from __future__ import annotations

import time

import pytest

from app.stream.consumer import listen
from app.stream.ownership import Membership, Ownership
from app.stream.settling import Settling


class Machine:
    """Its clocks; `monotonic` does not go on while it is suspended."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.since_boot = 500.0

    def gettime(self, clock: int) -> float:
        return self.since_boot if clock == time.CLOCK_BOOTTIME else self.monotonic

    def suspend(self, seconds: float) -> None:
        self.since_boot += seconds


class Coordinator:
    """What is used of aiokafka's coordinator."""

    async def _do_heartbeat(self) -> bool:
        return True

    def reset_generation(self) -> None:
        """Nothing."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(time, "clock_gettime", machine.gettime)
    monkeypatch.setattr(time, "monotonic", lambda: machine.monotonic)
    return machine


async def test_nothing_is_mine_after_a_sleep_until_the_group_answers_anew(machine: Machine) -> None:
    membership, coordinator = Membership(10.0), Coordinator()
    listen(coordinator, membership)
    ownership = Ownership(membership)
    membership.joined(3)
    ownership.take([0])
    await coordinator._do_heartbeat()
    assert ownership.still_mine(0)
    machine.suspend(11.0)
    lost = not ownership.still_mine(0)
    await coordinator._do_heartbeat()
    assert lost
    assert ownership.still_mine(0)


def test_a_write_goes_on_upstream_while_the_machine_sleeps(machine: Machine) -> None:
    settling = Settling(100.0)
    assert settling.left("b1") == 100.0
    machine.suspend(70.0)
    assert settling.left("b1") == 30.0
