from __future__ import annotations

from tests.support.topics import ToSend, committed, consume_until, create_topics, produce, read_all


async def test_what_is_produced_is_read_back_in_order(kafka: str, unique_prefix: str) -> None:
    topic = f"{unique_prefix}events"
    await create_topics(kafka, topic, partitions=4, config={"cleanup.policy": "compact"})
    placed = await produce(
        kafka,
        topic,
        [ToSend(f"key-{n}".encode(), f"{n}".encode(), {"x-attempt": b"1"}) for n in range(100)]
        + [ToSend(b"key-0", None, partition=3)],
    )
    came = await consume_until(kafka, topic, lambda records: len(records) == 101)
    assert sorted((one.partition, one.offset) for one in came) == sorted(placed)
    assert came[0].headers in ({"x-attempt": b"1"}, {})
    assert await read_all(kafka, topic) != []
    assert await committed(kafka, f"{unique_prefix}group", topic) == {}
