"""What rows, calls and dead letters add to the metrics of a worker."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.booking.events import RawEvent, Unusable
from app.booking.reasons import Reason
from app.booking.record import Entry, Lane, Means, Record, SendDeadLetter, State, Trouble
from app.stream.codec import letter_for
from app.telemetry.metric_list import CreationResult
from app.telemetry.metrics import DeliveryFacts, Facts, Metrics
from app.worker.metrics import CountingNarrator, count_saved, creation_result
from tests.support.rows import NOW, a_booking, a_head, a_job

PENDING = Record(booking_id="b-1", booking=a_booking(), changed_at=NOW, lane=Lane(head=a_head()))
ACTIVE = replace(PENDING, state=State.ACTIVE, job=a_job(), lane=Lane())
HELD = replace(PENDING, state=State.HELD)
CLOSED = replace(PENDING, state=State.CLOSED)
TROUBLE = Trouble(reason=Reason.PHONE_REFUSED, detail="", attempts=1, http_status=400, at=NOW)
LETTER = SendDeadLetter(raw=a_head().raw, trouble=TROUBLE, first_failed=NOW)
IDLE = DeliveryFacts(
    lag={},
    commit_age=0.0,
    head_age=0.0,
    unfinished=0,
    finished=0,
    recovering=False,
    recovery_remaining=0,
    partitions_owned=1,
    members=1,
)


def line(**changes: object) -> Entry:
    fields: dict[str, Any] = {
        "event": "e-1",
        "asked": "CreateJob",
        "outcome": "Accepted",
        "decision": "done",
        **changes,
    }
    return Entry(at=NOW, **fields)


MADE = line(came="Accepted")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1", mode="simulation")


def told(metrics: Metrics) -> set[str]:
    """The lines of counters and histograms' counts that are not 0."""
    rendered = metrics.render(Facts(delivery=IDLE)).decode().splitlines()
    kept = (
        each for each in rendered if each.startswith("servicetitan_stream_") and not each.endswith(" 0.0")
    )
    names = ("_total", "_count", "_sum")
    return {
        each.removeprefix("servicetitan_stream_")
        for each in kept
        if each.partition("{")[0].partition(" ")[0].endswith(names)
    }


@pytest.mark.parametrize(
    ("before", "record", "result"),
    [
        (None, PENDING, None),
        (None, ACTIVE, CreationResult.CREATED),
        (PENDING, ACTIVE, CreationResult.CREATED),
        (HELD, ACTIVE, CreationResult.CREATED),
        (ACTIVE, replace(ACTIVE, state=State.ENDED), None),
        (PENDING, replace(ACTIVE, state=State.ENDED), CreationResult.CREATED),
        (PENDING, HELD, CreationResult.HELD),
        (HELD, replace(HELD, sequence=9), None),
        (HELD, PENDING, None),
        (None, CLOSED, CreationResult.CLOSED),
        (HELD, CLOSED, CreationResult.CLOSED),
        (CLOSED, CLOSED, None),
    ],
)
def test_a_creation_ends_once(before: Record | None, record: Record, result: CreationResult | None) -> None:
    assert creation_result(before, record) is result


def test_a_job_counts_with_the_time_since_its_event(metrics: Metrics) -> None:
    record = replace(ACTIVE, changed_at=PENDING.lane.head.time + timedelta(seconds=4), timeline=(MADE,))  # type: ignore[union-attr]  # PENDING has a head
    count_saved(metrics, PENDING, record)
    assert told(metrics) == {
        'attempts_total{asked="CreateJob",outcome="Accepted"} 1.0',
        'creations_total{result="created"} 1.0',
        "booking_to_job_seconds_count 1.0",
        "booking_to_job_seconds_sum 4.0",
    }


def test_a_dead_letter_counts_when_it_is_owed_and_not_again(metrics: Metrics) -> None:
    owing = replace(HELD, owes=(LETTER,))
    count_saved(metrics, HELD, owing)
    count_saved(metrics, owing, replace(owing, sequence=2))
    assert told(metrics) == {'dead_letters_total{reason="phone-refused"} 1.0'}


def test_only_new_lines_of_the_timeline_count(metrics: Metrics) -> None:
    first = replace(PENDING, timeline=(line(outcome="Unsure: HTTP 503", came="Unsure"),))
    second = replace(first, timeline=(*first.timeline, line(outcome="Refused (refused): no", came="Refused")))
    count_saved(metrics, None, first)
    count_saved(metrics, first, second)
    assert told(metrics) == {
        'attempts_total{asked="CreateJob",outcome="Unsure"} 1.0',
        'attempts_total{asked="CreateJob",outcome="Refused"} 1.0',
    }


def test_alarms_of_the_timeline_count(metrics: Metrics) -> None:
    lines = (
        line(asked="FindJob", decision="second job: 1002 is cancelled", means=Means.SECOND_JOB),
        line(asked="Cancel", decision="second job cancelled"),
        line(asked="-", outcome="row missing", means=Means.ROW_MISSING),
    )
    count_saved(metrics, ACTIVE, replace(ACTIVE, timeline=lines))
    assert {"second_jobs_total 1.0", "rows_missing_total 1.0"} <= told(metrics)


def test_what_belongs_to_no_booking_counts_too(metrics: Metrics) -> None:
    raw = RawEvent(topic="booking-events", partition=0, offset=1, key=None, value=None)
    narrator = CountingNarrator(metrics)
    unusable = Unusable(reason=Reason.UNREADABLE, detail="the value is null", raw=raw)
    narrator.turned_away(letter_for(unusable, NOW))
    assert told(metrics) == {'dead_letters_total{reason="unreadable"} 1.0'}
