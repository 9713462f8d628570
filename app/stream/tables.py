"""Tables whose writes are real: a row is written when the broker has acknowledged its changelog record.

Nothing of Faust's table interface is used for rows, nor can it be reached from here: `table[key] = value`
takes the partition from whatever event is at hand, and nobody looks at the result of its send.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import faust
from yarl import URL

from app.stream import faults
from app.stream.message import Message, message_of
from app.stream.sender import Outgoing
from app.stream.store import OWN_KEYS, MemoryStore, Reached, RocksStore, Rows, RowStore, mark_of

if TYPE_CHECKING:
    from faust.types import TP, EventT, StoreT
    from faust.types import Message as FaustMessage

    from app.stream.faust_app import StreamApp

_log = logging.getLogger(__name__)

Rank = Callable[[bytes], tuple[int, int]]
"""The (generation, sequence) of a row's bytes."""


def winners(
    records: Iterable[tuple[bytes, bytes | None]],
    stored: Callable[[bytes], bytes | None],
    rank: Rank | None,
) -> dict[bytes, bytes | None]:
    """What a stretch of the changelog makes of a table: rows by key, None for a removed one.

    With a rank the highest row wins, whatever the order in the log: an owner that woke up late may have
    written behind its successor. Of equals the later wins, and a tombstone always does. Without a rank the
    last wins.
    """
    rows: dict[bytes, bytes | None] = {}
    for key, value in records:
        if rank is not None and value is not None:
            known = rows[key] if key in rows else stored(key)
            if known is not None and rank(known) > rank(value):
                continue
        rows[key] = value
    return rows


class Replayed:
    """Up to which offset the store holds a changelog partition without a gap.

    Acknowledgements arrive out of order, and a former owner's record may stand in between: the offset moves
    only over offsets that are known to be in the store, and replay begins at the first that is not.
    """

    _MOST_AHEAD = 10_000

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._ahead: dict[int, Reached] = {}

    def stop(self) -> None:
        """Let the offset never move again: a row that was reached is not in the store."""
        self.offset = sys.maxsize

    def reached(self, record: Reached) -> Reached | None:
        """Note a record that the store holds; gives the last one before which it holds all, if that moved."""
        if record.offset != self.offset + 1:
            if record.offset > self.offset and len(self._ahead) < self._MOST_AHEAD:
                self._ahead[record.offset] = record
            return None
        last = record
        while last.offset + 1 in self._ahead:
            last = self._ahead.pop(last.offset + 1)
        self.offset = last.offset
        return last


_MOST_LEFT_OUT = 1_000
"""How many records that are no rows are told by a dead letter; the log tells all."""


