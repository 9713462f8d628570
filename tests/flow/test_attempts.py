"""Rule 1: one attempt and up to three retries after the set delays; a refusal is never tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.settings import load
from tests.support.flow import CREATE_JOB, booking, event, flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.flow import Flow

POST_JOB = "/jpm/v2/tenant/{tenant}/jobs"


async def test_a_creation_is_tried_four_times_and_then_held(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    """The retry topics carry the event's own bytes and headers; each is named after its delay."""
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, RETRY_DELAYS="1,2,3") as flow,
        worker_here(flow.settings),
    ):
        flow.fault("error_before", CREATE_JOB)
        value = event("created", "b-1", booking(), "e-1")
        await flow.send_raw(b"b-1", value, headers={"mine": b"1", "x-turn": b"77"})
        view = await flow.view("b-1", state="held")
    assert flow.simulator.state.journal.by_route[f"POST {POST_JOB}"] >= 4
    assert view["problem"]["reason"] == "retries-used-up"
    assert (view["problem"]["attempts"], view["problem"]["httpStatus"]) == (4, 500)
    assert [topic.name.removeprefix(unique_prefix) for topic in flow.topics.retry] == [
        "booking-events-retry-1s",
        "booking-events-retry-2s",
        "booking-events-retry-3s",
    ]
    tries = {(one.topic.removeprefix(unique_prefix), one.headers["x-attempt"]) for one in flow.timers("b-1")}
    assert {
        ("booking-events-retry-1s", b"1"),
        ("booking-events-retry-2s", b"2"),
        ("booking-events-retry-3s", b"3"),
    } <= tries
    for one in flow.timers("b-1"):
        assert one.value == value
        assert (one.key, one.headers["mine"]) == (b"b-1", b"1")
        assert {"x-attempt", "x-due", "x-turn"} <= one.headers.keys()
    (letter,) = flow.of(flow.topics.dead_letter.name, "b-1")
    assert letter.value == value
    assert letter.headers["x-attempt"] == b"4"


async def test_a_change_is_tried_four_times_and_then_dead_lettered(flow: Flow) -> None:
    """Nothing else is called at first that would show that ServiceTitan is there, and others are served."""
    await flow.send("created", "b-1")
    job = (await flow.view("b-1", state="active"))["job"]["id"]
    flow.fault("error_before", f"/jpm/*/jobs/{job}/cancel", "PUT")
    await flow.send("cancelled", "b-1", {})
    await flow.until(lambda: flow.calls("PUT", "/jpm/v2/tenant/{tenant}/jobs/{id}/cancel") == 2)
    await flow.send("created", "b-2", booking(phone="6025550202"))
    await flow.view("b-2", state="active")
    (letter,) = await flow.dead("b-1")
    assert letter.headers["x-reason"] == b"retries-used-up"
    assert letter.headers["x-attempt"] == b"4"
    assert letter.headers["x-http-status"] == b"500"
    assert flow.calls("PUT", "/jpm/v2/tenant/{tenant}/jobs/{id}/cancel") == 4
    assert flow.latest("b-1")["state"] == "active"
    assert flow.types("b-1") == ["job.created", "event.dead_lettered"]


async def test_what_fails_a_few_times_is_done_in_the_end(flow: Flow) -> None:
    """A read that failed, a server's error and a full token bucket: none of it reaches the outside."""
    flow.fault("error_before", "/crm/*/customers", "GET", count=1)
    flow.fault("error_before", CREATE_JOB, count=1)
    flow.fault("too_many", "/crm/*/customers", count=1, seconds=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    assert flow.types("b-1") == ["job.created"]
    assert flow.effects("b-1") == ["job.created"]
    assert flow.reasons("b-1") == []
    attempts = [one.headers["x-attempt"] for one in flow.timers("b-1")]
    # The 429 is nobody's attempt.
    assert attempts == [b"1", b"2"]


async def test_a_row_that_owes_a_timer_of_former_delays_is_served(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, RETRY_DELAYS="2,5") as flow,
    ):
        flow.fault("error_before", CREATE_JOB, count=1)
        async with worker_here(flow.settings):
            await flow.send("created", "b-1")
            await flow.until(lambda: flow.timers("b-1"))
        async with worker_here(load({**flow.environ, "RETRY_DELAYS": "1,3"})):
            await flow.view("b-1", state="active")
    assert flow.effects("b-1") == ["job.created"]


@pytest.mark.parametrize(("fault", "reason"), [("conflict", "refused"), ("forbidden", "not-permitted")])
async def test_a_refusal_is_never_tried_again(flow: Flow, fault: str, reason: str) -> None:
    flow.fault(fault, CREATE_JOB)
    await flow.send("created", "b-1")
    view = await flow.view("b-1", state="held")
    assert (view["problem"]["reason"], view["problem"]["attempts"]) == (reason, 1)
    assert flow.calls("POST", POST_JOB) == 1
    assert flow.timers("b-1") == []
