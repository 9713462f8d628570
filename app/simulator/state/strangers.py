"""Who is there before the first booking comes: customers that the office made, and their jobs."""

from datetime import timedelta

from app.simulator.state import jobs, people
from app.simulator.state.records import CustomerRow, Refusal
from app.simulator.state.world import World
from app.simulator.tenant import Stranger
from app.simulator.wire.crm import Address, ContactRequest, ContactType, CreateCustomer, LocationRequest
from app.simulator.wire.jpm import AppointmentRequest, CreateJob, JobCustomField

ORIGIN = "the office"


def settle_in(world: World) -> None:
    """Make the tenant's strangers; what is made later has higher ids. Raises ValueError for wrong data."""
    if not world.tenant.strangers:
        return
    world.origin.name = ORIGIN
    for stranger in world.tenant.strangers:
        customer = _customer(world, stranger)
        for nth in range(stranger.jobs):
            _job(world, stranger, customer, nth)
    world.first_of_ours = world.next_id()


def _customer(world: World, stranger: Stranger) -> CustomerRow:
    city, state, zip_code = stranger.place
    address = Address(street=stranger.street, city=city, state=state, zip=zip_code, country="USA")
    made = people.create_customer(
        world,
        CreateCustomer(
            name=stranger.name,
            address=address,
            locations=(LocationRequest(name=stranger.name, address=address),),
            contacts=(ContactRequest(type=ContactType.PHONE, value=stranger.phone),),
            do_not_service=stranger.do_not_service,
        ),
    )
    if isinstance(made, Refusal):
        raise ValueError(f"{stranger.name}: {made}")  # noqa: TRY004 - the data is wrong
    return made


def _job(world: World, stranger: Stranger, customer: CustomerRow, nth: int) -> None:
    """One job, in the first arrival window of a day to come."""
    kind = world.catalogue.job_types.rows[stranger.kind]
    window = world.catalogue.arrival_windows.in_order[0]
    zone = world.tenant.zone_of(stranger.place[-1])
    day = (world.now().astimezone(zone) + timedelta(days=1 + nth)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    start, end = day + window.start, day + window.start + window.duration
    visit = AppointmentRequest(
        start=start,
        end=start + timedelta(minutes=kind.minutes),
        arrival_window_start=start,
        arrival_window_end=end,
    )
    made = jobs.create_job(
        world,
        CreateJob(
            customer_id=customer.id,
            location_id=customer.location_ids[0],
            business_unit_id=stranger.unit,
            job_type_id=stranger.kind,
            priority=kind.priority,
            campaign_id=world.catalogue.campaigns.in_order[-1].id,
            summary=f"{kind.name}, by phone",
            custom_fields=tuple(
                JobCustomField(type_id=row_id, value="as told") for row_id in kind.required_fields
            ),
            appointments=(visit,),
        ),
    )
    if isinstance(made, Refusal):
        raise ValueError(f"{stranger.name}: {made}")  # noqa: TRY004 - the data is wrong
