"""Topics on a real Kafka: created, found right, refused when they differ; and the wait for Kafka itself."""

import asyncio
import socket

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.settings import Settings, load
from app.stream.kafka import KafkaAway, connection, wait_for_kafka
from app.stream.partition import partition_for
from app.stream.provision import ensure, with_other_partitions
from app.stream.topology import TopicsWrong, topics
from tests.support.topics import ToSend, create_topics, produce


def settings(servers: str, prefix: str, **environ: str) -> Settings:
    return load(
        {"KAFKA_BOOTSTRAP_SERVERS": servers, "TOPIC_PREFIX": prefix, "TOPIC_PARTITIONS": "3", **environ}
    )


async def refused(asked: Settings, *, create: bool = True) -> tuple[str, ...]:
    with pytest.raises(TopicsWrong) as caught:
        await ensure(topics(asked), connection(asked), create=create)
    return caught.value.lines


async def names(servers: str, prefix: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    found = {name for name in await admin.list_topics() if name.startswith(prefix)}
    await admin.close()
    return found


async def test_missing_topics_are_created_and_found_right_the_next_time(
    kafka: str, unique_prefix: str
) -> None:
    asked = settings(kafka, unique_prefix)
    first = await ensure(topics(asked), connection(asked))
    assert set(first.created) == {topic.name for topic in topics(asked)} == await names(kafka, unique_prefix)
    second = await ensure(topics(asked), connection(asked), create=False)
    assert second.created == ()
    assert second.topics == topics(asked)


async def test_a_topic_has_the_configuration_it_was_declared_with(kafka: str, unique_prefix: str) -> None:
    asked = settings(kafka, unique_prefix)
    await ensure(topics(asked), connection(asked))
    changelog = topics(asked).changelog("bookings")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, changelog.name, dict.fromkeys(changelog.config))
    (answer,) = await admin.describe_configs([resource])
    await admin.close()
    entries = answer.to_object()["resources"][0]["config_entries"]
    assert {entry["config_names"]: entry["config_value"] for entry in entries} == changelog.config


async def test_two_workers_that_start_at_once_both_find_their_topics(kafka: str, unique_prefix: str) -> None:
    asked = settings(kafka, unique_prefix)
    found = await asyncio.gather(*(ensure(topics(asked), connection(asked)) for _ in range(3)))
    assert [each.topics for each in found] == [topics(asked)] * 3


async def test_a_check_names_what_is_missing_and_creates_nothing(kafka: str, unique_prefix: str) -> None:
    lines = await refused(settings(kafka, unique_prefix), create=False)
    assert len(lines) == len(list(topics(settings(kafka, unique_prefix))))
    assert all("missing" in line and "servicetitan-stream topics" in line for line in lines)
    assert await names(kafka, unique_prefix) == set()


async def test_other_partitions_are_refused_with_what_to_set(kafka: str, unique_prefix: str) -> None:
    name = f"{unique_prefix}servicetitan-stream-bookings-changelog"
    asked = settings(kafka, unique_prefix)
    await create_topics(kafka, name, partitions=2, config=topics(asked).changelog("bookings").config)
    (line,) = await refused(asked)
    assert line.startswith(f"{name}: partitions is 2, not 3")
    assert "TOPIC_PARTITIONS=2" in line
    assert await names(kafka, unique_prefix) == {name}, "nothing is created beside what is wrong"


