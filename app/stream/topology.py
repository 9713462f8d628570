"""The topics: one table of what each holds, how it is keyed and how long it is kept.

Pure: `app.stream.provision` creates and checks them in Kafka.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, Self

from app.settings import Settings

GROUP = "servicetitan-stream"
TABLES = ("bookings", "intents", "behind", "customers")

_MIB = 1024 * 1024
_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its full name, what its key and value are, and how Kafka is to keep it."""

    name: str
    key: str
    holds: str
    partitions: int
    replicas: int
    retention: timedelta | None = _WEEK
    """None: compacted, only the last record of each key stays."""
    max_message_bytes: int = _MIB
    compaction_lag: timedelta | None = None
    """For a changelog, whose segments are small as well: no record is compacted away before this age."""

    @property
    def cleanup(self) -> Literal["delete", "compact"]:
        """Kafka's word for how old records go."""
        return "delete" if self.retention else "compact"

    @property
    def must_be(self) -> dict[str, str]:
        """The configuration that the service relies on, by Kafka's names."""
        kept = {"retention.ms": _milliseconds(self.retention)} if self.retention else {}
        # What is compacted, and removed for good, goes by one clock: not by that of whoever wrote it.
        stamped = {"message.timestamp.type": "LogAppendTime"} if self.compaction_lag else {}
        size = str(self.max_message_bytes)
        return {"cleanup.policy": self.cleanup, "max.message.bytes": size, **kept, **stamped}

    @property
    def config(self) -> dict[str, str]:
        """The whole configuration the topic is created with."""
        if self.compaction_lag is None:
            return self.must_be
        lag = _milliseconds(self.compaction_lag)
        return {
            **self.must_be,
            "min.compaction.lag.ms": lag,
            "segment.ms": lag,
            "segment.bytes": str(16 * _MIB),
        }


@dataclass(frozen=True, slots=True)
class RetryTopic(Topic):
    """The topic of the events that are tried again after `delay` seconds."""

    delay: int = 0


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one prefix. `earlier` are retry topics of former `RETRY_DELAYS`, still to be read."""

    prefix: str
    booking_events: Topic
    retry: tuple[RetryTopic, ...]
    dead_letter: Topic
    signals: Topic
    customer_requests: Topic
    webhooks: Topic
    jobs: Topic
    changelogs: tuple[Topic, ...]
    earlier: tuple[RetryTopic, ...] = ()

    def __iter__(self) -> Iterator[Topic]:
        """All topics, in the order of the contract's table; the changelogs last."""
        yield self.booking_events
        yield from self.retry_read
        yield from (self.dead_letter, self.signals, self.customer_requests, self.webhooks, self.jobs)
        yield from self.changelogs

    @property
    def consumer_group(self) -> str:
        """The consumer group, which is also Faust's app id."""
        return f"{self.prefix}{GROUP}"

    @property
    def retry_read(self) -> tuple[RetryTopic, ...]:
        """The retry topics to read: no timer is lost when `RETRY_DELAYS` changes."""
        return (*self.retry, *self.earlier)

    def retry_after(self, delay: int) -> RetryTopic:
        """The topic for a delay in seconds.

        A row may owe a timer of former `RETRY_DELAYS`. Where that topic is gone it is the shortest delay that
        covers it, else the longest.
        """
        longest_last = sorted(self.retry_read, key=lambda topic: topic.delay)
        return next((topic for topic in longest_last if topic.delay >= delay), longest_last[-1])

    def changelog(self, table: str) -> Topic:
        """The changelog of one of `TABLES`, by Faust's rule for names."""
        return next(topic for topic in self.changelogs if topic.name == self.changelog_name(table))

    def changelog_name(self, table: str) -> str:
        """`{app id}-{table}-changelog`, as Faust names it."""
        return f"{self.consumer_group}-{table}-changelog"

    def with_earlier(self, names: Iterable[str]) -> Self:
        """The same, reading also the retry topics that are among these names of existing topics."""
        pattern = re.compile(rf"{re.escape(self.booking_events.name)}-retry-([1-9]\d*)s")
        known = {topic.name for topic in self.retry}
        found = [match for name in names if name not in known and (match := pattern.fullmatch(name))]
        delays = sorted(int(match[1]) for match in found)
        return replace(self, earlier=tuple(_retry(self.booking_events, delay) for delay in delays))


class TopicsWrong(Exception):  # noqa: N818 - read as a sentence: "topics wrong"
    """Topics in Kafka are not as needed; the text has one line for each, with what to do."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def topics(settings: Settings) -> Topics:
    """The topics as the settings ask for them."""
    prefix = settings.topic_prefix

    def topic(
        name: str,
        key: str,
        holds: str,
        *,
        retention: timedelta | None = _WEEK,
        max_message_bytes: int = _MIB,
        compaction_lag: timedelta | None = None,
    ) -> Topic:
        return Topic(
            name=f"{prefix}{name}",
            key=key,
            holds=holds,
            partitions=settings.topic_partitions,
            replicas=settings.topic_replication_factor,
            retention=retention,
            max_message_bytes=max_message_bytes,
            compaction_lag=compaction_lag,
        )

    def changelog(table: str) -> Topic:
        return topic(
            f"{GROUP}-{table}-changelog",
            "the row's",
            f"the table `{table}`",
            retention=None,
            max_message_bytes=2 * _MIB,
            compaction_lag=timedelta(hours=1),
        )

    booking = "the booking id"
    events = topic("booking-events", booking, "booking events")
    return Topics(
        prefix=prefix,
        booking_events=events,
        retry=tuple(_retry(events, delay) for delay in dict.fromkeys(settings.retry_delays)),
        dead_letter=topic(
            "booking-events-dead-letter",
            "the event's own",
            "what could not be worked",
            retention=_MONTH,
            max_message_bytes=2 * _MIB,
        ),
        signals=topic("booking-signals", booking, "actions, changes seen, answers", retention=_MONTH),
        customer_requests=topic("customer-requests", "the phone", "which customer and location is this?"),
        webhooks=topic("servicetitan-webhooks", "the job id", "webhooks as received"),
        jobs=topic("servicetitan-jobs", booking, "what became of a booking", retention=None),
        changelogs=tuple(changelog(table) for table in TABLES),
    )


def _retry(events: Topic, delay: int) -> RetryTopic:
    return RetryTopic(
        name=f"{events.name}-retry-{delay}s",
        key=events.key,
        holds=f"events tried again after {delay} s",
        partitions=events.partitions,
        replicas=events.replicas,
        delay=delay,
    )


def _milliseconds(time: timedelta) -> str:
    return str(time // timedelta(milliseconds=1))
