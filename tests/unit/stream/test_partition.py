"""The partitioner against Kafka's own vectors and aiokafka's implementation."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from app.stream.partition import murmur2, partition_for


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_javas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32


@given(st.binary(max_size=200), st.integers(1, 1000))
def test_the_partition_is_the_one_aiokafka_produces_to(key: bytes, partitions: int) -> None:
    assert murmur2(key) == aiokafka_murmur2(key)
    choose = DefaultPartitioner()
    assert partition_for(key, partitions) == choose(key, list(range(partitions)), [])
