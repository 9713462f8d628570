"""Where a table's rows stand on this worker: raw bytes, by partition.

Faust's stores find the partition through the event at hand; these are told it.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

import rocksdict
from faust.stores import memory, rocksdb
from faust.types import TP

if TYPE_CHECKING:
    from pathlib import Path

    from faust.types import CollectionT

_log = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_CACHE_BYTES: Final = 64 * _MIB
_WRITE_BUFFERS_BYTES: Final = 128 * _MIB
_WRITE_BUFFER_BYTES: Final = 4 * _MIB
_ROWS_IN_MEMORY: Final = 1_000
"""How many rows of a partition a kill may cost: the next start reads them again from the changelog."""
_NO_FAULT_OF_THE_FILES: Final = ("lock", "no space", "permission", "too many open files")
_FAULT_OF_THE_FILES: Final = ("corruption", "checksum", "no such file")

OWN_KEYS: Final = b"__faust\0"
"""How the store's own keys begin: no row has such a one."""
_MARK_KEY: Final = OWN_KEYS + b"mark__"

Rows = Mapping[bytes, bytes | None]
"""Rows to write; None removes one."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The last record of the changelog that a store holds: its offset, and by what to know it again."""

    offset: int
    mark: bytes


def mark_of(key: bytes | None, value: bytes | None) -> bytes:
    """By what a record is known again."""
    digest = blake2b(key or b"", digest_size=16)
    digest.update(b"" if value is None else b"\0" + value)
    return digest.digest()


class RowStore(Protocol):
    """What a table asks of its store."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The row of a key."""

    def write(self, partition: int, rows: Rows, *, reached: Reached | None = None) -> None:
        """Write rows at once; `reached` is then the last record of the changelog that the store holds."""

    def persisted_offset(self, tp: TP) -> int | None:
        """The last offset of the changelog that the store holds, None to replay all."""

    def mark(self, partition: int) -> bytes | None:
        """By what the record at that offset is known again, None without one."""

    def discard(self, partition: int, why: str) -> None:
        """Forget a partition's rows: the changelog has others."""


class MemoryStore(memory.Store):  # type: ignore[type-arg]  # faust leaves its key and value types open
    """Rows in a dictionary per partition; a lost partition's are forgotten."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._rows: dict[int, dict[bytes, bytes]] = {}

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The row of a key."""
        return self._rows.get(partition, {}).get(key)

    def write(self, partition: int, rows: Rows, *, reached: Reached | None = None) -> None:  # noqa: ARG002 - as RowStore has it
        """Write rows; memory holds no offset."""
        mine = self._rows.setdefault(partition, {})
        for key, value in rows.items():
            if value is None:
                mine.pop(key, None)
            else:
                mine[key] = value

    def mark(self, partition: int) -> bytes | None:  # noqa: ARG002 - as RowStore has it
        """Nothing, as there is no offset."""
        return None

    def discard(self, partition: int, why: str) -> None:
        """Forget a partition's rows."""
        _log.warning("rows of %s[%d] are read again: %s", self.table_name, partition, why)
        self._rows.pop(partition, None)

    async def on_rebalance(
        self,
        assigned: set[TP],  # noqa: ARG002 - as Faust calls it
        revoked: set[TP],
        newly_assigned: set[TP],  # noqa: ARG002 - as Faust calls it
        generation_id: int = 0,  # noqa: ARG002 - as Faust calls it
    ) -> None:
        """Forget the rows of partitions that went to another worker."""
        for tp in _own(self.table, revoked):
            self._rows.pop(tp.partition, None)


