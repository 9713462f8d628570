"""No input from any topic ends or stops a worker, ever."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.stream.kafka import connection
from app.stream.partition import partition_for
from tests.support.flow import CREATE_JOB, PARTITIONS, booking, event, flow_on, simulated
from tests.support.garbage import Bad, bad, batch, row, send_batch, with_checksum
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.flow import Flow

ROUNDS = 150
LARGE = 3 * 1024 * 1024


@asynccontextmanager
async def producer(flow: Flow, codec: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        **connection(flow.settings), compression_type=codec, max_request_size=2**26, max_batch_size=2**26
    ) as made:
        yield made


async def goes_on(flow: Flow, name: str) -> None:
    """Every partition is worked."""
    for partition in range(PARTITIONS):
        ids = (f"{name}-{number}" for number in range(100))
        good = next(one for one in ids if partition_for(one.encode(), PARTITIONS) == partition)
        await flow.send("created", good)
        await flow.view(good, state="active")


async def test_what_does_not_fit_stands_cut_on_the_dead_letter_topic(flow: Flow) -> None:
    huge = event("created", "huge", booking(note="x" * LARGE))
    async with producer(flow, "gzip") as zipped:
        await zipped.send_and_wait(
            flow.topics.booking_events.name, huge, key=b"huge", headers=[("mine", b"1")]
        )
    await flow.send_raw(
        b"many", event("created", "many", booking()), headers={f"h{n}": b"" for n in range(2000)}
    )
    (letter,) = await flow.dead("huge")
    assert letter.headers["x-reason"] == b"too-large"
    assert letter.value == huge[: 1024 * 1024]
    assert letter.headers["x-length"] == b"%d" % len(huge)
    assert letter.headers["x-sha256"].decode() == hashlib.sha256(huge).hexdigest()
    assert letter.headers["mine"] == b"1"
    assert letter.headers["x-original-topic"].decode() == flow.topics.booking_events.name
    (whole,) = await flow.dead("many")
    assert whole.headers["x-reason"] == b"too-large"
    assert len([name for name in whole.headers if name.startswith("h")]) == 2000
    await goes_on(flow, "good")


async def test_a_producers_headers_of_our_names_are_not_taken_for_ours(flow: Flow) -> None:
    flow.fault("error_before", CREATE_JOB, count=1)
    headers = {"x-kind": b"expire", "X-Turn": b"9", "x-http-status": b"200", "x-mine": b"1"}
    await flow.send_raw(b"b-1", event("created", "b-1", booking()), headers=headers)
    await flow.view("b-1", state="active")
    timer = flow.timers("b-1")[0]
    assert {name for name in timer.headers if name.startswith(("x-", "X-"))} == {
        "x-attempt",
        "x-due",
        "x-turn",
        "x-mine",
    }
    await flow.send_raw(b"b-2", event("cancelled", "b-2", {}), headers=headers)
    (letter,) = await flow.dead("b-2")
    assert letter.headers["x-mine"] == b"1"
    assert not {"x-kind", "X-Turn", "x-http-status"} & letter.headers.keys()


async def test_batches_that_cannot_be_read_are_dead_letters_and_passed_over(flow: Flow) -> None:
    topic = flow.topics.booking_events.name
    odd = batch([Bad(b"odd", event("created", "odd", booking()), [("name", b"1")])])
    bomb = batch([Bad(b"bomb", b"0" * 2**25)], 1)
    partition = partition_for(b"odd", PARTITIONS)
    async with producer(flow) as raw:
        await send_batch(raw, topic, partition, with_checksum(odd.replace(b"name", b"\xff\xfe12")))
        await send_batch(raw, topic, partition, bomb)
    await flow.view("odd", state="active")
    dead = flow.topics.dead_letter.name
    await flow.until(lambda: flow.of(dead))
    (letter,) = flow.of(dead)
    assert letter.key is None
    assert letter.headers["x-reason"] == b"unreadable"
    assert b"unpacks to more than" in letter.headers["x-detail"]
    assert int(letter.headers["x-length"]) == len(letter.value or b"")
    await goes_on(flow, "good")


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_input_from_any_topic_ends_or_stops_a_worker(
    kafka: str, unique_prefix: str, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as flow,
        producer(flow) as raw,
    ):
        for changelog in flow.topics.changelogs:
            for _ in range(20):
                key = random.choice((b"b-1", b"b/b-1", b"b-1/q0", b"__faust\0offset__", random.randbytes(5)))
                await raw.send(changelog.name, row(random), key=key, partition=random.randrange(PARTITIONS))
        await raw.flush()
        async with worker_here(flow.settings) as app:
            await flow.send("created", "b-1")
            read = (flow.topics.booking_events, flow.topics.signals, flow.topics.customer_requests)
            topics = (*read, flow.topics.webhooks, *flow.topics.retry, flow.topics.dead_letter)
            for _ in range(ROUNDS):
                topic, partition = random.choice(topics).name, random.randrange(PARTITIONS)
                if random.random() < 0.3:
                    await damaged(raw, random, topic, partition)
                    continue
                one = bad(random)
                await flow.send_record(topic, one, partition)
            await goes_on(flow, "good")
            await flow.until(lambda: not any(app.readable().values()))
            assert app.gave_up is None


async def damaged(raw: AIOKafkaProducer, random: Random, topic: str, partition: int) -> None:
    """A batch with something wrong in it; the broker will not have all of them."""
    data = bytearray(batch([bad(random) for _ in range(3)], random.randrange(5)))
    for _ in range(random.choice((1, 3))):
        data[random.randrange(61, len(data))] = random.randrange(256)
    try:
        await send_batch(raw, topic, partition, with_checksum(bytes(data)))
    except KafkaError:
        return
