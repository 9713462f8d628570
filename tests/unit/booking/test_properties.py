"""Whatever comes, in whatever order: what always holds of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from app.booking.identity import KEPT, all_seen
from app.booking.inputs import Action, Arrived, Expire, Fired, Observed, Overdue, Policy, Resumed
from app.booking.outcomes import Busy, Failed, Refused, Unsure
from app.booking.protocol import Save
from app.booking.reasons import Reason
from app.booking.record import FAILED_KEPT, TIMELINE_KEPT, Phase, Record, State, Waits, decode, encode
from app.booking.status import ENDED, Status
from app.business_file import load_business
from tests.support.bookings import (
    BOOKED,
    RESCHEDULED,
    accepted,
    event,
    job_seen,
    later,
)
from tests.support.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.asks import Ask

LIMIT = 4
POLICY = Policy(business=load_business(), behind_limit=LIMIT)
WRONG = [
    None,
    Busy(detail="429"),
    Failed(detail="refused"),
    Unsure(detail="time-out"),
    Unsure(detail="error", http_status=503),
    Refused(reason=Reason.REFUSED, detail="no", http_status=400),
]


class Upstream(Lane):
    """A lane whose calls come to what was drawn; look-ups find the job when it was made."""

    def __init__(self, outcomes: list[int]) -> None:
        super().__init__(POLICY)
        self.outcomes = outcomes
        self.made = False
        self.cancellations = 0

    def _usual(self, ask: Ask) -> object:  # type: ignore[override]  # any outcome
        wrong = WRONG[self.outcomes.pop()] if self.outcomes else None
        kind = type(ask).__name__
        if wrong is not None and not (kind == "FindJob" and isinstance(wrong, Unsure)):
            return wrong
        if kind == "CreateJob":
            self.made = True
            return accepted(job_seen())
        return accepted((job_seen(),) if self.made else ()) if kind == "FindJob" else accepted(None)


EVENTS = st.sampled_from(
    [
        ("booking.created", BOOKED),
        ("booking.created", BOOKED | {"firstName": "Grace"}),
        ("booking.created", {"phone": "1"}),
        ("booking.rescheduled", RESCHEDULED),
        ("booking.rescheduled", {}),
        ("booking.exploded", {}),
        ("booking.cancelled", {}),
        *[("booking.status_changed", {"status": status.value}) for status in Status],
    ]
)
Step = tuple[str, object]
STEPS = st.one_of(
    st.tuples(st.just("event"), EVENTS),
    st.tuples(st.just("again"), st.integers(0, 5)),
    st.tuples(st.just("timer"), st.integers(-1, 1)),
    st.tuples(st.just("scan"), st.integers(0, 1)),
    st.tuples(st.just("found"), st.none()),
    st.tuples(st.just("fails"), st.sampled_from(WRONG[1:])),
    st.tuples(st.just("act"), st.sampled_from(["retry", "repair", "discard"])),
    st.tuples(st.just("seen"), st.tuples(st.sampled_from(list(Status)), st.integers(-5, 50))),
    st.tuples(st.just("worker"), st.booleans()),
    st.tuples(st.just("settle"), st.sampled_from([0.0, 90.0])),
    st.tuples(st.just("expire"), st.none()),
)


def take(lane: Upstream, offset: int, step: Step) -> None:
    kind, what = step
    row = lane.record
    match kind, what:
        case "event", (str() as type_, data):
            lane.cancellations += type_ == "booking.cancelled" or data == {"status": "cancelled"}
            lane.give(Arrived(event=event(type_, data, offset=offset)))
        case "again", int(back):
            lane.give(Arrived(event=event("booking.created", BOOKED, offset=max(offset - back - 1, 0))))
        case "act", ("retry" | "repair" | "discard") as act:
            lane.signal(Action(kind=act, by="op", why="because", data=BOOKED if act == "repair" else None))
        case "worker", bool(first_touch):
            lane.another_worker().give(Resumed(), first_touch=first_touch)
        case "settle", float(left):
            lane.settle_left = left
        case _ if row is None:
            return
        case "timer", int(by):
            lane.give(Fired(turn=row.lane.turn + by))
        case "scan", int(days):
            lane.now = later(days * 86_400)
            lane.give(Overdue(turn=row.lane.turn))
        case "found", _:
            lane.customer_is_found()
        case "fails", (Busy() | Failed() | Unsure() | Refused()) as outcome:
            lane.customer_fails(outcome)
        case "seen", (Status() as status, int(seconds)):
            lane.signal(Observed(job_id=1001, status=status, at=later(seconds), seen_by="sweep"))
        case "expire", _:
            lane.give(Expire())
        case _:
            raise TypeError(step)


def holds_always(lane: Upstream, row: Record) -> None:
    waits = row.lane.phase is Phase.WAITING
    assert row.lane.phase is not Phase.WORKING
    assert (row.lane.head is not None) is (row.lane.phase in {Phase.WAITING, Phase.HELD})
    assert (row.lane.waits is not None) is waits
    assert (row.state is State.HELD) is (row.lane.phase is Phase.HELD)
    assert (row.state is State.ENDED) is (row.job is not None and row.job.status in ENDED)
    assert (row.job is not None) is (row.state in {State.ACTIVE, State.ENDED})
    assert row.lane.behind == 0 or row.lane.phase in {Phase.WAITING, Phase.HELD}
    assert 0 <= row.lane.attempts <= len(POLICY.retry_delays) + 1
    assert row.lane.behind <= LIMIT + lane.cancellations
    assert len(all_seen(row.seen)) <= KEPT
    assert len(row.timeline) <= TIMELINE_KEPT
    assert len(row.failed) <= FAILED_KEPT
    wanted = {f"q{number}" for number in range(row.lane.first, row.lane.next)}
    assert set(lane.behind) == wanted | {failed.slot for failed in row.failed}
    assert decode(encode(row)) == row


def holds_between(before: Record, after: Record, *, was_saved: bool) -> None:
    if not was_saved:
        assert replace(after, taken=before.taken, lane=before.lane) == replace(before, lane=before.lane)
        assert replace(after.lane, unsettled=before.lane.unsettled) == before.lane
    moved = replace(after.lane, unsettled=None, due=None, next=0, first=0, next_failed=0) != replace(
        before.lane, unsettled=None, due=None, next=0, first=0, next_failed=0
    )
    assert after.lane.turn > before.lane.turn or not moved
    assert after.sequence >= before.sequence
    assert dict(before.taken).keys() <= dict(after.taken).keys()
    assert all(offset <= after.highest(topic) for topic, offset in before.taken)


@settings(max_examples=300)
@given(st.lists(STEPS, min_size=1, max_size=25), st.lists(st.integers(0, len(WRONG) - 1), max_size=40))
def test_whatever_comes_the_row_stays_sound(steps: list[Step], outcomes: list[int]) -> None:
    lane = Upstream(outcomes)
    for offset, step in enumerate([("event", ("booking.created", BOOKED)), *steps]):
        before = lane.record
        lane.effects = []
        take(lane, offset, step)
        if lane.record is None:
            continue
        holds_always(lane, lane.record)
        if before is not None:
            was_saved = any(isinstance(effect, Save) for effect in lane.effects)
            holds_between(before, lane.record, was_saved=was_saved)


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=1, max_size=20), st.lists(st.integers(0, len(WRONG) - 1), max_size=30))
def test_when_all_goes_well_again_every_lane_comes_to_rest(steps: list[Step], outcomes: list[int]) -> None:
    lane = Upstream(outcomes)
    for offset, step in enumerate([("event", ("booking.created", BOOKED)), *steps]):
        take(lane, offset, step)
    lane.outcomes.clear()
    lane.settle_left = 0.0
    for _ in range(60):
        row = lane.record
        if row is None or (row.lane.phase in {Phase.IDLE, Phase.HELD} and not row.lane.recheck):
            break
        if row.lane.waits is Waits.CUSTOMER:
            lane.customer_is_found()
        else:
            lane.timer()

    assert lane.record is None or lane.record.lane.phase in {Phase.IDLE, Phase.HELD}


def test_the_steps_reach_what_they_are_for() -> None:
    """So that the properties are not held by doing nothing."""
    lane = Upstream([])
    checks: list[Callable[[], bool]] = [
        lambda: lane.row.lane.waits is Waits.CUSTOMER,
        lambda: lane.row.state is State.ACTIVE,
        lambda: lane.row.state is State.ENDED,
    ]
    steps: list[Step] = [
        ("event", ("booking.created", BOOKED)),
        ("found", None),
        ("event", ("booking.cancelled", {})),
    ]
    for offset, (step, check) in enumerate(zip(steps, checks, strict=True)):
        take(lane, offset, step)
        assert check()
