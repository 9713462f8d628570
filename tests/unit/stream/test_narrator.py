"""How loudly each new line of a timeline is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.stream.narrator import Narrator
from tests.support.bookings import accepted, job_seen, rescheduled
from tests.support.lane import Lane, booked, creating

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.record import Record

FAILED = Failed(detail="connection refused")
ANSWERED = Unsure(detail="server error", http_status=503)
REFUSED = Refused(reason=Reason.REFUSED, detail="no", http_status=400)
NOTHING = accepted(())


def held_after_a_last_look() -> Lane:
    lane = creating().customer_is_found(ANSWERED)
    for _ in range(3):
        lane.timer(NOTHING, ANSWERED)
    return lane.timer(NOTHING)


def with_a_lost_row() -> Lane:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    del lane.behind["q0"]
    return lane.timer()


def with_a_second_job() -> Lane:
    lane = creating().another_worker().customer_is_found(NOTHING)
    return lane.timer(accepted((job_seen(), job_seen(1002))))


def told(record: Record) -> list[tuple[str, str]]:
    with capture_logs() as lines:
        Narrator().saved(None, record)
    return [(line["event"], line["log_level"]) for line in lines]


@pytest.mark.parametrize(
    ("lane", "line"),
    [
        (lambda: creating().customer_is_found(REFUSED), ("held: refused", "warning")),
        (held_after_a_last_look, ("not there; held: retries-used-up", "warning")),
        (lambda: booked().event(rescheduled(1), REFUSED), ("dead letter: refused", "warning")),
        (with_a_lost_row, ("skipped: its row was lost", "warning")),
        (with_a_second_job, ("second job: 1002 is cancelled", "error")),
        (lambda: booked().event(rescheduled(1)), ("rescheduled", "info")),
        (lambda: booked().event(rescheduled(1), FAILED), ("retry in 5 s", "info")),
    ],
)
def test_what_failed_for_good_warns_and_what_must_wake_somebody_is_an_error(
    lane: Callable[[], Lane], line: tuple[str, str]
) -> None:
    assert line in told(lane().row)
