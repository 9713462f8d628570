"""A table of rows with what changed when, so that neither a poll nor an export has to scan."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from app.simulator.state.records import Row

R = TypeVar("R", bound=Row)

_STALE_AT_LEAST = 1_000
_COARSEST = timedelta(seconds=1)


class Change(NamedTuple):
    """A row's last change: when, its number in the table, which row."""

    at: datetime
    number: int
    id: int


class Table(Generic[R]):
    """Rows by id, in the order they were made, with a log of changes in the order they happened.

    Only a row's latest change counts; older entries of the log are skipped, and dropped when they are most.
    """

    def __init__(self) -> None:
        self.rows: dict[int, R] = {}
        self.in_order: list[R] = []
        self._changes: list[Change] = []
        self._last_number = 0

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, row_id: int) -> R | None:
        """The row, or None."""
        return self.rows.get(row_id)

    def add(self, row: R, now: datetime) -> R:
        """Keep a new row."""
        self.rows[row.id] = row
        self.in_order.append(row)
        self._record(row, now)
        return row

    def touch(self, row: R, now: datetime) -> None:
        """Note that a row has changed at `now`, which never goes back; nor does its `modified_on`."""
        row.modified_on = max(row.modified_on, printed_precision(now))
        self._record(row, now)

    def changed_since(self, moment: datetime) -> Iterator[R]:
        """Rows whose last change was at or after `moment`, oldest change first."""
        return self._from(bisect_left(self._changes, moment, key=lambda change: change.at))

    def changed_after(self, number: int) -> Iterator[R]:
        """Rows whose last change has a higher number, oldest change first."""
        return self._from(bisect_left(self._changes, number + 1, key=lambda change: change.number))

    def number_before(self, moment: datetime) -> int:
        """The number of the last change before `moment`; 0 when there is none."""
        index = bisect_left(self._changes, moment, key=lambda change: change.at)
        return self._changes[index - 1].number if index else 0

    def created_since(self, moment: datetime) -> Iterator[R]:
        """Rows made at or after `moment`, by id, and perhaps a few made just before it.

        Ids grow with time, but a row may show its time to the second only.
        """
        start = bisect_left(self.in_order, moment - 2 * _COARSEST, key=lambda row: row.created_on)
        return (self.in_order[index] for index in range(start, len(self.in_order)))

    def _from(self, start: int) -> Iterator[R]:
        for index in range(start, len(self._changes)):
            change = self._changes[index]
            row = self.rows[change.id]
            if row.change == change.number:
                yield row

    def _record(self, row: R, now: datetime) -> None:
        self._last_number += 1
        row.change = self._last_number
        self._changes.append(Change(now, row.change, row.id))
        if len(self._changes) > 2 * len(self.rows) + _STALE_AT_LEAST:
            self._changes = [c for c in self._changes if self.rows[c.id].change == c.number]


class Index:
    """Row ids by a value, in the order they were added."""

    def __init__(self) -> None:
        self._ids: defaultdict[Hashable, dict[int, None]] = defaultdict(dict)

    def add(self, value: Hashable, row_id: int) -> None:
        """Note that the row has the value."""
        self._ids[value][row_id] = None

    def remove(self, value: Hashable, row_id: int) -> None:
        """Note that the row no longer has the value."""
        self._ids[value].pop(row_id, None)

    def get(self, *values: Hashable) -> Iterable[int]:
        """The ids of the rows that have one of the values, ascending."""
        return sorted({row_id for value in values for row_id in self._ids.get(value, ())})

    def items(self) -> Iterator[tuple[Hashable, tuple[int, ...]]]:
        """Each value that rows have, with their ids."""
        return ((value, tuple(ids)) for value, ids in self._ids.items() if ids)


def printed_precision(now: datetime) -> datetime:
    """The instant as some row would show it: one in nine to the millisecond, one in fifty to the second.

    Real rows carry 0 to 7 fractional digits; a client has to read them all.
    """
    if now.microsecond % 50 == 0:
        return now.replace(microsecond=0)
    if now.microsecond % 9 == 0:
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
    return now
