from __future__ import annotations

from dataclasses import dataclass

from app.stream.delay import DelayGate

WALL = 1_000_000.0
NOW = 50.0


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int


def record(offset: int, age: float) -> Record:
    """A record that is `age` seconds old by the wall clock."""
    return Record(offset, round((WALL - age) * 1000))


def offsets(released: list[Record]) -> list[int]:
    return [one.offset for one in released]


def test_a_record_is_due_by_its_own_time() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=4.0), record(1, age=3.0)], wall=WALL, now=NOW)
    assert gate.holding
    assert gate.release(NOW + 0.9, limit=10) == []
    assert offsets(gate.release(NOW + 1.1, limit=10)) == [0]
    assert offsets(gate.release(NOW + 2.1, limit=10)) == [1]
    assert not gate.holding


def test_an_overdue_record_is_due_at_once_and_only_so_many_together() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(n, age=60.0 - n) for n in range(5)], wall=WALL, now=NOW)
    assert offsets(gate.release(NOW, limit=3)) == [0, 1, 2]
    assert offsets(gate.release(NOW, limit=3)) == [3, 4]


def test_the_first_that_is_not_due_holds_those_behind_it() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=1.0), record(1, age=60.0)], wall=WALL, now=NOW)
    assert gate.release(NOW, limit=10) == []
    assert offsets(gate.release(NOW + 4.1, limit=10)) == [0, 1]


def test_a_clock_set_back_by_an_hour_delays_by_no_more_than_the_delay() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=-3600.0)], wall=WALL, now=NOW)
    assert gate.release(NOW + 4.9, limit=10) == []
    assert offsets(gate.release(NOW + 5.0, limit=10)) == [0]


def test_after_a_clock_set_back_the_delays_do_not_add_up() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=-3600.0)], wall=WALL, now=NOW)
    gate.release(NOW + 5.0, limit=10)
    # The next fetch, five seconds on; its record is one second younger than the first.
    gate.hold([record(1, age=-3601.0)], wall=WALL + 5.0, now=NOW + 5.0)
    assert offsets(gate.release(NOW + 6.1, limit=10)) == [1]


def test_records_of_the_clock_as_it_is_now_are_due_by_it_again() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=-3600.0), record(1, age=0.0)], wall=WALL, now=NOW)
    assert offsets(gate.release(NOW + 5.0, limit=10)) == [0, 1]
    gate.hold([record(2, age=4.0)], wall=WALL, now=NOW + 5.0)
    assert gate.release(NOW + 5.9, limit=10) == []
    assert offsets(gate.release(NOW + 6.1, limit=10)) == [2]


def test_a_clock_set_forward_makes_all_due() -> None:
    gate: DelayGate[Record] = DelayGate(5.0)
    gate.hold([record(0, age=3600.0)], wall=WALL, now=NOW)
    assert offsets(gate.release(NOW, limit=10)) == [0]
