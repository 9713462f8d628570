"""Asks about customers, against the simulator with the seed's triggers."""

import pytest

from app.booking.asks import (
    AddContact,
    ContactKind,
    CreateCustomer,
    CreateLocation,
    FindCustomers,
    FindLocations,
    ReadContacts,
    ReadCustomer,
)
from app.booking.outcomes import Refused
from app.booking.reasons import Reason
from app.servicetitan.upstream import Upstream
from app.simulator.server import RunningSimulator
from tests.client.orders import asker, customer_order, value_of


async def test_a_created_customer_has_its_location_and_contacts(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    made = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    assert (made.name, made.street, made.zip) == ("Jane Roe", "1 Main St", "85201")
    row = simulator.state.world.customers.rows[made.customer_id]
    mine = {("Email", "jane@example.com"), ("MobilePhone", "4805551234")}
    assert {(contact.type.value, contact.value) for contact in row.contacts} == mine
    (place,) = (simulator.state.world.locations.rows[row_id] for row_id in row.location_ids)
    assert {(contact.type.value, contact.value) for contact in place.contacts} == mine
    seen = value_of(await upstream.desk.perform(FindLocations(customer_id=made.customer_id), asker()))
    assert [location.location_id for location in seen] == [made.location_id]


@pytest.mark.parametrize("phone", ["+14805551234", "14805551234", "4805551234", "(480) 555-1234"])
async def test_a_customer_is_found_by_its_phone_however_it_is_written(upstream: Upstream, phone: str) -> None:
    made = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    found = value_of(await upstream.desk.perform(FindCustomers(phone=phone), asker()))
    assert [(row.customer_id, row.street, row.zip) for row in found] == [
        (made.customer_id, "1 Main St", "85201")
    ]


async def test_nobody_is_found_by_an_unknown_phone(upstream: Upstream) -> None:
    await upstream.desk.perform(CreateCustomer(order=customer_order()), asker())
    assert value_of(await upstream.desk.perform(FindCustomers(phone="+16025550000"), asker())) == ()


async def test_a_customer_gets_one_more_location(upstream: Upstream) -> None:
    made = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    order = customer_order(street="2 Oak Ave", zip="85251")
    ask = CreateLocation(customer_id=made.customer_id, order=order)
    second = value_of(await upstream.desk.perform(ask, asker()))
    assert (second.street, second.zip) == ("2 Oak Ave", "85251")
    seen = value_of(await upstream.desk.perform(FindLocations(customer_id=made.customer_id), asker()))
    assert [row.location_id for row in seen] == [made.location_id, second.location_id]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": "error@test.com"}, Reason.CUSTOMER_CONFLICT),
        ({"zip": "00000"}, Reason.AREA_NOT_SUPPORTED),
        ({"phone": "0000000000"}, Reason.PHONE_REFUSED),
    ],
)
async def test_each_refusal_has_its_reason(
    upstream: Upstream, changes: dict[str, str], reason: Reason
) -> None:
    outcome = await upstream.desk.perform(CreateCustomer(order=customer_order(**changes)), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert "error@test.com" not in outcome.detail


async def test_a_location_of_an_unknown_customer_is_refused(upstream: Upstream) -> None:
    outcome = await upstream.desk.perform(CreateLocation(customer_id=9999, order=customer_order()), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED


async def test_a_customer_is_read_with_what_the_office_says_of_it(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    made = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    row = simulator.state.world.customers.rows[made.customer_id]
    ask = ReadCustomer(customer_id=made.customer_id)
    seen = value_of(await upstream.desk.perform(ask, asker()))
    assert seen is not None
    assert (seen.name, seen.do_not_service) == ("Jane Roe", False)
    row.do_not_service = True
    seen = value_of(await upstream.desk.perform(ask, asker()))
    assert seen is not None
    assert seen.do_not_service
    (found,) = value_of(await upstream.desk.perform(FindCustomers(phone="+14805551234"), asker()))
    assert found.do_not_service
    row.active = False
    assert value_of(await upstream.desk.perform(ask, asker())) is None
    assert value_of(await upstream.desk.perform(ReadContacts(customer_id=row.id), asker())) == ()
    assert value_of(await upstream.desk.perform(ReadCustomer(customer_id=9999), asker())) is None


async def test_a_contact_is_added_and_read(upstream: Upstream) -> None:
    made = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    for kind, value in ((ContactKind.MOBILE, "+16025550000"), (ContactKind.EMAIL, "j@example.com")):
        ask = AddContact(customer_id=made.customer_id, kind=kind, value=value)
        value_of(await upstream.desk.perform(ask, asker()))
    contacts = value_of(await upstream.desk.perform(ReadContacts(customer_id=made.customer_id), asker()))
    assert {(contact.kind, contact.value) for contact in contacts} >= {
        ("MobilePhone", "6025550000"),
        ("Email", "j@example.com"),
    }
