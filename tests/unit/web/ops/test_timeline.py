"""The timeline in words: what was asked, the answer beside the outcome, the event while it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.booking.record import Entry, Lane, Phase, encode_head
from app.web.ops.figures import PaceFacts
from app.web.ops.timeline import lines, tone
from tests.support.rows import NOW, Read, a_failed, a_head, a_record
from tests.unit.web.ops.asking import get

if TYPE_CHECKING:
    from tests.support.web import Served


def entry(event: str = "e-1", **changes: object) -> Entry:
    fields: dict[str, object] = {
        "at": NOW,
        "event": event,
        "asked": "CreateJob",
        "outcome": "Accepted",
        "decision": "job 1001 made",
    }
    return Entry(**{**fields, **changes})  # type: ignore[arg-type]  # fields of its own


def test_the_outcome_is_a_word_and_what_was_said_stands_beside_it() -> None:
    said = "Refused (area-not-supported): Area not supported: zip: outside"
    (newest, oldest) = lines(
        a_record(timeline=(entry(), entry("e-2", asked="Cancel", outcome=said, http_status=400))), {}
    )
    assert (oldest.asked, oldest.outcome, oldest.answer, oldest.tone) == (
        "make the job",
        "Accepted",
        "",
        "good",
    )
    assert (newest.asked, newest.outcome, newest.tone) == (
        "cancel the job",
        "Refused (area-not-supported)",
        "bad",
    )
    assert newest.answer == "Area not supported: zip: outside"


def test_nothing_personal_gets_into_a_line() -> None:
    said = entry(
        asked="retry by ann: asked ada@example.com",
        outcome='Refused (phone-refused): {"phone": "(602) 555-0123"} is wrong',
        decision="dead letter: ada@example.com",
    )
    (line,) = lines(a_record(timeline=(said,)), {})
    for text in (line.asked, line.answer, line.decision):
        assert "555-0123" not in text
        assert "ada@example.com" not in text


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("Accepted", "good"),
        ("already so", "good"),
        ("Refused (refused)", "bad"),
        ("turned away", "bad"),
        ("Unsure", "warn"),
        ("Failed", "warn"),
        ("duplicate", "quiet"),
    ],
)
def test_outcomes_have_a_tone(outcome: str, expected: str) -> None:
    assert tone(outcome) == expected


async def test_what_is_kept_of_an_event_stands_with_its_line(served: Served) -> None:
    head = a_head("e-1", type="booking.created")
    served.view.put(
        a_record(
            lane=Lane(phase=Phase.WORKING, head=head),
            failed=(a_failed("e-9"),),
            timeline=(entry("e-1"), entry("e-9", asked="Reschedule"), entry("e-gone")),
        )
    )
    served.view.read(Read(topic="behind", key=b"b-1/f0", value=encode_head(a_head("e-9"))))
    _, text = await get(served, "/ops/bookings/b-1")
    timeline = text.split('id="h-timeline"')[1]
    assert timeline.count("booking-events-0 @ 1") == 2
    assert "for created" in timeline
    assert "move the appointment" in timeline
    assert timeline.count("<details>") == 2


async def test_the_strip_tells_the_tokens_age(served: Served) -> None:
    _, text = await get(served, "/ops")
    assert "no token yet" in text
    served.pace = PaceFacts(rate=60, used=3, token_age=185.0, token_left=715.0)
    _, text = await get(served, "/ops")
    assert "token 3 min old" in text
    assert "serves 11 min more" in text
