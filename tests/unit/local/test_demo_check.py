"""The demo's verdict: each way in which a booking can end wrongly is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.booking.reasons import Reason
from app.booking.record import State
from app.booking.status import Status
from app.local.demo_check import Upstream, customers_made_twice, ended, problems, upstream_of
from app.local.demo_script import Ending, Script
from app.local.demo_tally import GaveUp, Tally

DATE = "2026-12-01T00:00:00Z"
DONE = Script(
    booking_id="b-1",
    title="worked",
    steps=(),
    endings=(
        Ending(
            state=State.ENDED,
            status=Status.COMPLETED,
            scheduled_date=DATE,
            effects=("job.created", "appointment.rescheduled", "job.completed"),
        ),
    ),
    customer=("Ana", "1"),
)
CLOSED = replace(DONE, endings=(Ending(state=State.CLOSED, status=None, effects=()), *DONE.endings))
DEAD = replace(
    DONE, endings=(Ending(state=None, status=None, effects=(), dead=(Reason.INVALID,)),), customer=None
)
EFFECTS = ["job.created", "appointment.rescheduled", "job.completed"]
RIGHT = Upstream(effects={"b-1": EFFECTS}, jobs={"b-1": [1001]}, customers=1)


def announced(sequence: int = 4, kind: str = "job.updated", state: str = "ended", **job: object) -> bytes:
    seen = {"id": 1001, "status": "completed", "scheduledDate": DATE, **job}
    data = {
        "bookingId": "b-1",
        "state": state,
        "job": None if job.get("none") else seen,
        "sequence": sequence,
        "problem": {"reason": "refused"},
    }
    return orjson.dumps({"type": kind, "data": data})


def tally(*values: bytes) -> Tally:
    made = Tally()
    for value in values:
        made.announced(value)
    return made


def test_what_ended_as_its_script_says_has_no_problems() -> None:
    right = tally(announced())
    assert ended(DONE, right)
    assert problems(DONE, right, RIGHT) == ()


@pytest.mark.parametrize(
    ("seen", "upstream", "words"),
    [
        (tally(), RIGHT, "it is None, not ended"),
        (tally(announced(state="active")), RIGHT, "it is active"),
        (tally(announced(status="cancelled")), RIGHT, "its job is cancelled"),
        (tally(announced(scheduledDate="2027")), RIGHT, "the visit is on 2027"),
        (tally(announced(id=7)), RIGHT, "job 7 is announced, 1001 is there"),
        (tally(announced()), replace(RIGHT, jobs={"b-1": [1001, 1002]}), "2 jobs in ServiceTitan"),
        (tally(announced()), replace(RIGHT, jobs={}), "0 jobs in ServiceTitan"),
        (
            tally(announced()),
            replace(RIGHT, effects={"b-1": ["job.created", "job.completed", "appointment.rescheduled"]}),
            "done in ServiceTitan: job.created, job.completed, appointment.rescheduled, not",
        ),
        (tally(announced()), replace(RIGHT, effects={}), "done in ServiceTitan: none"),
    ],
)
def test_each_slip_is_named(seen: Tally, upstream: Upstream, words: str) -> None:
    assert any(words in clause for clause in problems(DONE, seen, upstream))


def test_a_change_that_was_sent_again_is_no_slip() -> None:
    again = [EFFECTS[0], EFFECTS[1], EFFECTS[1], EFFECTS[2]]
    assert problems(DONE, tally(announced()), replace(RIGHT, effects={"b-1": again})) == ()


def test_either_ending_will_do_and_none_in_between() -> None:
    assert problems(CLOSED, tally(announced()), RIGHT) == ()
    closed = tally(announced(state="closed", none=True))
    assert ended(CLOSED, closed)
    assert problems(CLOSED, closed, Upstream()) == ()
    assert problems(CLOSED, closed, RIGHT) != ()


def test_dead_letters_are_counted_by_reason() -> None:
    seen = Tally()
    assert not ended(DEAD, seen)
    seen.dead_lettered(b"b-1", b"{}", {"x-reason": b"invalid"})
    assert problems(DEAD, seen, Upstream()) == ()
    seen.dead_lettered(b"b-1", b"{}", {"x-reason": b"invalid"})
    assert any(
        "dead letters: invalid, invalid, not invalid" in one for one in problems(DEAD, seen, Upstream())
    )


def test_attempts_used_up_are_for_the_operator_and_no_ending() -> None:
    seen = Tally()
    gave_up = seen.dead_lettered(b"b-1", b'{"id": "e-1"}', {"x-reason": b"retries-used-up"})
    assert gave_up == GaveUp("b-1", "e-1")
    assert (seen.dead_letters, seen.by_operator, dict(seen.dead)) == (1, 1, {})


def test_old_news_changes_nothing() -> None:
    seen = tally(announced(sequence=4), announced(sequence=3, state="active"))
    assert seen.views["b-1"]["state"] == "ended"
    assert not seen.has_job("b-1")
    seen.announced(announced(sequence=2, kind="job.created"))
    assert seen.has_job("b-1")


def test_held_means_held_by_what_the_booking_says() -> None:
    assert tally(announced(state="held", none=True)).is_held("b-1")
    seen = tally(announced(state="held", none=True))
    seen.views["b-1"]["problem"]["reason"] = "retries-used-up"
    assert not seen.is_held("b-1")
    assert not tally().is_held("b-1")
    assert seen.held == 1


def test_customers_are_people_and_not_more() -> None:
    twin = replace(DONE, booking_id="b-2")
    assert customers_made_twice([DONE, twin, DEAD], replace(RIGHT, customers=1)) == 0
    assert customers_made_twice([DONE, twin, DEAD], replace(RIGHT, customers=2)) == 1


def test_the_simulators_log_is_told_by_booking_without_what_comes_with_a_job() -> None:
    effects: list[dict[str, Any]] = [
        {"booking": None, "kind": "customer.created"},
        {"booking": "b-1", "kind": "job.created"},
        {"booking": "b-1", "kind": "appointment.created"},
        {"booking": "b-1", "kind": "job.canceled"},
    ]
    found = upstream_of(effects, {"b-1": [{"id": 7, "status": "Canceled"}]}, 1)
    assert found == Upstream({"b-1": ["job.created", "job.canceled"]}, {"b-1": [7]}, 1)
