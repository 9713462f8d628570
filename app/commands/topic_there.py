"""A topic that a command is about to use is there, as it must be: aiokafka's clients would wait for ever."""

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from app.stream.topology import Topic, TopicsWrong


async def require_topic(topic: Topic, arguments: Mapping[str, Any]) -> None:
    """Returns when the topic is there with its partitions, else raises `TopicsWrong` with what to do."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        (found,) = await admin.describe_topics([topic.name])
    finally:
        await admin.close()
    partitions = len(found["partitions"])
    if found["error_code"] != 0:
        raise TopicsWrong([f"{topic.name}: missing; to create it: servicetitan-stream topics"])
    if partitions != topic.partitions:
        raise TopicsWrong(
            [f"{topic.name}: partitions is {partitions}, not {topic.partitions}; set TOPIC_PARTITIONS to it"]
        )
