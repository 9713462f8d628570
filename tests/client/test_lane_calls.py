"""What a lane learns of a call: whether a write of it may have been done, and when it went out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.booking.asks import FindJob, Reschedule
from app.booking.outcomes import Accepted, Failed, Unsure
from app.simulator.faults import FaultKind, FaultRequest
from app.stream.calls import LaneCalls
from app.stream.clock import elapsed
from tests.client.orders import LATER, create_job

if TYPE_CHECKING:
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator


def fault(simulator: RunningSimulator, **asked: object) -> None:
    simulator.state.faults.add(FaultRequest.model_validate(asked), simulator.state.monotonic())


@pytest.mark.parametrize(
    ("kind", "expected", "lost"),
    [
        (FaultKind.DROP, Unsure, True),
        # An answer, if a bad one: it is settled sooner.
        (FaultKind.ERROR_BEFORE, Unsure, False),
        (None, Accepted, False),
    ],
)
async def test_a_write_without_an_answer_is_told_with_the_time_at_which_it_went_out(
    upstream: Upstream,
    simulator: RunningSimulator,
    kind: FaultKind | None,
    expected: type[object],
    lost: bool,
) -> None:
    job = await create_job(upstream)
    lanes = LaneCalls(upstream.desk, lambda _: True)
    move = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    if kind is not None:
        fault(simulator, kind=kind, path="*/reschedule", count=1)

    before = elapsed()
    came = await lanes.perform(move, lane="b1", partition=0)

    assert isinstance(came.outcome, expected)
    assert came.sent_at is not None
    assert before <= came.sent_at <= elapsed()
    assert came.unanswered_at == (came.sent_at if lost else None)


async def test_a_read_without_an_answer_has_done_nothing(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    fault(simulator, kind=FaultKind.DROP, method="GET", path="*/jobs", count=1)
    look = FindJob(booking_id="b1", customer_id=None, created_on_or_after=None)

    came = await LaneCalls(upstream.desk, lambda _: True).perform(look, lane="b1", partition=0)

    assert isinstance(came.outcome, Failed)
    assert came.unanswered_at is None
