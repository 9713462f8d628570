"""Whatever the office does, and in whichever order and however often its webhooks come: what is so stands."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from app.booking.inputs import VisitSeen
from app.booking.signals import is_news
from app.booking.status import Status
from app.servicetitan.webhooks import JobReport, read_webhook
from app.simulator.life import Act, play
from app.simulator.webhook_bodies import plain_status, told_of
from app.worker.webhooks import _moved, _observed
from tests.support.bookings import accepted, job_seen
from tests.support.lane import Lane, creating
from tests.support.simulated import Clock, add_customer, add_job, make_world

if TYPE_CHECKING:
    from app.booking.record import Job
    from app.simulator.state.records import AppointmentRow, JobRow
    from app.simulator.state.world import World

ACTS = (Act.RESCHEDULE, *Act)


class Told:
    """A booking with its job in a world, and the webhooks that tell what is done to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.world: World = make_world(self.clock)
        self.job: JobRow = add_job(self.world, add_customer(self.world), booking="booking-1")
        (self.visit,) = self.world.appointments_of(self.job)
        self.lane: Lane = creating()
        self.lane.now = self.clock.time
        made = job_seen(
            self.job.id,
            created_on=self.job.created_on,
            modified_on=self.job.modified_on,
            appointment_id=self.visit.id,
        )
        self.lane.customer_is_found(accepted(made, self.job.created_on))
        self.visit.start, self.visit.end = self.ours.start, self.ours.end
        self.visit.arrival_window_start = self.ours.window_start
        self.visit.arrival_window_end = self.ours.window_end

    @property
    def ours(self) -> Job:
        job = self.lane.row.job
        assert job is not None
        return job

    def live(self, random: Random) -> list[bytes]:
        """Some acts of the office, at once or one after the other; gives the webhooks of all."""
        bodies: list[bytes] = []
        for _ in range(random.randint(1, 7)):
            self.clock.move(seconds=random.choice((0.001, 0.4, 3, 60)))
            before = len(self.world.effects)
            play(self.world, self.job, random.choice(ACTS))
            for effect in self.world.effects[before:]:
                for told in told_of(self.world, effect, "v2"):
                    bodies += [told.body() for _ in range(random.choice((1, 1, 2)))]
        return bodies

    def hear(self, body: bytes) -> None:
        """What the worker tells the lane of a webhook, looking where it must."""
        report = read_webhook(body, self.clock.time)
        assert isinstance(report, JobReport)
        observed = _observed(report)
        if report.unclear and is_news(observed, self.ours):
            on_the_way = self.visit.status == "Dispatched"
            observed = replace(observed, status=Status.DISPATCHED if on_the_way else Status.IN_PROGRESS)
        self.lane.signal(observed)
        if report.moved:
            self.lane.signal(_moved(report, seen(self.visit), self.visit.modified_on))


def seen(visit: AppointmentRow) -> VisitSeen:
    return VisitSeen(
        appointment_id=visit.id,
        start=visit.start,
        end=visit.end,
        window_start=visit.arrival_window_start,
        window_end=visit.arrival_window_end,
    )


@pytest.mark.parametrize("shuffled", [True, False])
def test_the_last_word_stands(*, shuffled: bool) -> None:
    for seed in range(150):
        random, told = Random(seed), Told()
        bodies = told.live(random)
        if shuffled:
            random.shuffle(bodies)
        told.clock.move(seconds=5)
        told.lane.now = told.clock.time
        for body in bodies:
            told.hear(body)
        ours, visit = told.ours, told.visit
        assert ours.status == plain_status(told.world, told.job), seed
        assert (ours.start, ours.end, ours.window_start, ours.window_end) == (
            visit.start,
            visit.end,
            visit.arrival_window_start,
            visit.arrival_window_end,
        ), seed