class ChangelogTable(faust.Table):  # type: ignore[type-arg]  # faust leaves its key and value types open
    """Faust's side of a table: its changelog, store and recovery."""

    app: "StreamApp"

    def __init__(self, app: "StreamApp", *, name: str, rank: Rank | None, **options: Any) -> None:  # noqa: ANN401 - handed on to Faust
        super().__init__(app, name=name, key_type=bytes, value_type=bytes, **options)
        self._rank = rank
        self._replayed: dict[int, Replayed] = {}
        self.left_out: dict[tuple[int, bytes | None], Message] = {}
        """Records that were replayed last for their key and are no rows, by partition and key."""

    @property
    def rows(self) -> RowStore:
        """The store."""
        return cast("RowStore", self.data)

    def keep(self, partition: int, rows: Rows, offsets: Iterable[int]) -> None:
        """Put acknowledged rows into the store; `offsets` are theirs in the changelog."""
        replayed = self._replayed[partition]
        last: Reached | None = None
        for (key, value), offset in zip(rows.items(), offsets, strict=True):
            last = replayed.reached(Reached(offset, mark_of(key, value))) or last
        try:
            self.rows.write(partition, rows, reached=last)
        except BaseException:
            # The store lacks these rows now: no later write may say that it is past them.
            replayed.stop()
            raise

    def _new_store_by_url(self, url: str | URL) -> "StoreT":  # type: ignore[type-arg]  # as Faust has it
        kind = RocksStore if URL(url).scheme == "rocksdb" else MemoryStore
        return kind(
            url,
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
        )

    def apply_changelog_batch(self, batch: "Iterable[EventT[Any]]") -> None:
        """Replay a stretch of the changelog; what goes wrong ends the worker.

        Faust would log the error, and go to work without the rows.
        """
        if self.app.gave_up is not None:
            return
        try:
            self._replay(batch)
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the table is not complete
            self.app.give_up(f"table {self.name} cannot be replayed: {wrong!r}")

    def _replay(self, batch: "Iterable[EventT[Any]]") -> None:
        by_partition: dict[int, list[EventT[Any]]] = {}
        for event in batch:
            # Faust hands a record of a partition that it no longer knows to whichever table came before it.
            if event.message.topic == self.changelog_topic_name:
                by_partition.setdefault(event.message.partition, []).append(event)
        for partition, events in by_partition.items():
            records = [
                (cast("bytes", event.message.key), event.message.value)
                for event in events
                if self._is_row(event.message)
            ]
            stored = partial(self.rows.read, partition)
            rows = winners(records, stored, self._rank)
            last = events[-1].message
            self.rows.write(partition, rows, reached=Reached(last.offset, mark_of(last.key, last.value)))

    def _is_row(self, record: "FaustMessage") -> bool:
        """Whether a record may be a row of ours; one that cannot is kept aside until it is put right."""
        message = message_of(record)
        key = None if message.broken else message.key
        if key is not None and self._may_be_a_row(key, message.value):
            self.left_out.pop((message.partition, key), None)
            return True
        if len(self.left_out) < _MOST_LEFT_OUT:
            self.left_out[message.partition, key] = message
        _log.error("no row of table %s: %s[%d] at %d", self.name, *record.tp, record.offset)
        return False

    def _may_be_a_row(self, key: bytes, row: bytes | None) -> bool:
        if key.startswith(OWN_KEYS):
            return False
        if row is None or self._rank is None:
            return True
        try:
            return all(0 <= part < 2**63 for part in self._rank(row))
        except (AttributeError, TypeError, ValueError):
            return False

    async def on_recovery_completed(self, active_tps: "set[TP]", standby_tps: "set[TP]") -> None:
        """Note from where on this worker's own writes continue the replayed changelog."""
        await super().on_recovery_completed(active_tps, standby_tps)
        ends = self.app.tables.recovery.active_highwaters
        for tp in active_tps:
            stored = self.rows.persisted_offset(tp)
            self._replayed[tp.partition] = Replayed(ends[tp] if stored is None else max(stored, ends[tp]))


class OwnedTable:
    """A table of raw rows, written only by the owner of their partition, one key by one task at a time.

    `rank` gives a row's (generation, sequence), by which replay keeps the highest; without it the last
    counts.
    """

    def __init__(self, app: "StreamApp", table: ChangelogTable, rank: Rank | None = None) -> None:
        self._app = app
        self._rank = rank
        self._table = table
        self.name: str = table.name
        self.changelog: str = table.changelog_topic_name

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The row of `key` in `partition`, None without one."""
        return self._table.rows.read(partition, key)

    def generation(self, partition: int, key: bytes) -> int:
        """Under which generation the row is written: the group's, which can begin again at 1, or its own."""
        row = self.get(partition, key)
        own = 0 if row is None or self._rank is None else self._rank(row)[0]
        return max(self._app.generation, own)

    async def put(self, partition: int, key: bytes, value: bytes, *, along: Sequence[Outgoing] = ()) -> None:
        """Write a row; returns when the broker has acknowledged it and what is sent along with it.

        Raises NotMine, WriteLost.
        """
        await self.put_many(partition, {key: value}, along=along)

    async def delete(self, partition: int, key: bytes) -> None:
        """Remove a row; returns when the broker has acknowledged its tombstone. Raises NotMine, WriteLost."""
        await self.put_many(partition, {key: None})

    async def put_right(self) -> list[Message]:
        """Write the rows that count behind what is no row in the changelog; gives what that was.

        What has no key of its own cannot be written over. Raises NotMine, WriteLost.
        """
        left_out, self._table.left_out = self._table.left_out, {}
        mine = self._app.owned_partitions
        for partition, key in left_out:
            if key is not None and not key.startswith(OWN_KEYS) and partition in mine:
                await self.put_many(partition, {key: self.get(partition, key)})
        return [message for message in left_out.values() if message.partition in mine]

    async def put_many(self, partition: int, rows: Rows, *, along: Sequence[Outgoing] = ()) -> None:
        """Write rows of one partition together (None removes); returns when all are acknowledged.

        `along` are records that go out behind the rows, without waiting for them. Raises NotMine, WriteLost:
        some of the rows may then stand in the changelog, none in the local store.
        """
        work = await self._app.ownership.ensure(partition)
        faults.reach("before-put", self.name)
        records = [Outgoing(self.changelog, key, row, partition=partition) for key, row in rows.items()]
        written = await self._app.sender.send_all([*records, *along], owner=partition)
        faults.reach("after-put", self.name)
        self._app.ownership.must_hold(work)
        self._table.keep(partition, rows, [record.offset for record in written[: len(records)]])
