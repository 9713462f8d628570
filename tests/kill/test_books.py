"""The comparison itself: each kind of wrong is found, and nothing is found where all is right."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from app.booking.admission import head_of
from app.booking.creation import _adopt
from app.booking.engine import decide
from app.booking.identity import KEPT, NOTHING_SEEN, Identity, Progress, mark
from app.booking.inputs import Arrived
from app.booking.reasons import Reason
from app.settings import load
from app.simulator.state import jobs, visits
from app.simulator.wire.jpm import RescheduleAppointment
from app.stream.topology import topics
from tests.kill.books import Books, Produced, ahead, compare
from tests.kill.reading import KafkaBooks, Letter
from tests.kill.story import START, Story, _Writer
from tests.kill.upstream import Upstream, simulated
from tests.support.bookings import NOW, created, facts, job_seen
from tests.support.simulated import add_customer, add_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.booking.record import Record
    from app.simulator.state.records import JobRow

ID = "b1"


def story() -> Story:
    """Made, moved, noted, moved."""
    writer = _Writer(Random(1), ID, 1)
    writer.create()
    writer.move()
    writer.note("in_progress")
    writer.move()
    return Story(ID, 1, tuple(writer.steps))


class Scene:
    """A story that went as it should, in all three books; a test then spoils one of them."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.story = story()
        self.produced = [Produced(self.story, step, 0, n) for n, step in enumerate(self.story.steps)]
        self.kafka = KafkaBooks("", topics(load({})))
        self.customer = add_customer(upstream.world, name="Person One")

    def made(self) -> JobRow:
        return add_job(self.upstream.world, self.customer, ID)

    def moved(self, job: JobRow, step: int) -> None:
        world = self.upstream.world
        start = START.replace(hour=START.hour + step + 1)
        row = world.appointments_of(job)[0]
        visits.reschedule(world, row, RescheduleAppointment(start=start, end=start.replace(minute=30)))

    def noted(self, job: JobRow) -> None:
        jobs.write_note(self.upstream.world, job, f"in progress ({ID}-2)", pinned=False)

    def told(self, job: JobRow) -> None:
        """The row and its announcement."""
        row = _row(job, self.story)
        self.kafka.rows[ID] = row
        self.kafka.announced[ID] = {"state": row.state, "job": {"status": "scheduled"}, "sequence": 1}

    def as_it_should(self) -> JobRow:
        job = self.made()
        self.moved(job, 1)
        self.noted(job)
        self.moved(job, 3)
        self.told(job)
        return job

    def books(self) -> Books:
        return compare(self.produced, self.kafka, self.upstream)

    def wrong(self) -> set[str]:
        return set(self.books().wrong)


def _row(job: JobRow, told: Story) -> Record:
    first = decide(None, Arrived(event=created(0)), facts()).record
    assert first is not None
    seen_job = job_seen(job.id, created_on=NOW, modified_on=NOW)
    row = _adopt(first, head_of(created(0), facts()), seen_job, NOW, facts()).record
    assert row is not None
    seen = NOTHING_SEEN
    for step in told.steps:
        seen = mark(seen, step.digest, Progress.WORKED)
    return replace(row, booking_id=ID, owes=(), seen=seen)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with simulated(1) as upstream:
        yield Scene(upstream)


async def test_nothing_is_wrong_where_all_is_right(scene: Scene) -> None:
    scene.as_it_should()
    assert scene.books().wrong == {}


async def test_a_second_job_is_found(scene: Scene) -> None:
    scene.as_it_should()
    scene.made()
    assert "jobs twice" in scene.wrong()


async def test_a_second_customer_of_one_name_is_found(scene: Scene) -> None:
    scene.as_it_should()
    add_customer(scene.upstream.world, name="Person One")
    assert scene.wrong() == {"customers twice"}


async def test_an_effect_that_is_missing_is_found(scene: Scene) -> None:
    job = scene.made()
    scene.moved(job, 1)
    scene.moved(job, 3)
    scene.told(job)
    assert scene.wrong() == {"lost"}


async def test_effects_in_another_order_are_found(scene: Scene) -> None:
    job = scene.made()
    scene.moved(job, 3)
    scene.noted(job)
    scene.moved(job, 1)
    scene.told(job)
    assert scene.wrong() == {"out of order"}


