"""The table of topics against the contract's section 1."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.booking.events import HEADER_BYTES, LARGEST_EVENT, LARGEST_RECORD, LONGEST_DETAIL, size_of
from app.booking.reasons import Reason
from app.booking.record import (
    FAILED_KEPT,
    TIMELINE_KEPT,
    Closing,
    Entry,
    FailedEvent,
    Head,
    Record,
    SendDeadLetter,
    Trouble,
    encode,
)
from app.settings import load
from app.stream.provision import Existing, differences
from app.stream.topology import Topic, Topics, topics
from tests.support.bookings import NOW, booking
from tests.support.bookings import raw as a_raw

DAY = timedelta(days=1)
KEPT = {
    "booking-events": 7 * DAY,
    "booking-events-retry-5s": 7 * DAY,
    "booking-events-retry-10s": 7 * DAY,
    "booking-events-retry-20s": 7 * DAY,
    "booking-events-dead-letter": 30 * DAY,
    "booking-signals": 30 * DAY,
    "customer-requests": 7 * DAY,
    "servicetitan-webhooks": 7 * DAY,
    "servicetitan-jobs": None,
    "servicetitan-stream-bookings-changelog": None,
    "servicetitan-stream-intents-changelog": None,
    "servicetitan-stream-behind-changelog": None,
    "servicetitan-stream-customers-changelog": None,
}


def made(**environ: str) -> Topics:
    return topics(load(environ))


def test_the_topics_are_the_contracts() -> None:
    assert {topic.name: topic.retention for topic in made()} == KEPT


def largest(headers: tuple[tuple[str, bytes], ...]) -> Record:
    """A row with all that a lane keeps at once, each as long as it may be and as JSON makes it longest."""
    raw = replace(a_raw(), key=b"", value=b"\xff" * LARGEST_EVENT, headers=headers)
    assert LARGEST_RECORD - 16 < size_of(raw) <= LARGEST_RECORD
    trouble = Trouble(
        reason=Reason.REFUSED, detail="\x01" * LONGEST_DETAIL, attempts=4, http_status=400, at=NOW
    )
    head = Head(
        raw=raw,
        event_id="e" * 500,
        digest="d" * 12,
        type="booking.created",
        time=NOW,
        taken_at=NOW,
        data='"' * LARGEST_EVENT,
    )
    why = "\x01" * 1_000
    letter = SendDeadLetter(raw=raw, trouble=trouble, first_failed=NOW)
    failed = FailedEvent(slot="f1", event_id="e" * 500, digest="d" * 12, type="t" * 200, trouble=trouble)
    entry = Entry(at=NOW, event="e" * 500, asked=f"{'b' * 200}: {why}", outcome="o" * 300, decision="d" * 500)
    record = Record(booking_id="b" * 100, booking=booking(), changed_at=NOW, problem=trouble)
    return replace(
        record.with_lane(head=head, closing=Closing(head=head, discarded=False, why=why), last=trouble),
        owes=(letter, letter),
        failed=(failed,) * FAILED_KEPT,
        timeline=(entry,) * TIMELINE_KEPT,
    )


@pytest.mark.parametrize("name", ["h", "\x01" * 2_000])
def test_a_row_with_the_largest_events_fits_its_topic(name: str) -> None:
    """The head, what closes it and dead letters owed of both, beside all that a row keeps of before."""
    room = LARGEST_RECORD - LARGEST_EVENT - HEADER_BYTES - 2 - len(name) * (6 if name < " " else 1)
    changelogs = {changelog.max_message_bytes for changelog in made().changelogs}
    assert changelogs == {2 * 1024 * 1024}
    assert len(encode(largest(((name, b"\xff" * room),)))) < 0.9 * 2 * 1024 * 1024


def test_the_prefix_stands_literally_in_front_of_every_name() -> None:
    prefixed = made(TOPIC_PREFIX="blue.")
    assert [topic.name for topic in prefixed] == [f"blue.{topic.name}" for topic in made()]
    assert prefixed.consumer_group == "blue.servicetitan-stream"
    assert prefixed.changelog("bookings").name == "blue.servicetitan-stream-bookings-changelog"


def test_all_topics_have_the_same_number_of_partitions() -> None:
    asked = made(TOPIC_PARTITIONS="5", TOPIC_REPLICATION_FACTOR="3")
    assert {(topic.partitions, topic.replicas) for topic in asked} == {(5, 3)}


def test_a_dead_letter_takes_what_booking_events_took_and_its_headers() -> None:
    asked = made()
    assert (
        asked.dead_letter.max_message_bytes == 2 * asked.booking_events.max_message_bytes == 2 * 1024 * 1024
    )


def test_each_retry_topic_is_named_after_its_delay() -> None:
    asked = made(RETRY_DELAYS="30,7,30")
    assert [(topic.delay, topic.name) for topic in asked.retry] == [
        (30, "booking-events-retry-30s"),
        (7, "booking-events-retry-7s"),
    ]
    assert asked.retry_after(7) is asked.retry[1]


def test_retry_topics_of_earlier_delays_are_read_too() -> None:
    names = [
        "blue.booking-events-retry-5s",
        "blue.booking-events-retry-60s",
        "blue.booking-events-retry-7s",
        "blue.booking-events-retry-07s",
        "blue.booking-events-retry-7s-old",
        "green.booking-events-retry-8s",
        "bluexbooking-events-retry-9s",
        "booking-events-retry-11s",
    ]
    asked = made(TOPIC_PREFIX="blue.").with_earlier(names)
    assert [topic.delay for topic in asked.retry_read] == [5, 10, 20, 7, 60]
    assert [topic.name for topic in asked.earlier] == [names[2], names[1]]
    assert set(asked.earlier) < set(asked)


@pytest.mark.parametrize(
    ("delay", "seconds"), [(3, 3), (6, 6), (4, 6), (5, 6), (20, 6), (1, 3)], ids=lambda number: f"{number}s"
)
def test_a_timer_of_a_delay_that_has_no_topic_any_more_goes_to_the_nearest_that_covers_it(
    delay: int, seconds: int
) -> None:
    assert made(RETRY_DELAYS="6,3").retry_after(delay).delay == seconds


def test_a_timer_of_a_former_delay_goes_to_its_own_topic_as_long_as_there_is_one() -> None:
    asked = made(RETRY_DELAYS="3,6").with_earlier(["booking-events-retry-5s"])
    assert asked.retry_after(5) is asked.earlier[0]
    assert asked.retry_after(4) is asked.earlier[0]


@pytest.mark.parametrize("topic", list(made()), ids=lambda topic: topic.name)
def test_what_is_relied_on_is_part_of_what_is_created(topic: Topic) -> None:
    assert topic.must_be.items() <= topic.config.items()
    assert topic.config["cleanup.policy"] == ("delete" if topic.retention else "compact")
    assert ("retention.ms" in topic.config) == (topic.retention is not None)


def test_changelogs_have_small_segments_and_an_hour_before_compaction() -> None:
    asked = made()
    assert {topic.config.get("min.compaction.lag.ms") for topic in asked.changelogs} == {"3600000"}
    assert {topic.config.get("segment.bytes") for topic in asked.changelogs} == {str(16 * 1024 * 1024)}
    assert "segment.bytes" not in asked.jobs.config


def test_a_topic_as_created_has_no_differences() -> None:
    assert not [each for topic in made() for each in differences(topic, Existing(12, topic.config))]


def test_every_difference_is_said() -> None:
    events = made().booking_events
    found = Existing(3, {**events.config, "retention.ms": "1000"})
    assert list(differences(events, found)) == [
        "partitions is 3, not 12",
        "retention.ms is 1000, not 604800000",
    ]
