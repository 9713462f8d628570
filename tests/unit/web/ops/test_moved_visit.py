"""A visit that the office moved: shown where it stands, by the view, over HTTP and on the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

from app.booking.record import Technician
from tests.support.rows import with_job
from tests.unit.web.ops.asking import get

if TYPE_CHECKING:
    from tests.support.web import Served

START = datetime(2026, 3, 7, 20, tzinfo=UTC)
MOVED = {
    "start": START,
    "end": START + timedelta(hours=2),
    "window_start": START,
    "window_end": START + timedelta(hours=4),
    "technicians": (Technician(id=501, name="Rosa Diaz"), Technician(id=502, name="Tom <b>")),
}


async def test_it_is_found_and_told_by_its_new_time(served: Served) -> None:
    served.view.put(with_job("b-1", 7))
    served.view.put(with_job("b-1", 7, job=MOVED, sequence=2))

    _, told, _ = await served.ask("GET", "/jobs/7")
    job = told["data"]
    assert (job["appointmentStart"], job["appointmentEnd"]) == (
        "2026-03-07T20:00:00.000Z",
        "2026-03-07T22:00:00.000Z",
    )
    assert job["scheduledDate"] == "2026-03-04T16:00:00Z", "what was asked for stays"
    assert job["technicians"] == [{"id": 501, "name": "Rosa Diaz"}, {"id": 502, "name": "Tom <b>"}]
    for day, found in (("2026-03-04", 0), ("2026-03-07", 1)):
        _, listed, _ = await served.ask("GET", f"/jobs?startDate={day}&endDate={day}")
        assert listed["data"]["totalCount"] == found

    _, text = await get(served, "/ops/bookings/b-1")
    card = unescape(re.sub(r"<[^>]+>", "", text.partition('id="job"')[2].partition("</dl>")[0]))
    assert "Sat 7 Mar, 13:00 MST until 7 Mar 15:00 MST" in card
    assert "7 Mar 13:00 MST to 7 Mar 17:00 MST" in card
    assert "Rosa Diaz, Tom <b>" in card
    assert "Tom <b>" not in text
