"""Rule 6: an upstream outage is no booking's fault; a wrong deployment does not empty the topic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.servicetitan.breaker import ENOUGH_LANES
from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

BOOKINGS = 30
OUTAGE_SECONDS = 9
"""Longer than all attempts with the tests' delays of one second."""


async def send_bookings(flow: Flow, first: int = 0) -> list[str]:
    ids = [f"b-{number}" for number in range(first, first + BOOKINGS)]
    for number, booking_id in enumerate(ids):
        await flow.send("created", booking_id, booking(phone=f"60255502{number:02}"))
    return ids


async def all_have_their_job(flow: Flow, ids: list[str]) -> None:
    await flow.until(lambda: all(flow.latest(one).get("state") == "active" for one in ids))
    assert [len(flow.jobs(one)) for one in ids] == [1] * len(ids)


async def test_an_outage_ends_without_a_dead_letter_and_every_booking_gets_its_job(flow: Flow) -> None:
    state = flow.simulator.state
    await flow.send("created", "before")
    await flow.view("before", state="active")
    outage = flow.fault("error_before", "*", "*", status=503, window={"end": OUTAGE_SECONDS})
    ids = await send_bookings(flow)
    await flow.until(lambda: outage.is_spent(state.monotonic()))
    assert outage.hits < 4 * BOOKINGS
    await all_have_their_job(flow, ids)
    assert flow.of(flow.topics.dead_letter.name) == []
    used = [int(one.headers["x-attempt"]) for topic in flow.topics.retry for one in flow.of(topic.name)]
    assert max(used, default=0) < 4


async def test_when_no_token_is_to_be_had_lanes_wait_and_spend_no_attempt(flow: Flow) -> None:
    flow.fault("unauthorized", "*", "*")
    flow.simulator.state.tokens.revoke()
    ids = await send_bookings(flow)
    before = flow.simulator.state.journal.total
    await flow.until(lambda: flow.simulator.state.journal.total > before + 3)
    assert flow.of(flow.topics.dead_letter.name) == []
    flow.well_again()
    await all_have_their_job(flow, ids)
    assert flow.of(flow.topics.dead_letter.name) == []
    assert all(flow.timers(one) == [] for one in ids)


async def test_when_most_bookings_are_refused_the_rest_wait_for_the_deployment_to_be_mended(
    flow: Flow,
) -> None:
    flow.fault("forbidden", CREATE_JOB)
    ids = await send_bookings(flow)
    # The one that stops calls waits already.
    await flow.until(lambda: len(flow.of(flow.topics.dead_letter.name)) >= ENOUGH_LANES - 1)
    # Time for many more, if nothing stopped them.
    await asyncio.sleep(2)
    held = [one for one in ids if flow.latest(one).get("state") == "held"]
    assert len(held) == ENOUGH_LANES - 1
    assert {flow.latest(one)["problem"]["reason"] for one in held} == {"not-permitted"}
    flow.well_again()
    await all_have_their_job(flow, [one for one in ids if one not in held])
    assert len(flow.of(flow.topics.dead_letter.name)) == len(held)
