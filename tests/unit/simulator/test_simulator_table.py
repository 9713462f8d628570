from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.simulator.state.records import NamedRow
from app.simulator.state.table import Index, Table, printed_precision

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(number: int, at: datetime) -> NamedRow:
    return NamedRow(id=number, name=str(number), created_on=at, modified_on=at)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=200))
def test_the_log_of_changes_says_what_a_scan_would(changes: list[tuple[int, int]]) -> None:
    table: Table[NamedRow] = Table()
    last: dict[int, tuple[datetime, int]] = {}
    now = START
    for number, (row_id, seconds) in enumerate(changes):
        now += timedelta(seconds=seconds)
        known = table.get(row_id)
        if known is None:
            table.add(row(row_id, now), now)
        else:
            table.touch(known, now)
        last[row_id] = (now, number)
    in_order = sorted(last, key=lambda row_id: last[row_id][1])
    for moment in {START, now, *(at for at, _ in last.values())}:
        found = [item.id for item in table.changed_since(moment)]
        assert found == [row_id for row_id in in_order if last[row_id][0] >= moment]
    numbers = [item.change for item in table.changed_after(0)]
    assert numbers == sorted(numbers)
    for position in numbers:
        later = {item.id for item in table.rows.values() if item.change > position}
        assert {item.id for item in table.changed_after(position)} == later


def test_a_log_of_changes_does_not_grow_for_ever() -> None:
    table: Table[NamedRow] = Table()
    one = table.add(row(1, START), START)
    for number in range(5_000):
        table.touch(one, START + timedelta(seconds=number))
    assert len(table._changes) < 1_100
    assert [item.id for item in table.changed_since(START)] == [1]


def test_rows_made_since_are_found_though_they_show_whole_seconds() -> None:
    table: Table[NamedRow] = Table()
    moments = [START + timedelta(milliseconds=250 * number) for number in range(40)]
    for number, moment in enumerate(moments):
        shown = moment.replace(microsecond=0) if number % 3 == 0 else moment
        table.add(row(number, shown), moment)
    for moment in moments:
        wanted = [item.id for item in table.rows.values() if item.created_on >= moment]
        assert set(wanted) <= {item.id for item in table.created_since(moment)}


def test_a_row_never_goes_back_in_time() -> None:
    table: Table[NamedRow] = Table()
    now = START.replace(microsecond=123_457)
    one = table.add(row(1, now), now)
    table.touch(one, now.replace(microsecond=123_500))
    assert one.modified_on == now


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_a_row_shows_is_never_later_than_what_is(now: datetime) -> None:
    assert timedelta(0) <= now - printed_precision(now) < timedelta(seconds=1)


def test_an_index_gives_each_row_once_in_order() -> None:
    index = Index()
    for value, row_id in (("a", 3), ("b", 1), ("a", 1), ("c", 2)):
        index.add(value, row_id)
    assert list(index.get("a", "b")) == [1, 3]
    index.remove("a", 3)
    assert list(index.get("a", "nothing")) == [1]
