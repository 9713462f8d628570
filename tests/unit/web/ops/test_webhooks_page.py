"""The page of webhooks: each row shows what that one reported, and why one that is ignored was."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import orjson

from app.booking.status import Status
from tests.support.rows import Read, with_job
from tests.unit.web.ops.asking import get

if TYPE_CHECKING:
    from tests.support.web import Served

VISIT = {
    "id": 9,
    "jobId": 7,
    "status": "Working",
    "start": "2026-03-04T16:00:00Z",
    "end": "2026-03-04T18:00:00Z",
}


def hook(
    number: int, event_type: str, data: dict[str, object], *, tenant: int = 1000001, job: int = 7
) -> Read:
    """A webhook as it was taken, each a second after the last."""
    event = {
        "specversion": "1.0",
        "type": event_type,
        "userassignedid": f"occurrence-{number}",
        "data": {"tenantId": tenant, **data},
    }
    return Read(
        topic="webhooks",
        key=str(job).encode(),
        value=orjson.dumps(event),
        headers=(("x-verified-by", b"key 1"),),
        timestamp=1_772_442_000_000 + 1_000 * number,
    )


def says(status: str, job: int = 7) -> dict[str, object]:
    return {"job": {"id": job, "jobStatus": status, "modifiedOn": "2026-03-02T08:00:00Z"}}


async def test_each_row_shows_what_it_reported_and_why_nothing_came_of_it(served: Served) -> None:
    served.view.put(with_job("b-1", 7, job={"status": Status.COMPLETED}))
    served.view.read(
        hook(1, "tn.jpm.job-scheduled", says("Scheduled")),
        hook(2, "tn.jpm.job-rescheduled", {**says("Scheduled"), "appointmentId": 9}),
        hook(3, "tn.jpm.job-appointment-updated", {"appointment": VISIT}),
        hook(4, "tn.jpm.job-completed", says("Completed")),
        hook(5, "tn.jpm.job-updated", says("Whenever")),
        hook(6, "tn.jpm.job-completed", says("Completed", 8), job=8),
        hook(7, "tn.jpm.job-completed", says("Completed"), tenant=5),
        hook(8, "tn.dis.zone-updated", {}),
    )
    _, text = await get(served, "/ops/webhooks")
    rows = [
        tuple(unescape(re.sub(r"<[^>]+>", "", cell)).split("\n")[0].strip() for cell in row)
        for row in re.findall(
            r'data-label="Reported">(.*?)</td>\s*<td data-label="Booking now">(.*?)</td>', text
        )
    ]
    assert [(told, booking.split()[0]) for told, booking in reversed(rows)] == [
        ("tn.jpm.job-scheduled: scheduled", "b-1"),
        ("tn.jpm.job-rescheduled: scheduled, the visit was moved", "b-1"),
        ("tn.jpm.job-appointment-updated: in progress, visit at 2026-03-04T16:00+00:00", "b-1"),
        ("tn.jpm.job-completed: completed", "b-1"),
        ("tn.jpm.job-updated: nothing that is followed", "b-1"),
        ("tn.jpm.job-completed: completed", "no"),
        ("tn.jpm.job-completed: ignored, of another tenant (5)", "no"),
        ("tn.dis.zone-updated: not about a job", "b-1"),
    ]
