"""While ServiceTitan is out, lanes wait and nobody's attempts are used up."""

import asyncio

import pytest

from app.booking.asks import (
    CreateCustomer,
    CreateJob,
    Dispatch,
    FindCustomers,
    FindJob,
    JobSeen,
    Note,
    Reschedule,
)
from app.booking.outcomes import Accepted, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.servicetitan.breaker import ENOUGH_LANES, LATEST_CALLS, State, Trouble
from app.servicetitan.caller import CallMade
from app.servicetitan.upstream import Upstream
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.server import RunningSimulator
from tests.client.conftest import MakeUpstream
from tests.client.orders import LATER, asker, create_job, customer_order, job_order, value_of

LANES = 40
FEW_ATTEMPTS = 2
"""Of four: an outage may cost a lane the attempt that was under way when it began, and one more."""


def break_calls(simulator: RunningSimulator, kind: FaultKind, **more: object) -> None:
    fault = FaultRequest.model_validate({"kind": kind, **more})
    simulator.state.faults.add(fault, simulator.state.monotonic())


async def some_probes(simulator: RunningSimulator, upstream: Upstream) -> None:
    """Wait until the gate is shut and has been knocked at a few times."""
    async with asyncio.timeout(30):
        while not upstream.gate.is_open:
            await asyncio.sleep(0.01)
        before = simulator.state.journal.total
        while simulator.state.journal.total < before + 3:
            await asyncio.sleep(0.01)


async def create_in_attempts(upstream: Upstream, ask: CreateJob) -> int:
    """Create as the engine does, looking up after each Unsure; gives the attempts that were used up."""
    attempts = 1
    desk, who = upstream.desk, asker(ask.order.booking_id)
    while True:
        outcome = await desk.perform(ask, who)
        if isinstance(outcome, Accepted):
            return attempts
        assert isinstance(outcome, Unsure | Failed)
        while True:
            attempts += 1
            found = await desk.perform(FindJob(booking_id=ask.order.booking_id), who)
            if not isinstance(found, Failed):
                break
        if value_of(found):
            return attempts


def jobs_of(simulator: RunningSimulator, job: JobSeen) -> list[int]:
    rows = simulator.state.world.jobs.rows.values()
    return [row.id for row in rows if row.customer_id == job.customer_id]


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.ERROR_BEFORE,
        FaultKind.DROP_BEFORE,
        FaultKind.ERROR_AFTER,
        FaultKind.HALF,
        FaultKind.NOT_JSON,
    ],
)
async def test_an_outage_uses_up_nobodys_attempts(
    upstream: Upstream, simulator: RunningSimulator, kind: FaultKind
) -> None:
    job = await create_job(upstream, "b")
    asks = [CreateJob(order=job_order(job.customer_id, job.location_id, f"b{lane}")) for lane in range(LANES)]
    break_calls(simulator, kind)
    lanes = [asyncio.create_task(create_in_attempts(upstream, ask)) for ask in asks]
    await some_probes(simulator, upstream)
    assert not any(lane.done() for lane in lanes)
    simulator.state.faults.clear()
    async with asyncio.timeout(60):
        attempts = await asyncio.gather(*lanes)
    assert max(attempts) <= FEW_ATTEMPTS
    assert len(jobs_of(simulator, job)) == LANES + 1
    assert upstream.gate.snapshot().state is State.CLOSED


