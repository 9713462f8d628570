"""Which customer a booking asks for, and the lane that finds or makes it once."""

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from app.booking.asks import (
    AddContact,
    ContactKind,
    ContactSeen,
    CreateCustomer,
    CreateLocation,
    CustomerSeen,
    FindCustomers,
    FindLocations,
    LocationSeen,
    ReadContacts,
    ReadCustomer,
)
from app.booking.customer_lane import (
    CallCustomer,
    CustomerRequest,
    CustomerRow,
    IntendCustomer,
    Known,
    SaveCustomer,
    after_intent,
    after_row,
    decode_request,
    decode_row,
    encode_request,
    encode_row,
    is_open,
    resolve,
    row_of,
)
from app.booking.customers import customer_digest, customer_order, customers_of, order_digest
from app.booking.inputs import Intent
from app.booking.outcomes import Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Record
from tests.support.bookings import NOW, accepted, booking, later

ORDER = customer_order(booking())
REQUEST = CustomerRequest(booking_id="booking-1", turn=3, order=ORDER)
ADA = CustomerSeen(customer_id=7, name="ADA LOVELACE", street="12 Main Street", zip="85004", location_id=8)
HOME = LocationSeen(customer_id=7, location_id=8, street="12 Main St", zip="85004-1234")
FOUND = Known(customer_id=7, location_id=8, name="ADA LOVELACE")
CONTACTS = (
    ContactSeen(kind="MobilePhone", value="602-555-0123"),
    ContactSeen(kind="Email", value=ORDER.email.upper()),
)
AWAY = Failed(detail="away")
NO_ANSWER = Unsure(detail="time-out")


def ends(steps: Generator[Any, Any, Any], *answers: object) -> tuple[list[Any], Any]:
    """The effects wanted, with these answers, and what it came to."""
    left = list(answers)
    effects: list[Any] = []
    answer: object = None
    while True:
        try:
            effect = steps.send(answer)
        except StopIteration as ended:
            return effects, ended.value
        effects.append(effect.ask if isinstance(effect, CallCustomer) else effect)
        answer = left.pop(0) if isinstance(effect, CallCustomer) else None


def resolving(
    *answers: object,
    under_way: bool = False,
    row: CustomerRow | None = None,
    now: datetime = NOW,
    by_name: bool = False,
) -> tuple[list[Any], Any]:
    return ends(resolve(REQUEST, row, now=now, under_way=under_way, by_name=by_name), *answers)


def test_an_order_has_the_phone_in_one_spelling() -> None:
    assert (ORDER.name, ORDER.phone) == ("Ada Lovelace", "+16025550123")


def test_the_digest_is_the_same_however_the_data_was_typed() -> None:
    typed = booking(
        firstName="ADA", phone="602.555.0123", address="12  main street", email="other@example.com"
    )

    assert customer_digest(typed) == customer_digest(booking()) == order_digest(ORDER) == "CMy0o0XwReDvxvSW"


@pytest.mark.parametrize(
    "changes", [{"lastName": "Byron"}, {"phone": "6025550124"}, {"address": "13 Main Street"}]
)
def test_another_name_phone_or_address_is_another_customer(changes: dict[str, object]) -> None:
    assert customer_digest(booking(**changes)) != customer_digest(booking())


def test_a_known_customer_needs_no_call() -> None:
    row = CustomerRow(customer_id=7, location_id=8, at=NOW)

    for now in (NOW, later(299)):
        known = Known(customer_id=7, location_id=8)
        assert resolving(row=row, under_way=True, now=now) == ([], known)


def test_a_customer_at_this_door_is_found() -> None:
    effects, answer = resolving(accepted((ADA,)), accepted((HOME,)), accepted(CONTACTS))

    assert effects == [
        FindCustomers(phone=ORDER.phone),
        FindLocations(customer_id=7),
        ReadContacts(customer_id=7),
        SaveCustomer(REQUEST.digest, FOUND),
    ]
    assert answer == FOUND


@pytest.mark.parametrize("name", ["Augusta Lovelace", "Ada L.", "William King"])
def test_one_phone_at_one_door_is_one_customer_whatever_the_name(name: str) -> None:
    person = replace(ADA, name=name)
    effects, answer = resolving(accepted((person,)), accepted((HOME,)), accepted(CONTACTS))

    assert not any(isinstance(effect, CreateCustomer | CreateLocation) for effect in effects)
    assert answer == Known(customer_id=7, location_id=8, name=name)


