"""How fetched bytes become records, so that no batch, whatever is in it, ends or stops whoever reads it.

aiokafka raises at the first batch that it cannot read, at this place again after each restart; it unpacks a
batch to whatever size that has; and it takes the offsets and times that a producer wrote. Here what cannot be
read is handed out as one record, which is `Broken`, in the place of it, and reading goes on behind.

Written against aiokafka 0.14, whose private names it uses.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import cramjam
from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

LARGEST_UNPACKED = 16 * 1024 * 1024
"""To how many bytes a batch is unpacked at most."""
FIRST_PART = 1024 * 1024
"""How many bytes of what cannot be read are handed out."""
_LAST_MILLISECOND = 32_503_680_000_000
"""Of the year 2999: no time is said to be later, since not every library has such times."""
_TRIES = 3
"""How often a batch is fetched whose checksum is wrong, before its bytes are taken for what is stored."""

_START = struct.Struct(">qi")
_MAGIC_AT = 16
_HEADER = struct.Struct(">qiibIhiqqqhii")
_CODEC = 0x07
_SHORTEST_OLD = 26


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a record stands for bytes that cannot be read; the length and SHA-256 are those of all of them.

    The record's value is their first part. It is found in `checksum`, which no record of today has.
    """

    why: str
    length: int
    sha256: str


def install() -> None:
    """Have every consumer of this process read so."""
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = Records


class Batches:
    """The batches in the bytes of one fetch; the last may be there in part, and is fetched again then."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        """How many bytes were fetched."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether there is a batch, or what will never be one: a broker sends the first one whole."""
        return self._at < len(self._data) and (self._at == 0 or self._end() <= len(self._data))

    def next_batch(self) -> bytes:
        """The next batch as it is stored; all that is left where the end of it cannot be told."""
        begin, self._at = self._at, min(self._end(), len(self._data))
        return self._data[begin : self._at]

    def _end(self) -> int:
        if self._at + _START.size > len(self._data):
            return len(self._data) if self._at == 0 else len(self._data) + 1
        _, length = _START.unpack_from(self._data, self._at)
        return self._at + _START.size + length if length > _MAGIC_AT - _START.size else len(self._data)


class Records(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of one fetch from one partition."""

    next_fetch_offset: int

    _doubted: dict[Any, tuple[int, int]] = {}  # noqa: RUF012 - how often each partition's place was fetched in vain

    def _unpack_records(self) -> Iterator[Any]:
        while self._records.has_next():
            data = self._records.next_batch()
            wrong: str | None = "no batch of records"
            try:
                batch = _opened(data)
                wrong = None if batch.validate_crc() else "the checksum is wrong"
            except Exception as failure:  # noqa: BLE001 - whatever aiokafka makes of bytes that are no batch
                wrong, batch = f"{wrong}: {failure!r}", None
            if wrong is not None:
                if self._may_be_the_network():
                    return
                yield self._broken(data, wrong, _end_of(data, self.next_fetch_offset))
            elif not self._is_left_out(batch):
                yield from self._of(batch, data)
            if batch is not None and wrong is None:
                self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)

    def _may_be_the_network(self) -> bool:
        place, tries = self._doubted.get(self._tp, (-1, 0))
        tries = tries + 1 if place == self.next_fetch_offset else 1
        if tries == _TRIES:
            self._doubted.pop(self._tp, None)
            return False
        self._doubted[self._tp] = (self.next_fetch_offset, tries)
        return True

    def _is_left_out(self, batch: Any) -> bool:  # noqa: ANN401 - aiokafka has no types
        """Whether it was rolled back, or is a transaction's marker."""
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)

    def _of(self, batch: Any, data: bytes) -> Iterator[Any]:  # noqa: ANN401 - aiokafka has no types
        end = batch.next_offset
        try:
            if data[_MAGIC_AT] <= 1:
                yield from self._in_order(batch, end)
                return
            plain = _unpacked(data)
            try:
                yield from self._in_order(DefaultRecordBatch(plain), end)
            except UnicodeDecodeError:
                # Those before it are passed over, as when a batch was read in part.
                yield from self._in_order(DefaultRecordBatch(_with_names_in_utf8(plain)), end)
        except Exception as failure:  # noqa: BLE001 - whatever a codec or aiokafka raises of such bytes
            yield self._broken(data, f"the batch cannot be read: {failure!r}", end)

    def _in_order(self, batch: Any, end: int) -> Iterator[Any]:  # noqa: ANN401 - aiokafka has no types
        """One at a time: a small batch may be a million of them."""
        last = -1
        for record in batch:
            if not last < record.offset < end:
                raise ValueError("its records are not in order")
            last = record.offset
            if record.offset >= self.next_fetch_offset:
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)

    def _consumer_record(self, tp: Any, record: Any) -> Any:  # noqa: ANN401 - aiokafka has no types
        made = super()._consumer_record(tp, record)
        if 0 <= made.timestamp <= _LAST_MILLISECOND:
            return made
        return replace(made, timestamp=min(max(made.timestamp, 0), _LAST_MILLISECOND))

    def _broken(self, data: bytes, why: str, end: int) -> Any:  # noqa: ANN401 - aiokafka has no types
        """A record in the place of bytes that cannot be read; reading goes on at `end`."""
        offset = self.next_fetch_offset
        self.next_fetch_offset = max(end, offset + 1)
        value = data[:FIRST_PART]
        told = Broken(why, len(data), sha256(data).hexdigest())
        return ConsumerRecord(
            self._tp.topic, self._tp.partition, offset, 0, 0, None, value, told, -1, len(value), ()
        )


