"""Whatever a fetch brings, reading goes on behind it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED

from app.batches import LARGEST_UNPACKED, Batches, Broken, Records
from tests.support.garbage import Bad, bad, batch, with_checksum

PLACE = TopicPartition("t", 0)
GOOD = [Bad(b"k", b"%d" % number * 300, [("mine", b"\xff")]) for number in range(3)]


def read(data: bytes, at: int = 0) -> tuple[list[Any], int]:
    """The records of one fetch, and where the next begins."""
    records = Records(PLACE, Batches(data), [], at, None, None, True, READ_COMMITTED)
    found = list(records)
    return found, records.next_fetch_offset


def read_on(data: bytes) -> tuple[list[Any], int]:
    """The same, fetched as often as it takes."""
    for _ in range(5):
        found, at = read(data)
        if found or at:
            return found, at
    raise AssertionError("it goes on nowhere")


def moved(data: bytes, offset: int) -> bytes:
    """The same batch at another place of its partition."""
    return offset.to_bytes(8, "big") + data[8:]


@pytest.mark.parametrize("codec", range(5))
def test_every_codec_is_read(codec: int) -> None:
    found, at = read(batch(GOOD, codec))

    assert [(one.offset, one.key, one.value) for one in found] == [
        (number, one.key, one.value) for number, one in enumerate(GOOD)
    ]
    assert at == 3
    assert all(one.headers == (("mine", b"\xff"),) for one in found)


@pytest.mark.parametrize("codec", [0, 1])
def test_a_batch_that_was_read_in_part_goes_on_where_that_ended(codec: int) -> None:
    found, at = read(batch(GOOD, codec), at=2)

    assert ([one.offset for one in found], at) == ([2], 3)


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_what_unpacks_to_too_much_is_told_and_not_unpacked(codec: int) -> None:
    bomb = batch([Bad(b"k", b"0" * LARGEST_UNPACKED)], codec)

    found, at = read(bomb + moved(batch(GOOD), 1))

    told = found[0].checksum
    assert isinstance(told, Broken)
    assert (told.length, found[0].value, found[0].key) == (len(bomb), bomb[: 1024 * 1024], None)
    assert [one.offset for one in found] == [0, 1, 2, 3]
    assert at == 4


def test_a_batch_with_a_wrong_checksum_is_fetched_again_and_then_told() -> None:
    data = batch(GOOD)
    wrong = data[:-1] + bytes([data[-1] ^ 1])

    assert read(wrong) == ([], 0)
    (told,), at = read_on(wrong)
    assert told.checksum.why == "the checksum is wrong"
    assert at == 3


def test_names_of_headers_that_are_not_utf_8_do_no_harm() -> None:
    data = batch([Bad(b"k", b"v", [("name", b"1"), ("other", None)]), *GOOD])

    found, at = read(with_checksum(data.replace(b"name", b"na\xffe")))

    assert found[0].headers == (("na\\xffe", b"1"), ("other", None))
    assert [one.value for one in found[1:]] == [one.value for one in GOOD]
    assert at == 4


@pytest.mark.parametrize("milliseconds", [-1, -(2**62), 2**62])
def test_no_time_is_one_that_cannot_be(milliseconds: int) -> None:
    data = bytearray(batch(GOOD[:1]))
    data[27:35] = milliseconds.to_bytes(8, "big", signed=True)

    (found,), _ = read(with_checksum(bytes(data)))

    assert 0 <= found.timestamp <= 32_503_680_000_000


@pytest.mark.parametrize("seed", range(300))
def test_reading_goes_on_behind_any_damage(seed: int) -> None:
    random = Random(seed)
    data = bytearray(batch([bad(random) for _ in range(3)], random.randrange(5)))
    for _ in range(random.choice((1, 1, 3, 20))):
        # Not the length, by which the next batch is found.
        place = random.choice([*range(8), *range(12, len(data))])
        data[place] = random.randrange(256)
    data[:8] = bytes(8)
    damaged = with_checksum(bytes(data)) if random.random() < 0.7 and data[16] == 2 else bytes(data)

    found, at = read_on(damaged)

    assert at > 0
    offsets = [one.offset for one in found]
    assert offsets == sorted(set(offsets))
    assert all(offset < at for offset in offsets)


@pytest.mark.parametrize("seed", range(50))
def test_reading_goes_on_behind_any_bytes(seed: int) -> None:
    random = Random(seed)

    _, at = read_on(random.randbytes(random.randrange(1, 200)))

    assert at > 0
