"""Rule 9: what ServiceTitan reports updates the record and is told; it never causes a call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.booking.inputs import Observed
from app.booking.status import Status
from app.stream import codec

if TYPE_CHECKING:
    from tests.support.flow import Flow


async def report(flow: Flow, job: int, status: Status, at: datetime) -> None:
    seen = Observed(job_id=job, status=status, at=at, seen_by="webhook")
    value = codec.encode_observed("b-1", seen, now=datetime.now(UTC))
    await flow.send_raw(b"b-1", value, topic=flow.topics.signals.name)


async def test_a_reported_status_counts_when_it_is_later_and_differs(flow: Flow) -> None:
    await flow.send("created", "b-1")
    job = (await flow.view("b-1", state="active"))["job"]["id"]
    calls = flow.simulator.state.journal.total
    now = datetime.now(UTC)
    later = now + timedelta(minutes=1)
    await report(flow, job, Status.COMPLETED, now - timedelta(hours=1))
    await report(flow, job + 1, Status.COMPLETED, later)
    await report(flow, job, Status.IN_PROGRESS, later)
    await report(flow, job, Status.IN_PROGRESS, later + timedelta(minutes=1))
    await report(flow, job, Status.CANCELLED, later + timedelta(minutes=2))
    await flow.view("b-1", state="ended", status="cancelled")
    assert flow.types("b-1") == ["job.created", "job.updated", "job.cancelled"]
    assert [said["data"]["job"]["status"] for said in flow.announced("b-1")] == [
        "scheduled",
        "in_progress",
        "cancelled",
    ]
    assert flow.simulator.state.journal.total == calls
    assert flow.effects("b-1") == ["job.created"]


async def test_changes_are_judged_by_what_was_reported(flow: Flow) -> None:
    await flow.send("created", "b-1")
    job = (await flow.view("b-1", state="active"))["job"]["id"]
    await report(flow, job, Status.COMPLETED, datetime.now(UTC) + timedelta(minutes=1))
    await flow.view("b-1", state="ended")
    await flow.send("rescheduled", "b-1", {"scheduledDate": "2027-04-01T00:00:00Z"})
    (letter,) = await flow.dead("b-1")
    assert letter.headers["x-reason"] == b"illegal-transition"
    assert flow.effects("b-1") == ["job.created"]
