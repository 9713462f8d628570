"""Topics in Kafka: created when missing, checked when there, never changed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from app.stream.topology import Topic, Topics, TopicsWrong

_LEADER_SECONDS = 30
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """What `ensure` found: the topics with retry topics of earlier delays, and the names it created.

    `cluster` is Kafka's id of the cluster.
    """

    topics: Topics
    created: tuple[str, ...]
    cluster: str


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as it is in Kafka."""

    partitions: int
    config: Mapping[str, str]


async def ensure(topics: Topics, arguments: dict[str, Any], *, create: bool = True) -> Found:
    """Creates the topics that are missing and checks those that are there.

    `arguments` are those of `app.stream.kafka.connection`. Nothing is created while anything is wrong. Raises
    `TopicsWrong` with a line for each topic whose partitions or configuration differ, that could not be
    created or, without `create`, is missing. Returns when every partition has a leader.
    """
    async with _admin(arguments) as admin:
        names = set(await admin.list_topics())
        topics = topics.with_earlier(names)
        missing = [topic for topic in topics if topic.name not in names]
        wrong = await _check(admin, [topic for topic in topics if topic.name in names], arguments)
        if missing and not create:
            wrong += [f"{topic.name}: missing; to create it: servicetitan-stream topics" for topic in missing]
        if wrong:
            raise TopicsWrong(wrong)
        created = await _create(admin, missing)
        await _leaders(admin, [topic.name for topic in topics])
        # Another worker that starts at the same time may have been faster, with other settings.
        if wrong := await _check(admin, [topic for topic in missing if topic.name not in created], arguments):
            raise TopicsWrong(wrong)
        cluster = str((await admin.describe_cluster())["cluster_id"])
    return Found(topics, created, cluster)


def with_other_partitions(
    topics: Topics, found: Mapping[str, int], arguments: Mapping[str, Any]
) -> TopicsWrong | None:
    """What to do about topics whose number of partitions is not theirs any more, None when there are none.

    `found` has the numbers of those that were found.
    """
    lines = [
        line
        for topic in topics
        if found.get(topic.name, topic.partitions) != topic.partitions
        for line in _wrong(topic, Existing(found[topic.name], topic.must_be), min(found.values()), arguments)
    ]
    return TopicsWrong(lines) if lines else None


def differences(topic: Topic, existing: Existing) -> Iterator[str]:
    """What of an existing topic is not as it must be, each as `name is x, not y`."""
    if existing.partitions != topic.partitions:
        yield f"partitions is {existing.partitions}, not {topic.partitions}"
    for name, value in topic.must_be.items():
        if existing.config.get(name) != value:
            yield f"{name} is {existing.config.get(name)}, not {value}"


async def _check(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], arguments: Mapping[str, Any]
) -> list[str]:
    existing = await _existing(admin, topics)
    least = min((found.partitions for found in existing.values()), default=0)
    return [line for topic in topics for line in _wrong(topic, existing[topic.name], least, arguments)]


def _wrong(topic: Topic, found: Existing, least: int, arguments: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong and what to do; `least` is the number of partitions that none of the topics is below."""
    if not (differing := list(differences(topic, found))):
        return
    server = arguments["bootstrap_servers"][0]
    if found.partitions == topic.partitions:
        config = ",".join(f"{name}={value}" for name, value in topic.must_be.items())
        fix = (
            f"kafka-configs.sh --bootstrap-server {server} --alter --topic {topic.name} --add-config {config}"
        )
    elif found.partitions == least:
        fix = (
            "partitions are fixed for the life of a prefix: "
            f"set TOPIC_PARTITIONS={least} or a new TOPIC_PREFIX"
        )
    elif topic.retention is None:
        fix = (
            f"other topics have {least}, and partitions cannot be taken away: "
            f"restore it with {least} partitions from a copy, or begin anew with another TOPIC_PREFIX"
        )
    else:
        fix = (
            f"other topics have {least}, and partitions cannot be taken away: stop what writes to it, copy "
            f"what it holds (partitions below {least} first), kafka-topics.sh --bootstrap-server {server} "
            f"--delete --topic {topic.name}, servicetitan-stream topics, then send the copy by key: what was "
            "worked before is known again"
        )
    yield f"{topic.name}: {', '.join(differing)}; to put it right: {fix}"


async def _create(admin: AIOKafkaAdminClient, missing: Sequence[Topic]) -> tuple[str, ...]:
    """The names that were created; those that exist meanwhile are left out."""
    new = [
        NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=topic.config)
        for topic in missing
    ]
    if not new:
        return ()
    answer = (await admin.create_topics(new)).to_object()
    failed = {error["topic"]: error for error in answer["topic_errors"] if error["error_code"]}
    wrong = [
        error for error in failed.values() if for_code(error["error_code"]) is not TopicAlreadyExistsError
    ]
    if wrong:
        raise TopicsWrong(
            f"{error['topic']}: it could not be created: "
            f"{' '.join((error.get('error_message') or for_code(error['error_code']).__name__).split())}"
            for error in wrong
        )
    return tuple(topic.name for topic in missing if topic.name not in failed)


async def _leaders(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Waits until every partition can be written and read: a new topic's partitions need a moment."""
    deadline = time.monotonic() + _LEADER_SECONDS
    while waiting := [topic["topic"] for topic in await admin.describe_topics(names) if not _is_led(topic)]:
        if time.monotonic() > deadline:
            raise TopicsWrong(
                f"{name}: a partition is without a leader; look at the brokers" for name in waiting
            )
        await asyncio.sleep(_PAUSE_SECONDS)


def _is_led(topic: Mapping[str, Any]) -> bool:
    partitions = topic["partitions"]
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


async def _existing(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, Existing]:
    if not topics:
        return {}
    partitions = await _partitions(admin, topics)
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys(topic.must_be)) for topic in topics
    ]
    return {
        resource["resource_name"]: Existing(
            partitions[resource["resource_name"]],
            {entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]},
        )
        for response in await admin.describe_configs(resources)
        for resource in response.to_object()["resources"]
    }


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, int]:
    return {
        described["topic"]: len(described["partitions"])
        for described in await admin.describe_topics([topic.name for topic in topics])
    }


@asynccontextmanager
async def _admin(arguments: dict[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
