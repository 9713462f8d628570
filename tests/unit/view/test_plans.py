"""How long a plan is told of, and with what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.business_file import load_business
from app.stream.codec import encode_note
from app.view import plans, schema
from app.view.apply import apply
from app.view.plans import Definition, Step
from app.web.events import action_signal
from tests.support.rows import NOW, Read
from tests.support.web import TOPICS

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


def told(at: datetime, value: bytes, offset: int) -> Read:
    return Read(topic="signals", key=b"k", value=value, offset=offset, timestamp=int(at.timestamp() * 1000))


@pytest.mark.parametrize("hours", [range(-2, 60), range(-6, 60, 9), range(50, 51)])
def test_a_plan_leaves_whole_whenever_a_worker_tidies(tmp_path: Path, hours: range) -> None:
    """Each worker tidies at hours of its own: what it tells of a plan at any time is what all tell."""
    database: sqlite3.Connection = schema.create(
        tmp_path / "view.sqlite", schema.Stamp(cluster="c", prefix="", partitions=1), NOW
    )
    definition = Definition(
        plan="p-1", kind="retry", reason=Reason.REFUSED, bookings=None, until=NOW, by="ann", why="w", total=3
    )
    records = [
        told(
            NOW,
            encode_note(
                Reason.REFUSED,
                text="w",
                by="ann",
                event_id="n-1",
                now=NOW,
                more={"plan": "p-1", "data": plans.note_data(definition, Step.BEGUN)},
            ),
            0,
        )
    ]
    for number in range(3):
        act = Action(kind="retry", by="ann", why="w", event=f"e-{number}", plan="p-1")
        made = action_signal(f"b-{number}", act, made_id=f"s-{number}", now=NOW, traceparent=None)
        records.append(told(NOW + timedelta(hours=24 * number), made.value, 1 + number))
    apply(database, TOPICS, records, business=load_business(), now=NOW)
    for hour in hours:
        plans.tidy(database, schema.milliseconds(NOW + timedelta(hours=hour)))
        seen = plans.plan(database, "p-1")
        assert seen is None or plans.progress(database, seen.definition).sent == 3
        assert (seen is None) == (hour > 0)
    (left,) = database.execute("SELECT COUNT(*) FROM actions").fetchone()
    assert left == 0
    database.close()
