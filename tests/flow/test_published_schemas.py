"""What stands on the topics is what the published schemas say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from jsonschema import Draft202012Validator, FormatChecker

from app.commands.published import events, schema
from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

SCHEMAS = {
    (event.topic, event.type): Draft202012Validator(schema(event), format_checker=FormatChecker())
    for event in events()
}
RESULTS = {kind for topic, kind in SCHEMAS if topic == "servicetitan-jobs"}


async def test_everything_that_is_said_is_as_published(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.send("rescheduled", "b-1", {"scheduledDate": "2027-04-01T08:00:00-07:00"})
    await flow.send("created", "b-2", booking(zip="00000", phone="6025550122"))
    await flow.view("b-2", state="held")
    await flow.act("retry", "b-2")
    await flow.dead("b-2", 2)
    await flow.act("discard", "b-2")
    await flow.view("b-2", state="closed")
    flow.fault("error_before", CREATE_JOB, count=1)
    await flow.send("created", "b-3", booking(timeSlot=None, specialInstructions="Ring", doorAge=3.5))
    await flow.view("b-3", state="active")
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="ended")
    await flow.send("rescheduled", "b-1", {"scheduledDate": "2027-04-02T08:00:00Z"})
    await flow.dead("b-1")
    await flow.until(lambda: "event.dead_lettered" in flow.types("b-1"))
    topics = (
        flow.topics.booking_events,
        flow.topics.signals,
        flow.topics.customer_requests,
        flow.topics.jobs,
    )
    said = set()
    for topic in topics:
        name = topic.name.removeprefix(flow.topics.prefix)
        for record in flow.of(topic.name):
            document = orjson.loads(record.value or b"")
            SCHEMAS[name, document["type"]].validate(document)
            said.add(document["type"])
    assert said >= RESULTS
