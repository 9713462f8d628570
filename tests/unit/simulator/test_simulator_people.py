import pytest

from app.simulator.state import external, people
from app.simulator.state.records import BookingRow, CustomerRow, LocationRow, Refusal
from app.simulator.wire.crm import (
    Address,
    AddressPatch,
    ContactRequest,
    ContactType,
    CreateBooking,
    CreateCustomer,
    CreateLocation,
    CustomerType,
    LocationRequest,
    PatchBooking,
    PatchCustomer,
)
from app.simulator.wire.envelope import ExternalDataEntry, ExternalDataRequest
from tests.support.simulated import ADDRESS, GUID, add_customer, make_world


def external_request(mode: str | None = None, **pairs: str | None) -> ExternalDataRequest:
    return ExternalDataRequest(
        application_guid=GUID.upper(),
        external_data=tuple(ExternalDataEntry(key=key, value=value) for key, value in pairs.items()),
        patch_mode=mode,
    )


@pytest.mark.parametrize(
    ("contact", "zip_code", "refusal"),
    [
        (ContactRequest(type=ContactType.EMAIL, value="Error@Test.com"), "85001", people.CUSTOMER_CONFLICT),
        (ContactRequest(type=ContactType.PHONE, value="(000) 000-0000"), "85001", people.PHONE_REFUSED),
        (ContactRequest(type=ContactType.PHONE, value="6025550100"), "00000", people.AREA_NOT_SUPPORTED),
    ],
)
def test_triggers_refuse_a_customer_and_leave_nothing(
    contact: ContactRequest, zip_code: str, refusal: Refusal
) -> None:
    world = make_world()
    address = Address(**{**ADDRESS.model_dump(by_alias=False), "zip": zip_code})
    request = CreateCustomer(
        name="Jo",
        address=ADDRESS,
        locations=(LocationRequest(name="H", address=address),),
        contacts=(contact,),
    )
    assert people.create_customer(world, request) == refusal
    assert not len(world.customers)
    assert not world.effects


def test_titles_tell_the_refusals_apart() -> None:
    refusals = (people.CUSTOMER_CONFLICT, people.AREA_NOT_SUPPORTED, people.PHONE_REFUSED)
    assert len({refusal.title for refusal in refusals}) == 3
    assert [list(refusal.errors) for refusal in refusals] == [["email"], ["zip"], ["phone"]]


def test_duplicates_are_not_refused() -> None:
    world = make_world()
    first, second = add_customer(world), add_customer(world)
    assert first.id != second.id
    assert world.customers_by_phone.get("6025550100") == [first.id, second.id]


def test_a_contact_of_a_new_location_is_copied_to_the_customer() -> None:
    world = make_world()
    customer = add_customer(world)
    request = CreateLocation(
        customer_id=customer.id,
        name="Shop",
        address=ADDRESS,
        contacts=(ContactRequest(type=ContactType.PHONE, value="6025550199"),),
    )
    location = people.create_location(world, request)
    assert isinstance(location, LocationRow)
    assert [contact.value for contact in customer.contacts] == ["+1 602-555-0100", "6025550199"]
    assert customer.contacts[1].id != location.contacts[0].id


def test_a_location_of_nobody_is_a_conflict() -> None:
    refused = people.create_location(make_world(), CreateLocation(customer_id=1, name="x", address=ADDRESS))
    assert isinstance(refused, Refusal)
    assert refused.status == 409


def test_a_contact_does_not_move_the_customers_modified_on() -> None:
    world = make_world()
    customer = add_customer(world)
    before = customer.change
    people.create_contact(world, customer, ContactRequest(type=ContactType.EMAIL, value="a@example.com"))
    assert customer.change == before


def test_an_inactive_customer_takes_no_contacts() -> None:
    world = make_world()
    customer = add_customer(world)
    people.patch_customer(world, customer, PatchCustomer(active=False))
    refused = people.create_contact(
        world, customer, ContactRequest(type=ContactType.EMAIL, value="a@example.com")
    )
    assert isinstance(refused, Refusal)
    assert refused.title == f"Customer ID = {customer.id} is not active"


def test_a_patch_changes_only_what_it_sets() -> None:
    world = make_world()
    customer = add_customer(world)
    people.patch_customer(
        world, customer, PatchCustomer(type=CustomerType.COMMERCIAL, address=AddressPatch(city="Mesa"))
    )
    assert (customer.name, customer.type) == ("Jo Doe", CustomerType.COMMERCIAL)
    assert (customer.address.city, customer.address.street) == ("Mesa", "1 Main St")


def test_external_data_is_replaced_or_merged() -> None:
    pairs = external.written({}, external_request(a="1", b="2"))
    assert external.written(pairs, external_request(c="3")) == {GUID: [("c", "3")]}
    merged = external.written(pairs, external_request("Merge", b=None, c="3"))
    assert merged == {GUID: [("a", "1"), ("c", "3")]}
    assert external.written(pairs, None) == pairs


def test_external_data_is_shown_only_under_its_guid() -> None:
    pairs = external.written({}, external_request(a="1"))
    assert external.shown(pairs, None) is None
    assert external.shown(pairs, "another") == ()
    shown = external.shown(pairs, GUID.upper())
    assert shown is not None
    assert [(item.key, item.value) for item in shown] == [("a", "1")]


def test_changed_external_data_is_found_under_its_new_value_only() -> None:
    world = make_world()
    customer = add_customer(world)
    for value in ("1", "2"):
        people.patch_customer(world, customer, PatchCustomer(external_data=external_request(k=value)))
    found = [world.customers_by_external.get((GUID, "k", value)) for value in ("1", "2")]
    assert found == [[], [customer.id]]
    assert isinstance(customer, CustomerRow)


def test_a_booking_is_changed_and_dismissed_only_while_new() -> None:
    world = make_world()
    refused = people.create_booking(
        world,
        5,
        CreateBooking(source="web", name="a", summary="b", is_first_time_client=True, external_id="x"),
    )
    assert isinstance(refused, Refusal)
    row = people.create_booking(
        world,
        5,
        CreateBooking(
            source="web",
            name="a",
            summary="b",
            is_first_time_client=True,
            external_id="x",
            address=AddressPatch(city="Mesa"),
        ),
    )
    assert isinstance(row, BookingRow)
    assert isinstance(people.patch_booking(world, row, PatchBooking(name="c")), BookingRow)
    assert row.request.name == "c"
    assert people.dismiss_booking(world, row, 9) is None
    for outcome in (
        people.patch_booking(world, row, PatchBooking(name="d")),
        people.dismiss_booking(world, row, 9),
    ):
        assert isinstance(outcome, Refusal)
        assert outcome.status == 409
