"""The business file was changed while a booking waited: what it asks for may be none of the new one."""

from dataclasses import replace

from app.booking.business import Business, parse
from app.booking.creation import go_on_creating
from app.booking.reasons import Reason
from app.booking.record import State
from tests.support.bookings import POLICY, facts
from tests.support.lane import creating

OTHER = """
time_zone = "America/Denver"
business_unit = "Repairs"
job_type = "Service"
campaign = "Web"
cancel_reason = "No"
problems.gate = { description = "Gate", priority = "low", minutes = 45 }
"""


def test_a_booking_whose_problem_is_gone_is_held_and_not_guessed_at() -> None:
    changed = parse(OTHER)
    assert isinstance(changed, Business)

    found = go_on_creating(creating().row, facts(policy=replace(POLICY, business=changed))).record

    assert found is not None
    assert found.problem is not None
    assert (found.state, found.problem.reason) == (State.HELD, Reason.INVALID)
    assert found.problem.detail == "problemType: must be one of gate"