@pytest.mark.parametrize("technicians", [None, ()])
async def test_a_note_that_was_not_answered_is_not_asked_again_by_itself(
    make_upstream: MakeUpstream, simulator: RunningSimulator, technicians: tuple[int, ...] | None
) -> None:
    upstream = make_upstream(calls_per_second=100.0)  # so that some still wait when the gate shuts
    job = await create_job(upstream)
    break_calls(simulator, FaultKind.ERROR_AFTER, method="POST")
    lanes: dict[str, asyncio.Task[object]] = {}
    for n in range(LANES):
        text = f"note {n}"
        ask = (
            Note(job_id=job.job_id, text=text)
            if technicians is None
            else Dispatch(
                job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=technicians, note=text
            )
        )
        lanes[text] = asyncio.create_task(upstream.desk.perform(ask, asker(f"b{n}")))
    # The breaker opens over these, and would let them be written once more after a probe.
    await some_probes(simulator, upstream)
    notes = simulator.state.world.jobs.rows[job.job_id].notes
    # The last one's answer may still be on its way.
    async with asyncio.timeout(20):
        while not all(lanes[note.text].done() for note in notes):
            await asyncio.sleep(0.01)
    told = {text: lane.result() for text, lane in lanes.items() if lane.done()}
    written = [note.text for note in notes]
    for lane in lanes.values():
        lane.cancel()
    assert sorted(told) == sorted(written)
    assert all(isinstance(outcome, Unsure) for outcome in told.values())


async def test_changes_wait_through_an_outage_and_are_made_once(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    break_calls(simulator, FaultKind.ERROR_BEFORE)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    lanes = [asyncio.create_task(upstream.desk.perform(ask, asker(f"b{n}"))) for n in range(LANES)]
    await some_probes(simulator, upstream)
    simulator.state.faults.clear()
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*lanes)
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    burnt = [outcome for outcome in outcomes if isinstance(outcome, Unsure | Failed)]
    assert len(accepted) + len(burnt) == LANES
    assert len(burnt) < LATEST_CALLS


