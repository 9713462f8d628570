"""Rule 2: a creation that may have been done is looked up, never sent again blindly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.flow import CREATE_JOB, booking, flow_on, simulated
from tests.support.simulated import add_job
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.flow import Flow

POST_JOB = "/jpm/v2/tenant/{tenant}/jobs"


@pytest.mark.parametrize("fault", ["error_after", "timeout_after", "drop", "half", "not_json"])
async def test_a_job_that_was_made_without_an_answer_is_found(flow: Flow, fault: str) -> None:
    flow.fault(fault, CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    view = await flow.view("b-1", state="active")
    (job,) = flow.jobs("b-1")
    assert view["job"]["id"] == job.id
    assert flow.calls("POST", POST_JOB) == 1
    assert flow.types("b-1") == ["job.created"]


async def test_a_job_that_is_made_after_the_time_out_is_waited_for(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    """Looked up at once, it is not there yet: nothing is believed only after the settle time."""
    patient = {"SERVICETITAN_TIMEOUT_SECONDS": "1", "SERVICETITAN_SETTLE_SECONDS": "8"}
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, **patient) as flow,
        worker_here(flow.settings),
    ):
        flow.fault("late", CREATE_JOB, count=1, seconds=5)
        await flow.send("created", "b-1")
        await flow.view("b-1", state="active")
        assert len(flow.jobs("b-1")) == 1
        assert flow.calls("POST", POST_JOB) == 1
        assert "nothing yet, but it may still be under way: look again" in flow.decisions("b-1")
        # Waiting for that spends no attempt.
        assert {one.headers["x-attempt"] for one in flow.timers("b-1")} == {b"1"}


async def test_a_job_that_was_never_made_is_made_once_that_is_sure(flow: Flow) -> None:
    flow.fault("drop_before", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    assert len(flow.jobs("b-1")) == 1
    assert flow.calls("POST", POST_JOB) == 2
    assert "not there: make it" in flow.decisions("b-1")


async def test_only_a_job_with_the_bookings_own_id_is_taken_for_its_own(flow: Flow) -> None:
    """The same customer has another job, made at the same time."""
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    flow.fault("error_before", CREATE_JOB, count=1)
    await flow.send("created", "b-2", booking(problemType="noisy_door"))
    view = await flow.view("b-2", state="active")
    (own,) = flow.jobs("b-2")
    assert view["job"]["id"] == own.id


async def test_of_two_jobs_the_oldest_is_taken_and_the_other_cancelled(flow: Flow) -> None:
    """The one gap of the protocol, played: somebody else's call made a second job meanwhile."""
    flow.fault("timeout_after", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.until(lambda: len(flow.jobs("b-1")) == 1)
    world = flow.simulator.state.world
    customer = world.customers.rows[flow.jobs("b-1")[0].customer_id]
    second = add_job(world, customer, "b-1")
    view = await flow.view("b-1", state="active")
    first, other = flow.jobs("b-1")
    assert view["job"]["id"] == first.id
    await flow.until(lambda: second.status == "Canceled")
    assert (other.id, first.status) == (second.id, "Scheduled")
    await flow.decided("b-1", "second job")


async def test_a_change_without_an_answer_is_looked_at_and_found_done(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    flow.fault("error_after", "/jpm/*/cancel", "PUT", count=1)
    flow.fault("drop", "*/assign-technicians", count=1)
    await flow.send("status_changed", "b-1", {"status": "dispatched", "technicianIds": [501]})
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="ended", status="cancelled")
    assert flow.effects("b-1").count("job.canceled") == 1
    assert flow.calls("PUT", "/jpm/v2/tenant/{tenant}/jobs/{id}/cancel") == 1
    assert flow.reasons("b-1") == []


async def test_a_customer_without_an_answer_is_made_once(flow: Flow) -> None:
    flow.fault("error_after", "/crm/*/customers", count=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    assert len(flow.simulator.state.world.customers) == 1