async def test_a_repeated_write_that_undoes_a_later_one_is_found(scene: Scene) -> None:
    job = scene.as_it_should()
    scene.moved(job, 1)
    assert scene.wrong() == {"out of order"}


async def test_the_same_write_twice_in_a_row_is_counted_and_not_wrong(scene: Scene) -> None:
    job = scene.as_it_should()
    scene.moved(job, 3)
    assert (scene.books().wrong, scene.books().again) == ({}, 1)


async def test_a_note_twice_is_found(scene: Scene) -> None:
    job = scene.made()
    scene.moved(job, 1)
    scene.noted(job)
    scene.noted(job)
    scene.moved(job, 3)
    scene.told(job)
    assert scene.wrong() == {"effects twice"}


async def test_an_effect_that_nobody_asked_for_is_found(scene: Scene) -> None:
    job = scene.as_it_should()
    scene.moved(job, 5)
    assert scene.wrong() == {"effects twice"}


async def test_an_event_that_no_row_knows_of_is_found(scene: Scene) -> None:
    job = scene.as_it_should()
    row = _row(job, scene.story)
    scene.kafka.rows[ID] = replace(row, seen=NOTHING_SEEN)
    assert scene.wrong() == {"lost"}
    assert len(scene.books().lost) == 4


async def test_a_dead_letter_that_nothing_explains_is_found(scene: Scene) -> None:
    scene.as_it_should()
    scene.kafka.letters.append(Letter(ID, Reason.REFUSED, ("booking-events", 0, 1), ""))
    assert scene.wrong() == {"dead letters not expected"}


async def test_a_row_that_says_something_else_than_servicetitan_is_found(scene: Scene) -> None:
    job = scene.as_it_should()
    jobs.complete_job(scene.upstream.world, job, NOW)
    visits.assign_technicians(scene.upstream.world, scene.upstream.world.appointments_of(job)[0], (501,))
    jobs.complete_job(scene.upstream.world, job, NOW)
    assert "untrue" in scene.wrong()


async def test_an_announcement_that_is_missing_is_found(scene: Scene) -> None:
    scene.as_it_should()
    del scene.kafka.announced[ID]
    assert scene.wrong() == {"untrue"}


async def test_a_lane_that_waits_is_found(scene: Scene) -> None:
    scene.as_it_should()
    row = scene.kafka.rows[ID]
    scene.kafka.rows[ID] = row.with_lane(recheck=True)
    assert scene.wrong() == {"stuck"}


async def test_a_commit_ahead_of_its_work_is_found(scene: Scene) -> None:
    job = scene.as_it_should()
    events = scene.kafka.topics.booking_events.name
    assert ahead(scene.produced, scene.kafka, {TopicPartition(events, 0): 4}) == []
    scene.kafka.rows[ID] = replace(_row(job, scene.story), seen=NOTHING_SEEN)
    assert len(ahead(scene.produced, scene.kafka, {TopicPartition(events, 0): 2})) == 2
    scene.kafka.letters.append(Letter(ID, Reason.REFUSED, (events, 0, 1), ""))
    assert len(ahead(scene.produced, scene.kafka, {TopicPartition(events, 0): 2})) == 1


async def test_a_row_that_saw_too_many_since_has_an_event_by_its_offset_and_no_other(scene: Scene) -> None:
    job = scene.as_it_should()
    events = scene.kafka.topics.booking_events.name
    seen = NOTHING_SEEN
    for number in range(KEPT):
        seen = mark(seen, Identity(source="/later", id=str(number)).digest(), Progress.WORKED)
    row = replace(_row(job, scene.story), seen=seen)
    scene.kafka.rows[ID] = row.took(events, 3)
    assert scene.wrong() == set()
    scene.kafka.rows[ID] = replace(row, taken=()).took(events, 1)
    assert len(scene.books().lost) == 2
    assert len(ahead(scene.produced, scene.kafka, {TopicPartition(events, 0): 4})) == 2


async def test_what_a_sleeper_told_of_is_excused_and_nothing_else(scene: Scene) -> None:
    job = scene.as_it_should()
    scene.moved(job, 1)
    add_customer(scene.upstream.world, name="Person One")
    books = scene.books()
    books.excuse({"another"}, {"Person Two"})
    assert set(books.wrong) == {"out of order", "customers twice"}
    books.excuse({ID}, {"Person One"})
    assert (books.wrong, books.told_late) == ({}, 2)