def _opened(data: bytes) -> Any:  # noqa: ANN401 - aiokafka has no types
    """A batch of one of Kafka's formats. aiokafka's compiled parts read beyond what is too short."""
    magic = data[_MAGIC_AT]
    if magic > 2 or len(data) < (_SHORTEST_OLD, _SHORTEST_OLD + 8, _HEADER.size)[magic]:
        raise ValueError(f"format {magic} with {len(data)} bytes")
    return DefaultRecordBatch(data) if magic == 2 else LegacyRecordBatch(bytearray(data), magic)


def _end_of(data: bytes, offset: int) -> int:
    """Where reading goes on behind a batch that cannot be trusted."""
    if len(data) < _HEADER.size:
        return offset + 1
    base, _, _, _, _, _, last, *_ = _HEADER.unpack_from(data)
    end: int = base + last + 1
    # No batch has more records than bytes.
    return end if offset < end <= offset + max(len(data), 1) else offset + 1


def _unpacked(data: bytes) -> bytes:
    """The same batch without compression."""
    header = list(_HEADER.unpack_from(data))
    codec = header[5] & _CODEC
    if codec == 0:
        return data
    unpack = _CODECS.get(codec)
    if unpack is None:
        raise ValueError(f"unknown codec {codec}")
    return _batch(header, unpack(data[_HEADER.size :]))


def _batch(header: list[int], payload: bytes) -> bytes:
    header[1] = _HEADER.size - _START.size + len(payload)
    header[5] &= ~_CODEC
    return _HEADER.pack(*header) + payload


def _too_much() -> ValueError:
    return ValueError(f"it unpacks to more than {LARGEST_UNPACKED} bytes")


def _gzip(data: bytes) -> bytes:
    found = b""
    while data:
        member = zlib.decompressobj(31)
        found += member.decompress(data, LARGEST_UNPACKED + 1 - len(found))
        if len(found) > LARGEST_UNPACKED:
            raise _too_much()
        if not member.eof:
            raise ValueError("the end is missing")
        data = member.unused_data
    return found


_XERIAL = b"\x82SNAPPY\x00"


def _snappy(data: bytes) -> bytes:
    if not data.startswith(_XERIAL):
        return _snappy_block(data)
    found, at = bytearray(), 16
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        if size < 0:
            raise ValueError("a block of less than nothing")
        found += _snappy_block(data[at + 4 : at + 4 + size])
        if len(found) > LARGEST_UNPACKED:
            raise _too_much()
        at += 4 + size
    return bytes(found)


def _snappy_block(data: bytes) -> bytes:
    if cramjam.snappy.decompress_raw_len(data) > LARGEST_UNPACKED:
        raise _too_much()
    return bytes(cramjam.snappy.decompress_raw(data))


def _framed(decompress_into: Callable[[bytes, bytearray], int], data: bytes) -> bytes:
    # Zeros that nothing is written to take no memory.
    room = bytearray(LARGEST_UNPACKED)
    size = decompress_into(data, room)
    return bytes(memoryview(room)[:size])


_CODECS: dict[int, Callable[[bytes], bytes]] = {
    1: _gzip,
    2: _snappy,
    3: lambda data: _framed(cramjam.lz4.decompress_into, data),
    4: lambda data: _framed(cramjam.zstd.decompress_into, data),
}


# Names of headers ------------------------------------------------------------------------------------------


def _with_names_in_utf8(data: bytes) -> bytes:
    """The same batch, with what of its headers' names is not UTF-8 told by its digits."""
    header, at = list(_HEADER.unpack_from(data)), _HEADER.size
    payload = bytearray()
    while at < len(data):
        length, at = _varint(data, at)
        payload += _renamed(data[at : at + length])
        at += length
    return _batch(header, bytes(payload))


def _renamed(record: bytes) -> bytes:
    at = 1
    for _ in range(2):
        _, at = _varint(record, at)
    for _ in range(2):
        size, at = _varint(record, at)
        at += max(size, 0)
    count, at = _varint(record, at)
    made = bytearray(record[:at])
    for _ in range(count):
        size, at = _varint(record, at)
        name = record[at : at + size].decode(errors="backslashreplace").encode()
        at += size
        begin = at
        size, at = _varint(record, at)
        at += max(size, 0)
        made += _zigzag(len(name)) + name + record[begin:at]
    return _zigzag(len(made)) + made


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
        shift += 7


def _zigzag(number: int) -> bytes:
    number, made = number << 1, bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(made) + bytes([number])