def test_another_name_at_the_same_door_is_another_customer_where_the_business_says_so() -> None:
    person = replace(ADA, name="William King")
    effects, _ = resolving(accepted((person,)), accepted(ADA), by_name=True)

    assert [type(effect) for effect in effects] == [
        FindCustomers,
        IntendCustomer,
        CreateCustomer,
        SaveCustomer,
    ]


def test_the_one_who_lives_at_the_door_is_looked_at_first() -> None:
    other = CustomerSeen(customer_id=5, name="Ada Lovelace", street="1 Elm Road", zip="85004")
    here = CustomerSeen(customer_id=6, name="William King", street="12 Main St.", zip="85004")
    home = replace(HOME, customer_id=6)
    effects, answer = resolving(accepted((other, here)), accepted((home,)), accepted(CONTACTS))

    assert effects[1] == FindLocations(customer_id=6)
    assert answer == Known(customer_id=6, location_id=8, name="William King")


def test_of_two_who_live_at_the_door_the_one_of_this_name_is_looked_at_first() -> None:
    husband = replace(ADA, customer_id=6, name="William King")
    effects, answer = resolving(accepted((husband, ADA)), accepted((HOME,)), accepted(CONTACTS))

    assert effects[1] == FindLocations(customer_id=7)
    assert answer == FOUND


def test_who_has_not_got_the_phone_after_all_is_a_stranger() -> None:
    strangers = accepted((ContactSeen(kind="Phone", value="6025550999"),))
    effects, _ = resolving(accepted((ADA,)), accepted((HOME,)), strangers, strangers, accepted(ADA))

    assert [type(effect) for effect in effects][-3:] == [IntendCustomer, CreateCustomer, SaveCustomer]


@pytest.mark.parametrize("places", [(HOME,), ()])
def test_who_is_not_to_be_served_gets_no_job(places: tuple[LocationSeen, ...]) -> None:
    marked = replace(ADA, do_not_service=True)
    effects, answer = resolving(accepted((marked,)), accepted(places), accepted(CONTACTS))

    assert isinstance(answer, Refused)
    assert (answer.reason, "customer 7" in answer.detail) == (Reason.DO_NOT_SERVICE, True)
    assert not any(isinstance(effect, IntendCustomer | SaveCustomer) for effect in effects)


def test_an_answer_that_is_not_of_just_now_is_looked_at_once_more() -> None:
    row = CustomerRow(customer_id=7, location_id=8, at=NOW, name=ADA.name)
    then = later(300)

    effects, answer = resolving(accepted(ADA), row=row, now=then)
    assert effects == [ReadCustomer(customer_id=7), SaveCustomer(REQUEST.digest, FOUND)]
    assert answer == FOUND

    effects, answer = resolving(accepted(replace(ADA, do_not_service=True)), row=row, now=then)
    assert isinstance(answer, Refused)

    effects, answer = resolving(AWAY, row=row, now=then)
    assert answer == AWAY

    effects, answer = resolving(accepted(None), accepted(()), accepted(ADA), row=row, now=then)
    assert effects[1] == FindCustomers(phone=ORDER.phone)
    assert answer == FOUND


def test_a_known_customer_gets_the_e_mail_and_the_mobile_that_are_missing() -> None:
    bare = accepted((ContactSeen(kind="Phone", value="(602) 555-0123"),))
    effects, answer = resolving(accepted((ADA,)), accepted((HOME,)), bare, AWAY, NO_ANSWER)

    assert effects[-2:] == [
        AddContact(customer_id=7, kind=ContactKind.EMAIL, value=ORDER.email),
        AddContact(customer_id=7, kind=ContactKind.MOBILE, value=ORDER.phone),
    ]
    assert answer == FOUND


def test_what_cannot_be_told_of_the_contacts_makes_nothing() -> None:
    for places in ((HOME,), ()):
        effects, answer = resolving(accepted((ADA,)), accepted(places), AWAY)
        assert answer == AWAY
        assert isinstance(effects[-1], ReadContacts)


def test_a_stranger_with_this_phone_is_not_taken() -> None:
    stranger = CustomerSeen(customer_id=5, name="Somebody Else", street="", zip="")

    effects, answer = resolving(accepted((stranger,)), accepted(()), accepted(ADA))

    assert [type(effect) for effect in effects] == [
        FindCustomers,
        FindLocations,
        IntendCustomer,
        CreateCustomer,
        SaveCustomer,
    ]
    assert answer == FOUND