async def test_a_change_that_never_works_uses_up_its_own_attempts_and_stops_nobody(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    """On a quiet worker, where nothing else is called."""
    job = await create_job(make_upstream())
    break_calls(simulator, FaultKind.ERROR_BEFORE, path="*/reschedule")
    quiet = make_upstream()
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    async with asyncio.timeout(20):
        for _ in range(2 * LATEST_CALLS):
            assert isinstance(await quiet.desk.perform(ask, asker()), Unsure)
            assert not quiet.gate.is_open
        assert value_of(await quiet.desk.perform(FindJob(booking_id="b1"), asker("b2")))


async def test_one_booking_alone_spends_no_attempt_in_an_outage(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    job = await create_job(make_upstream())
    upstream = make_upstream()
    break_calls(simulator, FaultKind.ERROR_BEFORE)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    lane = asyncio.create_task(upstream.desk.perform(ask, asker()))
    await some_probes(simulator, upstream)
    assert not lane.done()
    simulator.state.faults.clear()
    async with asyncio.timeout(20):
        assert isinstance(await lane, Accepted)


async def test_after_an_outage_a_change_that_never_works_opens_the_gate_again_by_itself(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    upstream.gate.breaker.unreachable(0.0, "down")
    break_calls(simulator, FaultKind.ERROR_BEFORE, path="*/reschedule")
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    async with asyncio.timeout(20):
        assert isinstance(await upstream.desk.perform(ask, asker()), Unsure)
    assert not upstream.gate.is_open


async def test_what_may_have_been_done_while_calls_were_stopped_stays_unsure(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    """Asked again by itself it fails before anything is sent, which takes nothing back."""
    seen: list[CallMade] = []

    def observe(call: CallMade) -> None:
        seen.append(call)
        if call.method == "PATCH":
            upstream.gate.breaker.unreachable(0.0, "down")

    upstream = make_upstream(observe=observe)
    job = await create_job(upstream)
    break_calls(simulator, FaultKind.ERROR_BEFORE, path="*/appointments/*")
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    async with asyncio.timeout(20):
        assert isinstance(await upstream.desk.perform(ask, asker()), Unsure)
    assert (seen[-1].method, seen[-1].kind) == ("GET", "Failed")


async def test_what_waits_for_its_turn_when_the_gate_shuts_is_not_sent(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    upstream = make_upstream(calls_per_second=100.0)
    break_calls(simulator, FaultKind.ERROR_BEFORE)
    finds = [
        asyncio.create_task(upstream.desk.perform(FindJob(booking_id=f"b{n}"), asker(f"b{n}")))
        for n in range(100)
    ]
    async with asyncio.timeout(30):
        while not upstream.gate.is_open or any(upstream.pace.snapshot().waiting.values()):
            await asyncio.sleep(0.01)
    assert simulator.state.journal.by_route["GET /jpm/v2/tenant/{tenant}/jobs"] <= LATEST_CALLS
    simulator.state.faults.clear()
    async with asyncio.timeout(60):
        await asyncio.gather(*finds)


async def test_only_one_knocks_at_a_time(upstream: Upstream, simulator: RunningSimulator) -> None:
    break_calls(simulator, FaultKind.SLOW, seconds=0.3)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    finds = [
        asyncio.create_task(upstream.desk.perform(FindJob(booking_id=f"b{n}"), asker())) for n in range(10)
    ]
    async with asyncio.timeout(20):
        while simulator.state.journal.total < 2:
            await asyncio.sleep(0.01)
    assert upstream.pace.snapshot().in_flight == 1
    assert upstream.gate.waiting == 9
    async with asyncio.timeout(20):
        await asyncio.gather(*finds)


async def test_one_call_in_five_failing_leaves_the_gate_open(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    await upstream.check_health()
    break_calls(simulator, FaultKind.ERROR_BEFORE, rate=0.2)
    outcomes = await asyncio.gather(
        *(upstream.desk.perform(FindJob(booking_id=f"b{n}"), asker(f"b{n}")) for n in range(300))
    )
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert 20 < len(failed) < 120
    assert not upstream.gate.is_open


async def test_a_wrong_deployment_does_not_empty_the_lanes_into_the_dead_letter(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream, "b")
    asks = [CreateJob(order=job_order(job.customer_id, job.location_id, f"b{lane}")) for lane in range(LANES)]
    break_calls(simulator, FaultKind.FORBIDDEN, path="*/jobs")
    lanes = [asyncio.create_task(upstream.desk.perform(ask, asker(ask.order.booking_id))) for ask in asks]
    await some_probes(simulator, upstream)
    assert upstream.gate.trouble is Trouble.REFUSALS
    simulator.state.faults.clear()
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*lanes)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert all(outcome.reason is Reason.NOT_PERMITTED for outcome in refused)
    assert len(refused) < ENOUGH_LANES
    assert len(jobs_of(simulator, job)) == 1 + LANES - len(refused)


def shut_by_refusals(upstream: Upstream) -> None:
    for lane in range(ENOUGH_LANES):
        upstream.gate.breaker.lane_ended(f"refused {lane}", 0.0, refused=True, why="403")
    assert upstream.gate.trouble is Trouble.REFUSALS


async def test_refusals_are_not_forgotten_while_there_is_no_token(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream, "b")
    asks = [CreateJob(order=job_order(job.customer_id, job.location_id, f"b{lane}")) for lane in range(LANES)]
    shut_by_refusals(upstream)
    break_calls(simulator, FaultKind.FORBIDDEN, path="*/jobs")
    break_calls(simulator, FaultKind.ERROR_BEFORE, path="/connect/token", count=3)
    simulator.state.tokens.revoke()
    lanes = [asyncio.create_task(upstream.desk.perform(ask, asker(ask.order.booking_id))) for ask in asks]
    refused = simulator.state.journal.by_status["403"]
    async with asyncio.timeout(30):
        while simulator.state.journal.by_status["403"] < refused + 3:
            await asyncio.sleep(0.01)
    assert upstream.gate.trouble is Trouble.REFUSALS
    assert not any(lane.done() for lane in lanes)
    simulator.state.faults.clear()
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*lanes)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert upstream.gate.trouble is None


async def test_what_is_only_read_or_on_the_way_to_a_job_does_not_end_refusals(
    upstream: Upstream,
) -> None:
    job = await create_job(upstream, "b")
    shut_by_refusals(upstream)
    async with asyncio.timeout(30):
        while not (await upstream.check_health()).well:
            await asyncio.sleep(0.01)
        assert value_of(await upstream.desk.perform(FindJob(booking_id="b"), asker("b")))
        order = customer_order(phone="+14805550199")
        value_of(await upstream.desk.perform(CreateCustomer(order=order), asker("+14805550199")))
        assert upstream.gate.trouble is Trouble.REFUSALS
        ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
        assert isinstance(await upstream.desk.perform(ask, asker("b")), Accepted)
    assert upstream.gate.trouble is None


async def test_a_429_does_not_end_refusals(upstream: Upstream, simulator: RunningSimulator) -> None:
    job = await create_job(upstream, "b")
    shut_by_refusals(upstream)
    break_calls(simulator, FaultKind.TOO_MANY, path="*/jobs", count=1, seconds=0.05)
    break_calls(simulator, FaultKind.FORBIDDEN, path="*/jobs")
    ask = CreateJob(order=job_order(job.customer_id, job.location_id, "b1"))
    lane = asyncio.create_task(upstream.desk.perform(ask, asker("b1")))
    async with asyncio.timeout(30):
        while simulator.state.journal.by_status["403"] < 2:
            assert not lane.done()
            await asyncio.sleep(0.01)
    assert upstream.gate.trouble is Trouble.REFUSALS
    simulator.state.faults.clear()
    async with asyncio.timeout(30):
        assert isinstance(await lane, Accepted)


@pytest.mark.parametrize("path", ["*/customers", "*/jobs"])
async def test_a_scope_that_is_missing_anywhere_on_the_way_to_a_job_stops_calls(
    upstream: Upstream, simulator: RunningSimulator, path: str
) -> None:
    """A new customer has a lane of its own, whose success is no booking's."""
    break_calls(simulator, FaultKind.FORBIDDEN, path=path)

    async def book(number: int) -> None:
        order = customer_order(phone=f"+1480555{number:04}")
        who = asker(order.phone)
        if isinstance(await upstream.desk.perform(FindCustomers(phone=order.phone), who), Refused):
            return
        made = value_of(await upstream.desk.perform(CreateCustomer(order=order), who))
        assert made.location_id is not None
        ask = CreateJob(order=job_order(made.customer_id, made.location_id, f"b{number}"))
        assert isinstance(await upstream.desk.perform(ask, asker(f"b{number}")), Refused)

    async with asyncio.timeout(30):
        for number in range(ENOUGH_LANES - 1):
            await book(number)
        assert not upstream.gate.is_open
        last = asyncio.create_task(book(ENOUGH_LANES))
        await some_probes(simulator, upstream)
    assert upstream.gate.trouble is Trouble.REFUSALS
    assert not last.done()
    last.cancel()
    await asyncio.wait([last])


async def test_what_an_operator_sends_again_is_no_sign_of_a_wrong_deployment(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream, "b")
    break_calls(simulator, FaultKind.FORBIDDEN, path="*/jobs")
    for lane in range(2 * ENOUGH_LANES):
        ask = CreateJob(order=job_order(job.customer_id, job.location_id, f"b{lane}"))
        outcome = await upstream.desk.perform(ask, asker(f"b{lane}", live=False))
        assert isinstance(outcome, Refused)
    assert not upstream.gate.is_open


async def test_a_backlog_after_an_outage_drains_at_the_pace(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    limit = 50
    simulator.state.throttle.per_second = limit
    upstream = make_upstream(calls_per_second=0.8 * limit)  # a busy machine may bunch calls up
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    finds = (upstream.desk.perform(FindJob(booking_id=f"b{n}"), asker(f"b{n}")) for n in range(2 * limit))
    async with asyncio.timeout(60):
        await asyncio.gather(*finds)
    assert "429" not in simulator.state.journal.by_status
