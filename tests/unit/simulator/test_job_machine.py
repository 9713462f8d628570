"""No sequence of calls and acts makes an illegal job."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from app.simulator.life import Act, play
from app.simulator.state import jobs, visits
from app.simulator.state.records import AppointmentRow, JobRow, Refusal
from app.simulator.wire.jpm import (
    AppointmentStatus,
    CreateAppointment,
    JobStatus,
    ReasonAndMemo,
    RescheduleAppointment,
)
from app.simulator.wire.office import AssignmentStatus, TechnicianStatus
from tests.support.simulated import START, Clock, add_customer, add_job, make_world

CANCEL = ReasonAndMemo(reason_id=401, memo="no")
HOLD = ReasonAndMemo(reason_id=451, memo="wait")
TECHNICIANS = st.lists(st.integers(501, 508), min_size=1, max_size=3).map(tuple)
MOVES = st.integers(-5, 5)


class JobMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.world = make_world(self.clock)
        self.customer = add_customer(self.world)

    def visit(self, job: JobRow, position: int) -> AppointmentRow:
        rows = self.world.appointments_of(job)
        return rows[position % len(rows)]

    def refused_changes_nothing(self, job: JobRow, outcome: object, before: tuple[object, ...]) -> None:
        if isinstance(outcome, Refusal):
            assert outcome.status in (400, 409)
            assert outcome.errors
            assert self.picture(job) == before

    def picture(self, job: JobRow) -> tuple[object, ...]:
        rows = [self.world.appointments.rows[row_id] for row_id in job.appointment_ids]
        return (
            job.status,
            job.change,
            job.completed_on,
            tuple((row.status, row.start, row.active, row.is_confirmed, row.change) for row in rows),
            tuple(
                (item.technician_id, item.status) for row in rows for item in self.world.assignments_of(row)
            ),
        )

    @rule(target=jobs, count=st.integers(1, 3))
    def create(self, count: int) -> JobRow:
        return add_job(self.world, self.customer, f"BK-{len(self.world.jobs)}", count)

    @rule(seconds=st.integers(-3600, 3600))
    def clock_jumps(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)

    @rule(job=jobs)
    def cancel(self, job: JobRow) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, jobs.cancel_job(self.world, job, CANCEL), before)

    @rule(job=jobs)
    def remove_cancellation(self, job: JobRow) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, jobs.remove_cancellation(self.world, job), before)

    @rule(job=jobs)
    def hold(self, job: JobRow) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, jobs.hold_job(self.world, job, HOLD), before)

    @rule(job=jobs)
    def complete(self, job: JobRow) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, jobs.complete_job(self.world, job, START), before)

    @rule(job=jobs, day=MOVES, length=st.integers(-1, 4))
    def add_visit(self, job: JobRow, day: int, length: int) -> None:
        before = self.picture(job)
        start = START + timedelta(days=day)
        request = CreateAppointment(job_id=job.id, start=start, end=start + timedelta(hours=length))
        self.refused_changes_nothing(job, jobs.add_appointment(self.world, job, request), before)

    @rule(job=jobs, position=st.integers(0, 3), day=MOVES, length=st.integers(-1, 4))
    def reschedule(self, job: JobRow, position: int, day: int, length: int) -> None:
        before = self.picture(job)
        start = START + timedelta(days=day)
        request = RescheduleAppointment(start=start, end=start + timedelta(hours=length))
        outcome = visits.reschedule(self.world, self.visit(job, position), request)
        self.refused_changes_nothing(job, outcome, before)

    @rule(job=jobs, position=st.integers(0, 3))
    def hold_visit(self, job: JobRow, position: int) -> None:
        before = self.picture(job)
        outcome = visits.hold(self.world, self.visit(job, position), HOLD)
        self.refused_changes_nothing(job, outcome, before)

    @rule(job=jobs, position=st.integers(0, 3))
    def remove_hold(self, job: JobRow, position: int) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, visits.remove_hold(self.world, self.visit(job, position)), before)

    @rule(job=jobs, position=st.integers(0, 3))
    def delete_visit(self, job: JobRow, position: int) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, visits.delete(self.world, self.visit(job, position)), before)

    @rule(job=jobs, position=st.integers(0, 3), confirmed=st.booleans())
    def confirm(self, job: JobRow, position: int, *, confirmed: bool) -> None:
        before = self.picture(job)
        outcome = visits.confirm(self.world, self.visit(job, position), confirmed=confirmed)
        self.refused_changes_nothing(job, outcome, before)

    @rule(job=jobs, position=st.integers(0, 3), people=TECHNICIANS)
    def assign(self, job: JobRow, position: int, people: tuple[int, ...]) -> None:
        before = self.picture(job)
        outcome = visits.assign_technicians(self.world, self.visit(job, position), people)
        self.refused_changes_nothing(job, outcome, before)

    @rule(job=jobs, position=st.integers(0, 3), people=TECHNICIANS)
    def unassign(self, job: JobRow, position: int, people: tuple[int, ...]) -> None:
        before = self.picture(job)
        outcome = visits.unassign_technicians(self.world, self.visit(job, position), people)
        self.refused_changes_nothing(job, outcome, before)

    @rule(job=jobs, act=st.sampled_from(Act))
    def play(self, job: JobRow, act: Act) -> None:
        before = self.picture(job)
        self.refused_changes_nothing(job, play(self.world, job, act), before)

    @invariant()
    def every_job_is_legal(self) -> None:
        for job in self.world.jobs.in_order:
            rows = self.world.appointments_of(job)
            statuses = {row.status for row in rows}
            assert rows, "a job has an appointment"
            assert (job.completed_on is not None) == (job.status is JobStatus.COMPLETED)
            assert job.created_on <= job.modified_on
            match job.status:
                case JobStatus.SCHEDULED:
                    assert not statuses & {
                        AppointmentStatus.DISPATCHED,
                        AppointmentStatus.WORKING,
                        AppointmentStatus.DONE,
                    }
                    assert AppointmentStatus.SCHEDULED in statuses
                case JobStatus.IN_PROGRESS:
                    assert statuses & {
                        AppointmentStatus.DISPATCHED,
                        AppointmentStatus.WORKING,
                        AppointmentStatus.DONE,
                    }
                case JobStatus.HOLD:
                    assert statuses == {AppointmentStatus.HOLD}
                case JobStatus.COMPLETED:
                    assert AppointmentStatus.DONE in statuses
                    assert all(row.unused for row in rows if row.status is not AppointmentStatus.DONE)
                case JobStatus.CANCELED:
                    assert statuses <= {AppointmentStatus.CANCELED, AppointmentStatus.DONE}
                    assert sum(entry.active for entry in job.cancellations) == 1
                case JobStatus.DISPATCHED:
                    raise AssertionError("no job is ever seen in Dispatched")

    @invariant()
    def every_visit_is_legal(self) -> None:
        for row in self.world.appointments.in_order:
            assigned = self.world.assignments_of(row)
            people = [item.technician_id for item in assigned]
            assert row.start < row.end
            assert len(people) == len(set(people)), "nobody is on a visit twice"
            assert row.active or not assigned
            states = {item.status for item in assigned}
            match row.status:
                case AppointmentStatus.DISPATCHED:
                    assert states == {AssignmentStatus.DISPATCHED}
                case AppointmentStatus.WORKING:
                    assert states == {AssignmentStatus.WORKING}
                case AppointmentStatus.DONE:
                    assert states == {AssignmentStatus.DONE}
                case _:
                    assert states <= {AssignmentStatus.SCHEDULED}

    @invariant()
    def effects_are_numbered_in_order(self) -> None:
        effects = self.world.effects
        assert [effect.number for effect in effects] == list(range(1, len(effects) + 1))
        times = [effect.at for effect in effects]
        assert times == sorted(times), "time never runs backwards here"

    @invariant()
    def nobody_idles_on_the_way(self) -> None:
        for person in self.world.catalogue.technicians.in_order:
            assert (person.status is TechnicianStatus.IDLE) == (person.appointment_id is None)


JobMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestJobMachine = JobMachine.TestCase