class RocksStore(rocksdb.Store):
    """Rows in one RocksDB per partition, all of them within one bounded amount of memory.

    The folder is a copy of the changelog: one that cannot be opened is thrown away, and built again from
    there. One that turns out to be damaged later ends the worker, and is thrown away by the next start.

    The changelog is the only write-ahead log. RocksDB's own would be replayed over whatever tables a damaged
    MANIFEST still lists, and bring the offset of rows that are gone; without it a database that lost its end
    is an older one, offset and all, and is read on from there.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._in_memory: Counter[int] = Counter()

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The row of a key."""
        try:
            row: bytes | None = self._db_for_partition(partition).get(key)
        except Exception as wrong:
            self._doubt(partition, wrong)
            raise
        return row

    def write(self, partition: int, rows: Rows, *, reached: Reached | None = None) -> None:
        """Write rows and the offset they reach to in one batch, so that neither is ahead of the other."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if reached is not None:
            batch.put(self.offset_key, str(reached.offset).encode())
            batch.put(_MARK_KEY, reached.mark)
        try:
            db = self._db_for_partition(partition)
            db.write(batch, _no_log())
            self._in_memory[partition] += len(rows)
            if self._in_memory[partition] >= _ROWS_IN_MEMORY:
                self._in_memory[partition] = 0
                db.flush(wait=False)
        except Exception as wrong:
            self._doubt(partition, wrong)
            raise

    def persisted_offset(self, tp: TP) -> int | None:
        """The last offset of the changelog that the store holds, None to replay all."""
        try:
            offset: int | None = super().persisted_offset(tp)
        except Exception as wrong:
            self._doubt(tp.partition, wrong)
            raise
        return offset

    def mark(self, partition: int) -> bytes | None:
        """By what the record at that offset is known again, None without one."""
        return self.read(partition, _MARK_KEY)

    def discard(self, partition: int, why: str) -> None:
        """Throw a partition's folder away."""
        path = self.partition_path(partition)
        _log.warning("store %s is built again from the changelog: %s", path, why)
        self._close(partition)
        shutil.rmtree(path)

    def revoke_partitions(self, table: "CollectionT", tps: set[TP]) -> None:
        """Close the databases of lost partitions, so that another process may open them."""
        for tp in _own(table, tps):
            self._close(tp.partition)

    async def stop(self) -> None:
        """Close every database."""
        for partition in list(self._dbs):
            self._close(partition)

    def _close(self, partition: int) -> None:
        db = self._dbs.pop(partition, None)
        if db is None:
            return
        try:
            db.close()
        except Exception as wrong:  # noqa: BLE001 - rocksdict has no class of its own
            self._doubt(partition, wrong)
            # What was not flushed is in the changelog; the other databases have to be closed as well.
            _log.warning("store %s cannot be closed: %s", self.partition_path(partition), wrong)

    def _open_for_partition(self, partition: int) -> Any:  # noqa: ANN401 - Faust types it by a dummy class
        path = self.partition_path(partition)
        doubted = _doubted(path)
        if doubted.exists():
            _log.warning("store %s was found damaged: it is built again from the changelog", path)
            shutil.rmtree(path, ignore_errors=True)
            doubted.unlink()
        try:
            return _open(path)
        except Exception as wrong:
            if any(words in str(wrong).lower() for words in _NO_FAULT_OF_THE_FILES):
                raise
            _log.warning("store %s cannot be opened (%s): it is built again from the changelog", path, wrong)
            shutil.rmtree(path)
            return _open(path)

    def _doubt(self, partition: int, wrong: Exception) -> None:
        """Have the next start build the files again, if it is they that are wrong."""
        if any(words in str(wrong).lower() for words in _FAULT_OF_THE_FILES):
            path = self.partition_path(partition)
            _log.error("store %s is damaged (%s): the next start builds it again", path, wrong)
            _doubted(path).touch()


def _doubted(path: "Path") -> "Path":
    """The file beside a database that says it must not be used any more."""
    return path.with_name(f"{path.name}.damaged")


def _own(table: "CollectionT", tps: set[TP]) -> set[TP]:
    return {tp for tp in tps if tp.topic in table.changelog_topic.topics}


def _open(path: "Path") -> rocksdict.Rdict:
    return rocksdict.Rdict(str(path), options=_options())


def _options() -> rocksdict.Options:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_write_buffer_manager(_write_buffers())
    options.set_keep_log_file_num(2)
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(_block_cache())
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_bloom_filter(10, block_based=False)
    options.set_block_based_table_factory(blocks)
    return options


@cache
def _no_log() -> rocksdict.WriteOptions:
    options = rocksdict.WriteOptions()
    options.disable_wal = True  # type: ignore[method-assign,assignment]  # its stub takes it for a method
    return options


@cache
def _block_cache() -> rocksdict.Cache:
    return rocksdict.Cache(_CACHE_BYTES)


@cache
def _write_buffers() -> rocksdict.WriteBufferManager:
    return rocksdict.WriteBufferManager(_WRITE_BUFFERS_BYTES, False)
