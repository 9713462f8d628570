"""The business's names in ServiceTitan's lists: each found once, or said; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.booking.asks import Cancel, CreateCustomer, CreateJob, FindJob
from app.booking.business import Business, parse
from app.booking.outcomes import Accepted, Refused
from app.servicetitan.breaker import ENOUGH_LANES
from tests.client.orders import asker, customer_order, job_order, value_of
from tests.support.simulated import GUID

if TYPE_CHECKING:
    from app.booking.asks import JobSeen
    from app.booking.outcomes import Outcome
    from app.servicetitan.desk import Asker
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator
    from tests.client.conftest import MakeUpstream


def business(**changes: str) -> Business:
    """A business whose names the simulator has, but for what is changed."""
    names = {
        "time_zone": "America/Phoenix",
        "business_unit": "Mesa_East",
        "job_type": "Noisy Door",
        "campaign": "Referral",
        "cancel_reason": "No Show",
    } | changes
    text = "".join(f'{key} = "{name}"\n' for key, name in names.items())
    found = parse(
        text + 'tags = ["Warranty"]\nproblems.gate = { description = "Gate", priority = "low", minutes = 45 }'
    )
    assert isinstance(found, Business)
    return found


async def a_creation(
    upstream: Upstream,
    lane: str = "b1",
    **changes: Any,  # noqa: ANN401 - any field of an order
) -> tuple[CreateJob, Asker]:
    """A job to be made for a new customer, and the booking that asks for it."""
    customer = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker(lane)))
    order = job_order(customer.customer_id, customer.location_id or 0, lane, **changes)
    return CreateJob(order=order), asker(lane)


async def create(upstream: Upstream, **changes: object) -> Outcome[JobSeen]:
    return await upstream.desk.perform(*await a_creation(upstream, "b1", **changes))


@pytest.mark.parametrize("guid", [GUID, "00000000-0000-4000-8000-000000000002"])
async def test_a_job_is_made_and_cancelled_with_the_business_s_names(
    make_upstream: MakeUpstream, simulator: RunningSimulator, guid: str
) -> None:
    upstream = make_upstream(business=business(), application_guid=guid)
    tags = ("Warranty", "Spring", "Warranty")
    job = value_of(await create(upstream, job_type="Noisy Door", tags=tags))
    value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="x"), asker()))
    row = simulator.state.world.jobs.rows[job.job_id]
    assert (row.job_type_id, row.campaign_id, row.tag_type_ids) == (206, 303, (603, 602))
    assert [log.reason_id for log in row.cancellations] == [404]
    assert value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker()))


async def test_every_name_that_is_not_there_is_told_with_its_place_and_what_there_is(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    simulator.state.world.catalogue.campaigns.rows[302].name = "Referral"
    upstream = make_upstream(business=business(job_type="Oil change", cancel_reason="no show"))
    assert list(upstream.name_complaints) == []

    found = await upstream.look_at_names()
    assert isinstance(found, Accepted)
    lines = found.value

    assert list(lines) == list(upstream.name_complaints)
    assert [line.partition("; there: ")[0] for line in lines] == [
        "BUSINESS_FILE job_type: 'Oil change' is not among ServiceTitan's active job types",
        "BUSINESS_FILE campaign: 'Referral' stands 2 times among ServiceTitan's active campaigns",
        "BUSINESS_FILE cancel_reason: 'no show' is not among ServiceTitan's active job cancel reasons",
    ]
    assert lines[2].endswith("; there: Customer Request, Booked by Mistake, Out of Service Area, No Show")


async def test_names_that_are_all_there_are_nothing_to_tell(make_upstream: MakeUpstream) -> None:
    assert value_of(await make_upstream().look_at_names()) == ()


async def test_a_unit_that_is_renamed_in_the_middle_of_the_day_stops_only_what_needs_it(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    upstream = make_upstream(business=business())
    simulator.state.world.catalogue.business_units.rows[104].name = "Mesa"

    refused = await create(upstream, job_type="Noisy Door")
    other = await create(upstream, job_type="Noisy Door", business_unit="Phoenix_Metro")

    assert isinstance(refused, Refused)
    assert "'Mesa_East' is not among ServiceTitan's active business units; there: " in refused.detail
    value_of(other)
    assert [line.partition(":")[0] for line in upstream.name_complaints] == ["BUSINESS_FILE business_unit"]


async def test_however_many_need_a_name_that_is_missing_they_stop_nobody_else(
    make_upstream: MakeUpstream,
) -> None:
    """What is wrong is known: no calls stop for it, and who cancels a visit need not wait."""
    upstream = make_upstream(business=business(campaign="Radio"))
    made = value_of(await make_upstream(business=business()).desk.perform(*await a_creation(upstream, "b")))
    lanes = [await a_creation(upstream, f"b{number}") for number in range(2 * ENOUGH_LANES)]

    refused = [await upstream.desk.perform(ask, who) for ask, who in lanes]

    assert {type(outcome) for outcome in refused} == {Refused}
    assert not upstream.gate.is_open
    value_of(await upstream.desk.perform(Cancel(job_id=made.job_id, memo="x"), asker("b")))


async def test_in_simulation_the_first_row_stands_in_and_nothing_is_complained_of(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    wrong = business(campaign="Radio")
    upstream = make_upstream(business=wrong, guess_names=True)
    job = value_of(await create(upstream, job_type="x", business_unit="y", tags=("z",)))
    row = simulator.state.world.jobs.rows[job.job_id]
    assert (row.job_type_id, row.business_unit_id, row.campaign_id, row.tag_type_ids) == (
        201,
        101,
        301,
        (601,),
    )
    assert value_of(await upstream.look_at_names()) == ()
