from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.stream.store import Reached, mark_of
from app.stream.tables import Replayed, winners


def rank(row: bytes) -> tuple[int, int]:
    generation, sequence = row.split(b".")
    return int(generation), int(sequence)


def nothing(_key: bytes) -> None:
    return None


def test_without_a_rank_the_last_record_of_a_key_counts() -> None:
    records = [(b"a", b"1"), (b"b", b"1"), (b"a", b"0"), (b"b", None)]
    assert winners(records, nothing, None) == {b"a": b"0", b"b": None}


def test_the_highest_row_counts_whatever_its_place() -> None:
    records = [(b"a", b"2.7"), (b"a", b"1.9"), (b"a", b"2.6")]
    assert winners(records, nothing, rank) == {b"a": b"2.7"}


def test_a_row_in_the_store_is_not_lowered() -> None:
    stored = {b"a": b"3.1", b"b": b"1.1"}
    assert winners([(b"a", b"2.9"), (b"b", b"1.2")], stored.get, rank) == {b"b": b"1.2"}


def test_of_equals_the_later_counts() -> None:
    first, second = b"1.1", b"01.1"
    assert winners([(b"a", first), (b"a", second)], nothing, rank) == {b"a": second}


def test_a_tombstone_always_counts() -> None:
    stored = {b"a": b"9.9"}
    assert winners([(b"a", None)], stored.get, rank) == {b"a": None}
    assert winners([(b"a", b"9.9"), (b"a", None)], nothing, rank) == {b"a": None}


def test_a_row_after_its_tombstone_is_a_new_one() -> None:
    stored = {b"a": b"9.9"}
    assert winners([(b"a", None), (b"a", b"1.1")], stored.get, rank) == {b"a": b"1.1"}


def record(offset: int) -> Reached:
    return Reached(offset, b"%d" % offset)


def test_the_offset_moves_only_without_a_gap() -> None:
    replayed = Replayed(10)
    assert replayed.reached(record(12)) is None
    assert replayed.offset == 10
    assert replayed.reached(record(11)) == record(12)
    assert replayed.offset == 12


def test_a_former_owners_record_in_between_holds_the_offset() -> None:
    # Own rows at 0 and 3; 1 and 2 are somebody else's and not in this store.
    replayed = Replayed(-1)
    assert replayed.reached(record(0)) == record(0)
    assert replayed.reached(record(3)) is None
    assert replayed.offset == 0


def test_an_offset_behind_is_old_news() -> None:
    replayed = Replayed(10)
    assert replayed.reached(record(10)) is None
    assert replayed.reached(record(3)) is None
    assert replayed.reached(record(11)) == record(11)


@given(st.permutations(list(range(20))))
def test_in_whatever_order_they_are_acknowledged_all_count_in_the_end(offsets: list[int]) -> None:
    replayed = Replayed(-1)
    moves = [last for offset in offsets if (last := replayed.reached(record(offset)))]
    assert (replayed.offset, moves[-1]) == (19, record(19))


def test_after_a_row_that_could_not_be_stored_the_offset_never_moves() -> None:
    replayed = Replayed(10)
    replayed.stop()
    assert not any(replayed.reached(record(offset)) for offset in range(11, 20))


def test_a_record_is_known_again_by_its_key_and_its_value() -> None:
    records: list[tuple[bytes, bytes | None]] = [
        (b"a", b"1"),
        (b"a", b"2"),
        (b"b", b"1"),
        (b"a", None),
        (b"a", b""),
    ]
    assert len({mark_of(*one) for one in records}) == len(records)
