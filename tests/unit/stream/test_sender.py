from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from faust.exceptions import ProducerSendError
from faust.types import TP
from faust.types.tuples import RecordMetadata

from app.stream.errors import NotMine, WriteLost
from app.stream.ownership import Membership, Ownership, Work, current_work
from app.stream.sender import Outgoing, Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faust.types.transports import ProducerT


class FaultyProducer:
    """A producer whose broker answers each send with the next of the given faults (None: acknowledged)."""

    def __init__(self, *faults: Exception | None) -> None:
        self._faults = list(faults)
        self.log: list[bytes | None] = []

    async def send(
        self, topic: str, _key: bytes, value: bytes, *_rest: object
    ) -> asyncio.Future[RecordMetadata]:
        fault = self._faults.pop(0) if self._faults else None
        if isinstance(fault, ProducerSendError):
            raise fault
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if fault is not None:
            answer.set_exception(fault)
        else:
            self.log.append(value)
            answer.set_result(RecordMetadata(topic, 0, TP(topic, 0), len(self.log) - 1))
        return answer


@pytest.fixture
def ownership() -> Ownership:
    membership = Membership(1e9)
    membership.joined(1)
    membership.heartbeat_answered(0.0)
    made = Ownership(membership)
    made.take([0])
    return made


@pytest.fixture(autouse=True)
def no_work() -> Iterator[None]:
    token = current_work.set(None)
    yield
    current_work.reset(token)


def sender(producer: FaultyProducer, ownership: Ownership) -> Sender:
    return Sender(lambda: cast("ProducerT", producer), ownership)


def _not_queued(cause: Exception) -> ProducerSendError:
    wrapped = ProducerSendError("not queued")
    wrapped.__cause__ = cause
    return wrapped


def records(*values: bytes) -> list[Outgoing]:
    return [Outgoing("out", b"k", value) for value in values]


async def test_gives_where_each_record_stands(ownership: Ownership) -> None:
    producer = FaultyProducer()
    written = await sender(producer, ownership).send_all(records(b"1", b"2"))
    assert [(one.topic, one.partition, one.offset) for one in written] == [("out", 0, 0), ("out", 0, 1)]


async def test_what_was_not_taken_is_sent_again_with_all_behind_it(ownership: Ownership) -> None:
    producer = FaultyProducer(None, NotLeaderForPartitionError())
    sending = sender(producer, ownership)
    written = await sending.send_all(records(b"1", b"2", b"3"))
    # 3 had been taken, but must not stand before 2 for good.
    assert producer.log == [b"1", b"3", b"2", b"3"]
    assert [one.offset for one in written] == [0, 2, 3]
    assert sending.acknowledged == 3


async def test_a_send_that_cannot_even_be_queued_is_tried_again(ownership: Ownership) -> None:
    producer = FaultyProducer(_not_queued(KafkaTimeoutError()))
    await sender(producer, ownership).send(records(b"1")[0])
    assert producer.log == [b"1"]


async def test_a_refusal_for_good_is_a_lost_write(ownership: Ownership) -> None:
    producer = FaultyProducer(MessageSizeTooLargeError("over"))
    with pytest.raises(WriteLost, match="out refused a record"):
        await sender(producer, ownership).send(records(b"1")[0])
    assert producer.log == []


@pytest.mark.parametrize(
    ("faults", "in_doubt"),
    [
        ([MessageSizeTooLargeError("over")], False),
        ([_not_queued(TopicAuthorizationFailedError("out"))], False),
        ([_not_queued(KafkaTimeoutError()), TopicAuthorizationFailedError("out")], False),
        ([UnknownError("the broker failed")], True),
        ([RequestTimedOutError(), TopicAuthorizationFailedError("out")], True),
    ],
)
async def test_a_lost_write_says_whether_it_may_be_there(
    ownership: Ownership, faults: list[Exception], in_doubt: bool
) -> None:
    with pytest.raises(WriteLost) as lost:
        await sender(FaultyProducer(*faults), ownership).send(records(b"1")[0])
    assert lost.value.in_doubt is in_doubt


async def test_nothing_is_sent_again_for_a_partition_lost_meanwhile(ownership: Ownership) -> None:
    producer = FaultyProducer(NotLeaderForPartitionError())
    sending = asyncio.create_task(sender(producer, ownership).send(records(b"1")[0], owner=0))
    await asyncio.sleep(0)
    ownership.give_back()
    with pytest.raises(NotMine):
        await sending
    assert producer.log == []


async def test_a_handlers_sends_are_on_behalf_of_its_partition(ownership: Ownership) -> None:
    producer = FaultyProducer()
    current_work.set(Work(0, ownership.epoch - 1))
    with pytest.raises(NotMine):
        await sender(producer, ownership).send(records(b"1")[0])
    current_work.set(None)
    await sender(producer, ownership).send(records(b"2")[0])
    assert producer.log == [b"2"]