async def test_partitions_that_were_raised_are_seen_with_advice_that_does_not_go_in_a_circle(
    kafka: str, unique_prefix: str
) -> None:
    asked = settings(kafka, unique_prefix)
    await ensure(topics(asked), connection(asked))
    grown, kept = topics(asked).booking_events.name, topics(asked).jobs.name
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_partitions({name: NewPartitions(total_count=5) for name in (grown, kept)})
    async with asyncio.timeout(30):
        while any(len(each["partitions"]) < 5 for each in await admin.describe_topics([grown, kept])):
            await asyncio.sleep(0.05)
    await admin.close()
    had = {topic.name: topic.partitions for topic in topics(asked)}
    assert with_other_partitions(topics(asked), had, connection(asked)) is None
    wrong = with_other_partitions(topics(asked), {**had, grown: 5, kept: 5}, connection(asked))
    assert wrong is not None
    assert wrong.lines == await refused(asked)
    events, jobs = wrong.lines
    assert events.startswith(f"{grown}: partitions is 5, not 3")
    assert f"--delete --topic {grown}" in events
    assert "--delete" not in jobs, "what is compacted is nowhere else"
    # Whoever follows the grown topic is sent back to the others' number, and from there no further.
    lines = await refused(settings(kafka, unique_prefix, TOPIC_PARTITIONS="5"))
    assert all("TOPIC_PARTITIONS=3" in line for line in lines)
    assert not any("TOPIC_PARTITIONS=5" in line for line in (*lines, *wrong.lines))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"retention.ms": "60000"}, "retention.ms is 60000, not 604800000"),
        ({"cleanup.policy": "compact"}, "cleanup.policy is compact, not delete"),
        ({"max.message.bytes": "1000"}, "max.message.bytes is 1000, not 1048576"),
    ],
)
async def test_another_configuration_is_refused_with_the_command_that_puts_it_right(
    kafka: str, unique_prefix: str, config: dict[str, str], said: str
) -> None:
    asked = settings(kafka, unique_prefix)
    events = topics(asked).booking_events
    await create_topics(kafka, events.name, partitions=3, config={**events.config, **config})
    (line,) = await refused(asked)
    assert said in line
    assert f"kafka-configs.sh --bootstrap-server {kafka} --alter --topic {events.name} --add-config" in line


async def test_retry_topics_of_earlier_delays_are_found_and_checked(kafka: str, unique_prefix: str) -> None:
    before = settings(kafka, unique_prefix, RETRY_DELAYS="7,9")
    await ensure(topics(before), connection(before))
    after = settings(kafka, unique_prefix, RETRY_DELAYS="9,11")
    found = await ensure(topics(after), connection(after))
    assert [topic.delay for topic in found.topics.retry_read] == [9, 11, 7]
    assert found.created == (f"{unique_prefix}booking-events-retry-11s",)


async def test_more_copies_than_brokers_are_refused_by_name(kafka: str, unique_prefix: str) -> None:
    lines = await refused(settings(kafka, unique_prefix, TOPIC_REPLICATION_FACTOR="99"))
    assert all("could not be created" in line and "\n" not in line for line in lines)


async def test_the_partition_is_the_one_a_producer_chooses(kafka: str, unique_prefix: str) -> None:
    asked = settings(kafka, unique_prefix)
    name = (await ensure(topics(asked), connection(asked))).topics.booking_events.name
    keys = [f"booking-{number}".encode() for number in range(50)]
    sent = await produce(kafka, name, [ToSend(key, b"{}") for key in keys])
    assert [partition for partition, _ in sent] == [partition_for(key, 3) for key in keys]


async def test_kafka_that_answers_is_not_waited_for(kafka: str) -> None:
    said: list[str] = []
    await wait_for_kafka(connection(settings(kafka, "")), seconds=30, say=said.append)
    assert said == []


async def test_one_broker_of_several_is_enough(kafka: str) -> None:
    said: list[str] = []
    await wait_for_kafka(connection(settings(f"{closed_port()},{kafka}", "")), seconds=30, say=said.append)
    assert said == []


async def test_kafka_away_is_said_once_and_given_up_after_the_time() -> None:
    ticks = iter([0.0, 1.0, 2.0, 31.0])
    said: list[str] = []
    away = closed_port()
    with pytest.raises(KafkaAway) as caught:
        await wait_for_kafka(
            connection(settings(away, "")), seconds=30, say=said.append, clock=lambda: next(ticks)
        )
    assert said == [f"waiting up to 30 s for Kafka at {away}"]
    assert away in str(caught.value)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(caught.value)
    assert "\n" not in str(caught.value)


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
