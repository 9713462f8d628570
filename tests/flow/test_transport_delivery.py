"""Messages to handlers, on a real Kafka: order, acknowledgement, holding back, draining."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import ConnectionGroup
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from mode import Service

from app.local.kafka import SHORT_LIVED, LocalKafka
from app.stream.errors import NotMine
from app.stream.ledger import Room
from app.stream.sender import Outgoing
from tests.support.stream_bench import PARTITIONS, StreamBench, stream_bench, until
from tests.support.topics import PATIENCE_SECONDS, ToSend, commit, consume_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.stream.dispatcher import Handler
    from app.stream.faust_app import StreamApp
    from app.stream.message import Message


@pytest.fixture
async def bench(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[StreamBench]:
    async with stream_bench(kafka, unique_prefix, tmp_path) as made:
        yield made


async def test_a_message_comes_as_it_is_and_is_committed(bench: StreamBench) -> None:
    await bench.topics("in")
    app = bench.app()
    seen: list[Message] = []
    app.source(bench.topic("in"), collect(seen))
    before = time.time()
    placed = await bench.send(
        "in", [ToSend(b"a", b"{not json", {"ce_id": b"1"}), ToSend(None, b"x", {"empty": None}, partition=2)]
    )
    placed += await bench.send("in", [ToSend(b"a", None)])
    await bench.start(app)
    await until(lambda: len(seen) == 3)
    await bench.until_committed("in")
    assert {(one.partition, one.offset) for one in seen} == set(placed)
    assert {(one.key, one.value) for one in seen} == {(b"a", b"{not json"), (None, b"x"), (b"a", None)}
    first = next(one for one in seen if one.value == b"{not json")
    assert first.headers == (("ce_id", b"1"),)
    without = next(one for one in seen if one.value == b"x")
    assert without.headers == (("empty", b""),)
    assert first.topic == bench.topic("in")
    assert abs(first.timestamp - before) < 60
    assert app.lag() == dict.fromkeys(app.consumer.ledgers, 0)


async def test_a_log_that_was_cut_is_committed_only_as_far_as_it_is_worked(bench: StreamBench) -> None:
    await bench.topics("in")
    await commit(bench.servers, bench.group, bench.topic("in"), {0: 1_000})
    app, seen, may_end = bench.app(), [], asyncio.Event()

    async def work(message: Message) -> None:
        seen.append(message.value)
        if message.value == b"2":
            await may_end.wait()

    app.source(bench.topic("in"), work)
    await bench.send("in", [ToSend(b"k", b"%d" % number, partition=0) for number in range(3)])
    await bench.start(app)
    await until(lambda: len(seen) == 3)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await bench.commits("in"))[0] == 1_000:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    assert await bench.commits("in") == {0: 2}
    may_end.set()
    await bench.until_committed("in")


async def test_what_is_published_stands_in_the_log_when_it_returns(bench: StreamBench) -> None:
    await bench.topics("in", "out")
    app = bench.app()
    app.source(bench.topic("in"), collect([]))
    await bench.start(app)
    out = bench.topic("out")
    one = await app.publish(out, b"k", b"v", [("h", b"1")], partition=3, timestamp=1_700_000_000.0)
    two = await app.publish(out, None, None, [("h", b"2")], partition=3, timestamp=1_700_000_001.0)
    rest = await app.publish_all([Outgoing(out, b"k", b"%d" % n, partition=3) for n in range(50)])
    assert (one.partition, one.offset, two.offset) == (3, 0, 1)
    assert [record.offset for record in rest] == list(range(2, 52))
    read = await consume_until(bench.servers, out, lambda records: len(records) == 52)
    assert [(r.key, r.value, dict(r.headers), r.timestamp) for r in read[:2]] == [
        (b"k", b"v", {"h": b"1"}, 1_700_000_000_000),
        (None, None, {"h": b"2"}, 1_700_000_001_000),
    ]


async def test_a_key_keeps_its_order_and_never_runs_twice_at_once(bench: StreamBench) -> None:
    await bench.topics("events", "signals")
    app = bench.app()
    order: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    running: set[bytes] = set()
    most = 0

    async def handle(message: Message) -> None:
        nonlocal most
        key = message.key or b""
        assert key not in running
        running.add(key)
        most = max(most, len(running))
        await asyncio.sleep(0.001 * (message.offset % 5))
        order[key].append((message.topic, message.offset))
        running.discard(key)

    app.source(bench.topic("events"), handle)
    app.source(bench.topic("signals"), handle)
    keys = [f"key-{n % 20}" for n in range(600)]
    await bench.send_keyed("events", keys)
    await bench.send_keyed("signals", keys)
    await bench.start(app)
    await until(lambda: sum(map(len, order.values())) == 1200)
    for worked in order.values():
        for topic in ("events", "signals"):
            offsets = [offset for name, offset in worked if name == bench.topic(topic)]
            assert offsets == sorted(offsets)
    assert most > 1
    assert app.gave_up is None


async def test_commits_wait_for_the_head(bench: StreamBench) -> None:
    await bench.topics("in")
    app, let_go = bench.app(), asyncio.Event()
    done: set[int] = set()

    async def handle(message: Message) -> None:
        if message.offset == 3:
            await let_go.wait()
        done.add(message.offset)

    app.source(bench.topic("in"), handle)
    await bench.send("in", [ToSend(b"%d" % n, b"", partition=1) for n in range(50)])
    await bench.start(app)
    await until(lambda: len(done) == 49)
    async with asyncio.timeout(30):
        while await bench.commits("in") != {1: 3}:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # five more commits would have been made by now
    assert await bench.commits("in") == {1: 3}
    assert app.oldest_head_age() > 0.4
    let_go.set()
    await bench.until_committed("in")
    await until(lambda: app.commit_age() == 0)


async def test_a_delayed_message_waits_and_stands_in_nobodys_way(bench: StreamBench) -> None:
    await bench.topics("in", "retry")
    app = bench.app()
    live: list[Message] = []
    late: list[float] = []

    async def retried(message: Message) -> None:
        late.append(time.time() - message.timestamp)

    app.source(bench.topic("in"), collect(live))
    app.source(bench.topic("retry"), retried, delay=4.0)
    await bench.start(app)
    await bench.send_keyed("retry", [f"key-{n}" for n in range(2_000)])
    await bench.send_keyed("in", [f"key-{n}" for n in range(500)])
    await until(lambda: len(live) == 500)
    assert late == []
    assert app.unfinished() == 0
    await until(lambda: len(late) == 2_000)
    assert min(late) >= 3.99
    await bench.until_committed("retry")


async def test_memory_is_bounded_while_handlers_wait(bench: StreamBench) -> None:
    await bench.topics("in")
    app, let_go, done = bench.app(room=Room(unfinished=50, window=200)), asyncio.Event(), 0

    async def handle(_message: Message) -> None:
        nonlocal done
        await let_go.wait()
        done += 1

    app.source(bench.topic("in"), handle)
    await bench.send_keyed("in", [f"key-{n}" for n in range(6_000)])
    await bench.start(app)
    await until(lambda: app.unfinished() >= 50 * PARTITIONS)
    await asyncio.sleep(0.5)  # it would fetch on by now
    # What one fetch brings (200 records) may come on top for each partition.
    assert app.unfinished() <= (50 + 200) * PARTITIONS
    assert sum(app.lag().values()) == 6_000
    let_go.set()
    await until(lambda: done == 6_000)
    await bench.until_committed("in")


async def test_what_is_due_at_once_is_let_in_a_little_at_a_time(bench: StreamBench) -> None:
    await bench.topics("in", "retry")
    app, let_go, done = bench.app(), asyncio.Event(), 0

    async def handle(_message: Message) -> None:
        nonlocal done
        await let_go.wait()
        done += 1

    app.source(bench.topic("in"), handle)
    app.source(bench.topic("retry"), handle, delay=0.1)
    await bench.send_keyed("retry", [f"key-{n}" for n in range(3_000)])
    await bench.start(app)
    await until(lambda: app.unfinished() >= 50 * PARTITIONS)
    await asyncio.sleep(0.5)  # more would be let in by now
    assert app.unfinished() < 2 * 50 * PARTITIONS
    let_go.set()
    await until(lambda: done == 3_000)
    await bench.until_committed("retry")


async def test_a_paused_topic_is_not_fetched(bench: StreamBench) -> None:
    await bench.topics("in", "other")
    app = bench.app()
    held: list[Message] = []
    others: list[Message] = []
    app.source(bench.topic("in"), collect(held))
    app.source(bench.topic("other"), collect(others))
    app.pause_topic(bench.topic("in"))
    await bench.start(app)
    await bench.send_keyed("in", ["a", "b"])
    await bench.send_keyed("other", ["a", "b"])
    await until(lambda: len(others) == 2)
    assert held == []
    app.resume_topic(bench.topic("in"))
    await until(lambda: len(held) == 2)


async def test_stop_finishes_and_commits_what_runs(bench: StreamBench) -> None:
    await bench.topics("in")
    app = bench.app()
    began: set[tuple[int, int]] = set()
    ended: set[tuple[int, int]] = set()

    async def handle(message: Message) -> None:
        began.add((message.partition, message.offset))
        await asyncio.sleep(0.3)
        ended.add((message.partition, message.offset))

    app.source(bench.topic("in"), handle)
    await bench.send_keyed("in", [f"key-{n % 30}" for n in range(300)])
    await bench.start(app)
    await until(lambda: len(began) >= 40)
    await app.stop()
    assert began == ended
    assert len(ended) < 300
    commits = await bench.commits("in")
    assert sum(commits.values()) > 0
    assert all((p, offset) in ended for p, upto in commits.items() for offset in range(upto))
    assert app.dispatcher.progress.cancelled == 0


async def test_stop_cuts_what_runs_longer_than_the_limit(bench: StreamBench) -> None:
    await bench.topics("in")
    app, began = bench.app(drain_limit=0.2), asyncio.Event()
    cut: list[int] = []

    async def handle(message: Message) -> None:
        began.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cut.append(message.offset)
            raise

    app.source(bench.topic("in"), handle)
    await bench.send_keyed("in", ["a"])
    await bench.start(app)
    await began.wait()
    await app.stop()
    assert cut == [0]
    assert await bench.commits("in") == {}
    assert app.gave_up is None


async def test_a_failed_handler_ends_the_worker_after_the_others_are_committed(bench: StreamBench) -> None:
    await bench.topics("in")
    app = bench.app()
    others: list[Message] = []

    async def handle(message: Message) -> None:
        if message.key == b"bad":
            await until(lambda: len(others) == 20)
            raise ValueError("not expected")
        others.append(message)

    app.source(bench.topic("in"), handle)
    await bench.send("in", [ToSend(b"good", b"", partition=0) for _ in range(20)])
    await bench.send("in", [ToSend(b"bad", b"", partition=1) for _ in range(2)])
    await bench.start(app)
    await until(lambda: app.should_stop)
    assert app.gave_up is not None
    assert "not expected" in app.gave_up
    await app.stop()
    assert await bench.commits("in") == {0: 20}


async def test_a_worker_that_cannot_join_its_group_ends_with_the_reason(bench: StreamBench) -> None:
    """A foreign member with another way to assign: the broker refuses whoever comes after it."""
    await bench.topics("in")
    foreign = AIOKafkaConsumer(
        bench.topic("in"),
        bootstrap_servers=bench.servers,
        group_id=bench.group,
        partition_assignment_strategy=[RangePartitionAssignor],
    )
    await foreign.start()
    bench.apps.push_async_callback(foreign.stop)
    app = bench.app()

    async def handle(_: Message) -> None:
        """Nothing comes."""

    app.source(bench.topic("in"), handle)
    app.guard(guard := Service())
    app.finalize()
    starting = asyncio.create_task(app.start())
    await until(lambda: app.should_stop)
    assert guard.started
    assert app.gave_up is not None
    assert "cannot be in its group: InconsistentGroupProtocolError" in app.gave_up
    await app.stop()
    await asyncio.gather(starting, return_exceptions=True)


async def test_two_apps_share_the_work_and_hand_over_without_overlap(bench: StreamBench) -> None:
    await bench.topics("in")
    running: set[bytes] = set()
    order: dict[bytes, list[int]] = defaultdict(list)
    overlaps: list[bytes] = []
    apps = [bench.app("one"), bench.app("two")]
    changes: list[tuple[int, str, frozenset[int]]] = []

    async def handle(message: Message) -> None:
        key = message.key or b""
        overlaps.extend([key] if key in running else [])
        running.add(key)
        await asyncio.sleep(0.05)
        order[key].append(int(message.value or b""))
        running.discard(key)

    for number, app in enumerate(apps):
        app.source(bench.topic("in"), handle)
        app.owned_table("rows")
        watch(app, number, changes)
    total = 3_000
    await bench.send_keyed("in", [f"key-{n % 40}" for n in range(total)])
    await bench.start(apps[0])
    await until(lambda: sum(map(len, order.values())) > 100)
    await bench.start(apps[1])
    await until(lambda: [len(app.owned_partitions) for app in apps] == [PARTITIONS // 2] * 2)
    assert apps[0].owned_partitions | apps[1].owned_partitions == set(range(PARTITIONS))
    assert [app.members for app in apps] == [2, 2]
    done = sum(map(len, order.values()))
    await until(lambda: sum(map(len, order.values())) > done + 200)
    await apps[1].stop()
    await until(lambda: len(apps[0].owned_partitions) == PARTITIONS)
    await until(lambda: sum(map(len, order.values())) >= total)
    await bench.until_committed("in")
    assert overlaps == []
    # Nothing was cut, so nothing came twice and each key's messages came in their order.
    assert all(values == sorted(set(values)) for values in order.values())
    assert sum(map(len, order.values())) == total
    first = [(what, len(owned)) for number, what, owned in changes if number == 0]
    assert first == [
        ("assigned", PARTITIONS),
        ("revoked", 0),
        ("assigned", PARTITIONS // 2),
        ("revoked", 0),
        ("assigned", PARTITIONS),
    ]
    assert apps[0].epoch == 3


async def test_a_worker_without_partitions_is_ready_and_idle(bench: StreamBench) -> None:
    await bench.topics("in")
    apps = [bench.app(str(n)) for n in range(PARTITIONS + 1)]
    for app in apps:
        app.source(bench.topic("in"), collect([]))
        app.owned_table("rows")
        await bench.start(app)
    await until(lambda: sum(len(app.owned_partitions) for app in apps) == PARTITIONS)
    await until(lambda: not any(app.recovering for app in apps))
    assert sorted(len(app.owned_partitions) for app in apps) == [0] + [1] * PARTITIONS
    idle = next(app for app in apps if not app.owned_partitions)
    assert not idle.still_mine(0)
    with pytest.raises(NotMine):
        await idle.ensure_mine(0)


def collect(into: list[Message]) -> Handler:
    async def handle(message: Message) -> None:
        into.append(message)

    return handle


def watch(app: StreamApp, number: int, changes: list[tuple[int, str, frozenset[int]]]) -> None:
    async def assigned() -> None:
        changes.append((number, "assigned", app.owned_partitions))

    async def revoked() -> None:
        changes.append((number, "revoked", app.owned_partitions))

    app.on_assigned(assigned)
    app.on_revoked(revoked)


async def test_what_is_opened_while_the_consumer_closes_is_closed_too(bench: StreamBench) -> None:
    await bench.topics("in")
    app = bench.app()
    app.source(bench.topic("in"), collect([]))
    await bench.start(app)
    thread = app.consumer._thread
    client = thread._ensure_consumer()._client

    async def asks_late() -> None:
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            (broker,) = client.cluster.brokers()
            assert await client.ready(broker.nodeId, group=ConnectionGroup.COORDINATION)

    asyncio.run_coroutine_threadsafe(asks_late(), thread.thread_loop)
    await app.stop()
    assert [conn for conn in client._conns.values() if conn.connected()] == []


async def test_a_worker_whose_broker_is_away_stops_to_the_end(unique_prefix: str, tmp_path: Path) -> None:
    with LocalKafka(java_options=SHORT_LIVED) as own:
        async with stream_bench(own.bootstrap_servers, unique_prefix, tmp_path / "bench") as bench:
            await bench.topics("in")
            app = bench.app(drain_limit=1.0)
            app.source(bench.topic("in"), collect([]))
            await bench.start(app)
            thread = app.consumer._thread
            consumer = thread._ensure_consumer()
            await asyncio.to_thread(own.kill)
            await until(lambda: not app.still_mine(0))
            # Its fetches fail by now, and each waits a little before the next.
            await app.stop()
            assert thread._thread is not None
            assert not thread._thread.is_alive()
            assert consumer._fetcher._closed
            assert [conn for conn in consumer._client._conns.values() if conn.connected()] == []
