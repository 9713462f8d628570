"""Bookings that ended longer ago than `KEEP_ENDED_DAYS` leave the tables and the compacted topic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.booking.customers import customers_of, order_digest
from app.booking.record import encode
from tests.support.flow import booking, flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    from app.booking.record import Record
    from tests.support.flow import Flow


async def ended(flow: Flow, booking_id: str, last_name: str) -> None:
    """A booking that was made, cancelled, and has an event that came too late."""
    await flow.send("created", booking_id, booking(lastName=last_name))
    await flow.view(booking_id, state="active")
    await flow.send("cancelled", booking_id, {})
    await flow.view(booking_id, state="ended")
    await flow.send("status_changed", booking_id, {"status": "completed"})
    await flow.dead(booking_id)


async def happened_earlier(flow: Flow, booking_id: str, days: int) -> None:
    """Write the booking's row as it would be if all of this had been so many days ago."""
    row = flow.row(booking_id)
    assert row is not None
    older = replace(row, sequence=row.sequence + 1, changed_at=row.changed_at - timedelta(days=days))
    changelog = flow.topics.changelog("bookings").name
    await flow.send_raw(booking_id.encode(), encode(older), topic=changelog)


def left(flow: Flow, topic: str, key: str) -> bool:
    """Whether the last record of this key is a tombstone."""
    records = flow.of(topic, key)
    return bool(records) and records[-1].value is None


def customer(row: Record | None) -> tuple[str, str]:
    """The phone and the digest of a booking's customer."""
    assert row is not None
    (order,) = customers_of(row)
    return order.phone, order_digest(order)


async def test_a_booking_that_ended_long_ago_leaves_by_tombstones_and_its_id_is_free_again(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, KEEP_ENDED_DAYS="30") as flow,
    ):
        async with worker_here(flow.settings):
            await ended(flow, "old", "Old")
            await ended(flow, "young", "Young")
        await happened_earlier(flow, "old", 31)
        await happened_earlier(flow, "young", 29)
        row = flow.row("old")
        assert row is not None
        (failed,) = row.failed
        topics = flow.topics
        (phone, digest) = customer(row)
        (_, other) = customer(flow.row("young"))
        gone = {
            topics.jobs.name: "old",
            topics.changelog("bookings").name: "old",
            topics.changelog("intents").name: "b/old",
            topics.changelog("behind").name: f"old/{failed.slot}",
            topics.changelog("customers").name: f"{phone}/{digest}",
        }
        async with worker_here(flow.settings):
            # The scan looks every 15 s.
            await flow.until(lambda: all(left(flow, topic, key) for topic, key in gone.items()))
            kept = {topic: key.replace("old", "young").replace(digest, other) for topic, key in gone.items()}
            assert not any(left(flow, topic, key) for topic, key in kept.items())

            await flow.send("created", "old", booking(lastName="Old"))
            await flow.until(lambda: len(flow.jobs("old")) == 2)
        assert flow.latest("young")["state"] == "ended"
