"""A customer that ServiceTitan no longer has must not stay the answer for ever."""

from dataclasses import replace

from app.booking.asks import CreateJob, FindCustomers
from app.booking.customer_lane import CallCustomer, CustomerRequest, CustomerRow, Known, resolve
from app.booking.customers import customer_digest, customer_order
from app.booking.engine import decide
from app.booking.inputs import Action, Arrived, CustomerResolved
from app.booking.lane import Decision, Perform
from app.booking.outcomes import Refused
from app.booking.reasons import Reason
from app.booking.record import Phase, Record, RequestCustomer
from tests.support.bookings import NOW, answered, booking, created, facts, signal


def held_for(reason: Reason) -> Record:
    """A creation whose customer was known, and which ServiceTitan refused."""
    begun = decide(None, Arrived(event=created()), facts()).record
    assert begun is not None
    known = CustomerResolved(
        turn=begun.lane.turn, digest=customer_digest(begun.booked), customer_id=7, location_id=8
    )
    asking = decide(begun, signal(known), facts())
    assert isinstance(asking.then, Perform)
    assert isinstance(asking.then.ask, CreateJob)
    refused = Refused(reason=reason, detail="no such customer", http_status=400)
    held = decide(asking.record, answered(asking.then.ask, refused), facts()).record
    assert held is not None
    assert held.lane.phase is Phase.HELD
    return replace(held, owes=())


def retried(record: Record) -> Decision:
    return decide(record, signal(Action(kind="retry", by="ann", why="merged"), offset=9), facts())


def test_a_retry_after_a_refusal_asks_for_the_customer_afresh() -> None:
    decision = retried(held_for(Reason.REFUSED))

    assert decision.record is not None
    assert RequestCustomer(turn=decision.record.lane.turn, fresh=True) in decision.record.owes


def test_a_retry_after_any_other_end_keeps_the_customer() -> None:
    decision = retried(held_for(Reason.AREA_NOT_SUPPORTED))

    assert isinstance(decision.then, Perform)
    assert isinstance(decision.then.ask, CreateJob)


def test_a_fresh_request_looks_past_the_known_answer() -> None:
    request = CustomerRequest(booking_id="b1", turn=1, order=customer_order(booking()), fresh=True)
    row = CustomerRow(customer_id=7, location_id=8, at=NOW)

    first = next(resolve(request, row, now=NOW, under_way=False))

    assert first == CallCustomer(FindCustomers(phone=request.order.phone))


def test_any_other_request_takes_the_known_answer() -> None:
    request = CustomerRequest(booking_id="b1", turn=1, order=customer_order(booking()))
    row = CustomerRow(customer_id=7, location_id=8, at=NOW)

    steps = resolve(request, row, now=NOW, under_way=False)
    try:
        next(steps)
        answer = None
    except StopIteration as ended:
        answer = ended.value

    assert answer == Known(customer_id=7, location_id=8)
