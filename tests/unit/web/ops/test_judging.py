"""What a plan would do to each event."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from app.booking.events import RawEvent
from app.booking.reasons import Reason
from app.booking.record import Head, Record, State, Unsettled
from app.booking.status import Status
from app.view.plans import Kind, Target
from app.view.rows import AttentionLine
from app.web.ops.judging import Fate, counted, judge
from tests.support.flow import event
from tests.support.rows import NOW, a_booking, a_head, a_record, held, with_job

MOVED = {"scheduledDate": "2027-03-02T00:00:00Z"}


def target(
    record: Record,
    reason: Reason = Reason.REFUSED,
    *,
    slot: str = "",
    head: Head | None = None,
    hours: int = 5,
) -> Target:
    line = AttentionLine(
        booking_id=record.booking_id,
        slot=slot,
        reason=reason,
        event_id="e-1",
        type="booking.created" if head is None else head.type,
        at=NOW,
        visit=NOW + timedelta(hours=hours),
    )
    return Target(line=line, record=record, head=head)


def put_aside(kind: str, data: object) -> Head:
    raw = RawEvent(topic="t", partition=0, offset=1, key=b"b-1", value=event(kind, "b-1", data))
    return a_head(type=f"booking.{kind}", raw=raw)


def fate(found: Target, kind: Kind = "retry") -> tuple[Fate, str]:
    judged = judge(kind, found, NOW)
    return judged.fate, judged.because


def test_creations() -> None:
    record = held("b-1", Reason.NOT_PERMITTED)
    assert fate(target(record)) == (Fate.CREATES, "a new job")
    assert fate(target(record, hours=-1)) == (Fate.CREATES, "for a time that has passed")
    assert fate(target(record, Reason.AREA_NOT_SUPPORTED)) == (Fate.REFUSED, "nothing was changed since")
    repaired = replace(record, original=a_booking(zip="00000"))
    assert fate(target(repaired, Reason.AREA_NOT_SUPPORTED))[0] is Fate.CREATES
    unsure = record.with_lane(unsettled=Unsettled(answered=False))
    assert fate(target(unsure))[0] is Fate.CHECKS
    assert fate(target(with_job("b-1", 1001))) == (Fate.EXISTS, "job JOB-001001")
    assert fate(target(a_record("b-1", state=State.CLOSED)))[0] is Fate.OVERTAKEN


@pytest.mark.parametrize(
    ("status", "kind", "data", "expected"),
    [
        (Status.SCHEDULED, "rescheduled", MOVED, Fate.WORKS),
        (Status.COMPLETED, "rescheduled", MOVED, Fate.REFUSED),
        (Status.SCHEDULED, "status_changed", {"status": "completed"}, Fate.WORKS),
        (Status.COMPLETED, "status_changed", {"status": "completed"}, Fate.WORKS),
        (Status.COMPLETED, "status_changed", {"status": "scheduled"}, Fate.REFUSED),
        (Status.SCHEDULED, "cancelled", {}, Fate.WORKS),
        (Status.CANCELLED, "cancelled", {}, Fate.WORKS),
        (Status.COMPLETED, "cancelled", {}, Fate.REFUSED),
        (Status.SCHEDULED, "status_changed", {"status": "lost"}, Fate.REFUSED),
        (Status.SCHEDULED, "unheard", {}, Fate.REFUSED),
    ],
)
def test_changes_are_judged_by_the_jobs_status(
    status: Status, kind: str, data: object, expected: Fate
) -> None:
    record = with_job("b-1", 1001, job={"status": status})
    assert fate(target(record, slot="f0", head=put_aside(kind, data)))[0] is expected


def test_a_change_is_overtaken_by_the_cancellation() -> None:
    record = with_job("b-1", 1001, job={"status": Status.CANCELLED}, wants=Status.CANCELLED)
    found = fate(target(record, slot="f0", head=put_aside("rescheduled", MOVED)))
    assert found == (Fate.OVERTAKEN, "by its cancellation")


def test_a_second_creation_stays_refused() -> None:
    record = with_job("b-1", 1001)
    found = target(record, Reason.BOOKING_EXISTS, slot="f0", head=put_aside("created", {}))
    assert fate(found)[0] is Fate.REFUSED


def test_a_discard_says_what_goes_with_it() -> None:
    record = held("b-1")
    assert fate(target(record), "discard") == (Fate.CLOSES, "no job will be made")
    with_two = record.with_lane(next=2)
    assert fate(target(with_two), "discard") == (Fate.CLOSES, "no job; 2 events behind it go too")
    change = target(with_job("b-1", 1), slot="f0", head=put_aside("cancelled", {}))
    assert fate(change, "discard") == (Fate.CLOSES, "cancelled is dropped")


def test_fates_are_counted_in_their_order_and_tell_what_acts() -> None:
    judged = [judge("retry", target(one), NOW) for one in (with_job("b", 1), held("c"), held("d"))]
    assert counted(judged) == {Fate.CREATES: 2, Fate.EXISTS: 1}
    assert [fate for fate in Fate if not fate.acts] == [Fate.EXISTS, Fate.OVERTAKEN]
    assert "Lovelace" not in orjson.dumps([str(one) for one in judged]).decode()