def test_another_door_of_a_customer_is_made() -> None:
    elsewhere = LocationSeen(customer_id=7, location_id=1, street="1 Elm Road", zip="85004")

    effects, answer = resolving(accepted((ADA,)), accepted((elsewhere,)), accepted(CONTACTS), accepted(HOME))

    assert CreateLocation(customer_id=7, order=ORDER) in effects
    assert answer == FOUND


@pytest.mark.parametrize("answers", [(AWAY,), (accepted((ADA,)), AWAY)])
def test_a_look_up_that_fails_while_a_creation_may_be_under_way_is_no_attempt(
    answers: tuple[object, ...],
) -> None:
    _, answer = resolving(*answers, under_way=True)
    assert answer == Busy(detail="away")
    _, answer = resolving(*answers)
    assert answer == AWAY


def test_nothing_is_made_while_a_creation_of_this_phone_may_be_under_way() -> None:
    effects, answer = resolving(accepted(()), under_way=True)

    assert [type(effect) for effect in effects] == [FindCustomers]
    assert isinstance(answer, Busy)


@pytest.mark.parametrize("answers", [(AWAY,), (accepted((ADA,)), AWAY)])
def test_a_search_that_failed_makes_nothing(answers: tuple[object, ...]) -> None:
    effects, answer = resolving(*answers)

    assert answer == AWAY
    assert not any(isinstance(effect, IntendCustomer | SaveCustomer) for effect in effects)


@pytest.mark.parametrize(
    "outcome", [AWAY, Busy(detail="429"), Refused(reason=Reason.PHONE_REFUSED, detail="no")]
)
def test_what_was_surely_not_made_leaves_nothing_under_way(outcome: object) -> None:
    effects, answer = resolving(accepted(()), outcome)

    assert effects[-1] == SaveCustomer(REQUEST.digest, None)
    assert answer == outcome


def test_what_is_unsure_stays_under_way() -> None:
    effects, answer = resolving(accepted(()), NO_ANSWER)

    assert isinstance(effects[-1], CreateCustomer)
    assert answer == NO_ANSWER


def test_a_customer_made_without_a_place_is_unsure() -> None:
    seen = CustomerSeen(customer_id=7, name="Ada Lovelace", street="", zip="")

    _, answer = resolving(accepted(()), accepted(seen))

    assert isinstance(answer, Unsure)


def test_an_intent_is_open_until_its_row_is_written() -> None:
    intent = Intent(turn=0, what=REQUEST.digest, at=later(10))

    assert not is_open(None, None)
    assert is_open(intent, None)
    assert is_open(intent, CustomerRow(customer_id=None, location_id=None, at=later(9)))
    assert not is_open(intent, CustomerRow(customer_id=None, location_id=None, at=later(11)))


def test_clocks_that_differ_between_workers_do_not_close_an_intent_that_is_open() -> None:
    cleared = CustomerRow(customer_id=None, location_id=None, at=later(60))

    intent = Intent(turn=0, what=REQUEST.digest, at=after_row(NOW, cleared))
    assert is_open(intent, cleared)

    answered = CustomerRow(customer_id=None, location_id=None, at=after_intent(NOW, intent))
    assert not is_open(intent, answered)
    assert (after_row(NOW, None), after_intent(NOW, None)) == (NOW, NOW)


def test_an_answer_is_kept_with_the_name_that_servicetitan_has() -> None:
    assert row_of(FOUND, NOW) == CustomerRow(customer_id=7, location_id=8, name="ADA LOVELACE", at=NOW)
    assert row_of(None, NOW) == CustomerRow(customer_id=None, location_id=None, at=NOW)


def test_requests_and_rows_come_back_as_they_were_stored() -> None:
    row = CustomerRow(customer_id=7, location_id=None, at=NOW)

    assert decode_request(encode_request(REQUEST)) == REQUEST
    assert decode_row(encode_row(row)) == row


def test_all_that_a_booking_was_is_whom_it_has_asked_for() -> None:
    first, then = booking(), booking(lastName="Byron")
    record = Record(booking_id="b-1", booking=then, original=first, changed_at=NOW)

    assert customers_of(record) == (customer_order(then), customer_order(first))
    assert customers_of(replace(record, booking=None)) == (customer_order(first),)
