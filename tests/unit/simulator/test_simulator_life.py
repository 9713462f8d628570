import pytest

from app.simulator.life import Act, Life, next_act, play
from app.simulator.state import jobs
from app.simulator.state.records import Refusal
from app.simulator.wire.jpm import JobStatus, ReasonAndMemo
from tests.support.simulated import add_customer, add_job, make_world


def test_a_job_goes_its_way_by_command() -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    seen = []
    while (act := next_act(world, job)) is not None:
        assert play(world, job, act) is None
        seen.append((act, job.status, world.appointments_of(job)[0].status))
    assert seen == [
        (Act.ASSIGN, JobStatus.SCHEDULED, "Scheduled"),
        (Act.DISPATCH, JobStatus.IN_PROGRESS, "Dispatched"),
        (Act.WORK, JobStatus.IN_PROGRESS, "Working"),
        (Act.COMPLETE, JobStatus.COMPLETED, "Done"),
    ]


def test_an_act_does_what_must_come_before_it() -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    assert play(world, job, Act.WORK) is None
    assert [effect.kind for effect in world.effects[-3:]] == [
        "technicians.assigned",
        "technician.dispatched",
        "technician.arrived",
    ]
    assert all(effect.origin == "play work" for effect in world.effects[-3:])


def test_a_job_of_two_visits_is_complete_after_both() -> None:
    world = make_world()
    job = add_job(world, add_customer(world), visits=2)
    statuses = []
    for _ in range(2):
        assert play(world, job, Act.COMPLETE) is None
        statuses.append(job.status)
    assert statuses == [JobStatus.IN_PROGRESS, JobStatus.COMPLETED]


def test_the_office_moves_holds_resumes_and_cancels() -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    start = world.appointments_of(job)[0].start
    assert play(world, job, Act.RESCHEDULE) is None
    assert world.appointments_of(job)[0].start > start
    statuses = []
    for act in (Act.HOLD, Act.RESUME, Act.CANCEL):
        assert play(world, job, act) is None
        statuses.append(job.status)
        assert isinstance(play(world, job, Act.DISPATCH), Refusal) is (act is not Act.RESUME)
        if act is Act.RESUME:
            statuses.append(job.status)
    assert statuses == [
        JobStatus.HOLD,
        JobStatus.SCHEDULED,
        JobStatus.IN_PROGRESS,
        JobStatus.CANCELED,
    ]


@pytest.mark.parametrize("act", list(Act))
def test_nothing_is_played_on_an_ended_job(act: Act) -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    play(world, job, Act.COMPLETE)
    assert isinstance(play(world, job, act), Refusal)
    assert job.status is JobStatus.COMPLETED


def test_on_a_schedule_every_job_ends() -> None:
    world = make_world()
    customer = add_customer(world)
    rows = [add_job(world, customer) for _ in range(100)]
    life = Life(world, 10)
    acts = sum(life.step(now) for now in range(400))
    assert {row.status for row in rows} == {JobStatus.COMPLETED, JobStatus.CANCELED}
    assert acts > 300


def test_a_job_brought_back_lives_on() -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    jobs.cancel_job(world, job, ReasonAndMemo(reason_id=401, memo="no"))
    life = Life(world, 1)
    for now in range(5):
        life.step(now)
    assert not [effect for effect in world.effects if effect.origin.startswith("play")]
    assert jobs.remove_cancellation(world, job) is None
    for now in range(5, 60):
        life.step(now)
    assert job.status in (JobStatus.COMPLETED, JobStatus.CANCELED)
    assert any(effect.origin.startswith("play") for effect in world.effects)


def test_life_may_be_of_some_bookings_only_and_without_second_thoughts() -> None:
    world = make_world()
    customer = add_customer(world)
    ours = [add_job(world, customer, booking=f"BK-{number}") for number in range(50)]
    others = [add_job(world, customer, booking="CD-1"), add_job(world, customer)]
    life = Life(world, 1)
    life.bookings, life.second_thoughts = "BK-*", 0
    for now in range(60):
        life.step(now)
    assert {row.status for row in ours} == {JobStatus.COMPLETED}
    assert {row.status for row in others} == {JobStatus.SCHEDULED}


def test_life_is_off_at_zero() -> None:
    world = make_world()
    job = add_job(world, add_customer(world))
    life = Life(world, 0)
    assert not any(life.step(now) for now in range(100))
    assert job.status is JobStatus.SCHEDULED
