"""Which dead letters wait although no lane has them: until they are dealt with, whatever else comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.booking.identity import KEPT, NOTHING_SEEN, Identity, Progress, mark
from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.booking.record import FAILED_KEPT, Lane, Phase, State, encode
from app.business_file import load_business
from app.stream.codec import CLOUD_EVENT_HEADERS, encode_action, encode_note
from app.stream.codec import SOURCE as SIGNALS
from app.view import queries, schema, turned_away
from app.view.apply import apply
from app.view.columns import answered
from app.view.config import ViewTopics
from app.view.notes import Closing, Place
from tests.support.rows import NOW, SOURCE, Read, a_failed, a_head, a_record, digest, held, with_job

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from app.booking.identity import Seen
    from app.booking.record import Record

TOPICS = ViewTopics(
    bookings="bookings", behind="behind", dead_letters="dead", signals="signals", webhooks="webhooks"
)
STAMP = schema.Stamp(cluster="c", prefix="", partitions=1)
AT = round(NOW.timestamp() * 1000)

BUSINESS = load_business()


@pytest.fixture
def view(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    writer = schema.create(tmp_path / "view.sqlite3", STAMP, NOW)
    yield writer
    writer.close()


def put(view: sqlite3.Connection, *records: Read) -> None:
    apply(view, TOPICS, records, business=BUSINESS, now=NOW)


def row(record: Record) -> Read:
    return Read(topic="bookings", key=record.booking_id.encode(), value=encode(record))


def gone(booking_id: str = "b-1") -> Read:
    return Read(topic="bookings", key=booking_id.encode(), value=None)


def an_event(event_id: str, event_type: str = "booking.cancelled", booking_id: str = "b-1") -> bytes:
    attributes = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": event_type}
    return orjson.dumps({**attributes, "subject": booking_id, "time": NOW.isoformat(), "data": {}})


def letter(
    offset: int, event: str | None, reason: Reason, *, event_type: str = "booking.cancelled", at: int = AT
) -> Read:
    value = b"not JSON" if event is None else an_event(event, event_type)
    headers = (("x-reason", reason.value.encode()),)
    return Read(topic="dead", key=b"b-1", value=value, offset=offset, headers=headers, timestamp=at)


def sent_again(letter: Read, offset: int, *, first_failed: bytes = b"t", partition: int = 0) -> Read:
    places = (("x-original-topic", b"o"), ("x-original-partition", b"0"), ("x-original-offset", b"7"))
    headers = (*letter.headers, *places, ("x-first-failed", first_failed))
    return replace(letter, offset=offset, headers=headers, partition=partition)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_letter_that_was_sent_again_counts_once(view: sqlite3.Connection, order: tuple[int, ...]) -> None:
    """Its worker died between the sending and what says that it was done."""
    nameless = letter(0, None, Reason.UNREADABLE)
    again = [sent_again(nameless, n, first_failed=b"%d" % n, partition=n % 2) for n in range(3)]
    for number in order:
        put(view, again[number])
    put(view, letter(9, None, Reason.UNREADABLE))
    (group,) = turned_away.groups(view)
    assert group.records == 2
    assert {(one.partition, one.offset) for one in queries.dead_letters(view, limit=9)} == {(0, 0), (0, 9)}
    put(view, closing(Reason.UNREADABLE, Place(0, 0)), replace(again[2], offset=11))
    assert [one.records for one in turned_away.groups(view)] == [1]


def test_a_letter_that_is_sent_again_after_it_was_closed_stays_closed(view: sqlite3.Connection) -> None:
    first = sent_again(letter(0, "e-1", Reason.UNKNOWN_BOOKING), 0)
    put(view, first, closing(Reason.UNKNOWN_BOOKING, Place(0, 0)))
    put(view, replace(first, offset=1))
    assert turned_away.groups(view) == []


def test_a_second_failure_of_an_event_is_another_letter(view: sqlite3.Connection) -> None:
    named = letter(0, "e-1", Reason.UNKNOWN_BOOKING)
    put(view, *(sent_again(named, n, first_failed=said) for n, said in enumerate((b"t", b"t", b"later"))))
    assert [one.offset for one in queries.dead_letters(view, limit=9)] in ([0, 2], [2, 0])
    assert [one.records for one in turned_away.groups(view)] == [1]


def closing(reason: Reason, *places: Place, offset: int = 0) -> Read:
    said = Closing(reason=reason, until=NOW, places=places or None, total=1)
    value = encode_note(
        reason, text="mended", by="ann", event_id=f"c-{offset}", now=NOW, more={"data": said.data()}
    )
    return Read(topic="signals", key=reason.encode(), value=value, headers=CLOUD_EVENT_HEADERS, offset=offset)


def repair(event: str | None) -> Read:
    action = Action(kind="repair", by="ann", why="asked", event=event, data={})
    value = encode_action("b-1", action, event_id="r-1", now=NOW)
    return Read(topic="signals", key=b"b-1", value=value, headers=CLOUD_EVENT_HEADERS, offset=99)


REPAIR = Identity(source=SIGNALS, id="r-1").digest()


def having_seen(*events: tuple[str, Progress | Reason], begun_with: str = digest("e-1")) -> Seen:
    seen = mark(NOTHING_SEEN, begun_with, Progress.WORKED)
    for event, became in events:
        seen = mark(seen, digest(event), became)
    return seen


def waiting(view: sqlite3.Connection) -> list[int]:
    found = turned_away.letters(view, limit=99_999)
    assert sum(group.records for group in turned_away.groups(view)) == len(found)
    return sorted(one.offset for one in found)


@pytest.mark.parametrize(
    ("event", "reason"),
    [("e-7", Reason.WRONG_PARTITION), (None, Reason.UNREADABLE), ("e-7", Reason.UNKNOWN_BOOKING)],
)
def test_what_a_row_never_took_in_waits_whatever_becomes_of_its_booking(
    view: sqlite3.Connection, event: str | None, reason: Reason
) -> None:
    put(view, row(a_record()), letter(0, event, reason))
    assert waiting(view) == [0]
    put(view, row(replace(with_job("b-1", 7), sequence=2, seen=having_seen(("e-2", Progress.WORKED)))))
    assert waiting(view) == [0]
    put(view, gone())
    assert waiting(view) == [0]
    put(view, closing(reason, Place(0, 0)))
    assert waiting(view) == []


def test_a_letter_waits_on_when_its_booking_comes_and_not_when_its_event_is_worked(
    view: sqlite3.Connection,
) -> None:
    put(view, letter(0, "e-7", Reason.UNKNOWN_BOOKING), row(a_record()))
    assert waiting(view) == [0]
    worked = a_record(seen=having_seen(("e-7", Progress.WORKED)), sequence=2)
    put(view, row(worked))
    assert waiting(view) == []


def test_nothing_waits_twice_or_leaves_because_others_came(view: sqlite3.Connection) -> None:
    many = 20_001
    put(view, *(letter(offset, None, Reason.UNREADABLE, at=AT - offset) for offset in range(many)))
    put(view, closing(Reason.UNREADABLE, Place(0, 0)))
    assert waiting(view) == list(range(1, many))
    group = turned_away.group(view, Reason.UNREADABLE)
    assert group is not None
    assert group.records == many - 1


def test_what_a_lane_keeps_no_more_waits_here_and_what_it_keeps_does_not(view: sqlite3.Connection) -> None:
    names = [f"f-{number}" for number in range(FAILED_KEPT + 2)]
    seen = having_seen(*((name, Reason.ILLEGAL_TRANSITION) for name in names))
    kept = tuple(a_failed(name) for name in names[-FAILED_KEPT:])
    put(view, row(with_job("b-1", 7, failed=kept, seen=seen)))
    put(view, *(letter(place, name, Reason.ILLEGAL_TRANSITION) for place, name in enumerate(names)))
    assert waiting(view) == [0, 1]
    again = having_seen(
        *((name, Reason.ILLEGAL_TRANSITION) for name in names[1:]), (names[0], Progress.WORKED)
    )
    put(view, row(with_job("b-1", 7, failed=kept[1:], seen=again, sequence=2)))
    assert waiting(view) == [1, 2]


def test_what_is_put_aside_is_not_turned_away_and_its_discard_ends_it(view: sqlite3.Connection) -> None:
    failed = with_job("b-1", 7, failed=(a_failed(),), seen=having_seen(("e-9", Reason.ILLEGAL_TRANSITION)))
    put(view, letter(0, "e-9", Reason.ILLEGAL_TRANSITION))
    put(view, row(failed))
    assert waiting(view) == []
    discarded = having_seen(("e-9", Reason.DISCARDED))
    put(view, row(replace(failed, failed=(), seen=discarded, sequence=2)))
    assert waiting(view) == []


def test_a_held_creation_is_its_lanes_until_the_end(view: sqlite3.Connection) -> None:
    put(view, row(held("b-1")))
    put(view, letter(0, "e-1", Reason.AREA_NOT_SUPPORTED, event_type="booking.created"))
    assert waiting(view) == []
    overtaken = a_record(
        state=State.CLOSED,
        seen=mark(
            mark(NOTHING_SEEN, digest("e-1"), Reason.AREA_NOT_SUPPORTED), digest("e-2"), Progress.WORKED
        ),
        sequence=2,
    )
    put(view, row(overtaken))
    assert waiting(view) == []


def test_a_held_creation_that_its_row_forgot_to_have_seen_is_still_the_lanes() -> None:
    seen = having_seen(*((f"q-{number}", Reason.LANE_FULL) for number in range(KEPT)))
    lane = Lane(phase=Phase.HELD, head=a_head(type="booking.created"))
    assert answered(a_record(seen=seen, lane=lane, state=State.HELD)) == {digest("e-1")}


def test_an_event_that_failed_again_waits_once(view: sqlite3.Connection) -> None:
    put(view, letter(0, "e-7", Reason.UNKNOWN_BOOKING), letter(1, "e-7", Reason.WRONG_PARTITION))
    assert waiting(view) == [1]
    put(view, closing(Reason.WRONG_PARTITION, Place(0, 1)))
    assert waiting(view) == []


@pytest.mark.parametrize(("event", "left"), [("e-0", [1]), ("e-5", [0]), (None, [1])])
def test_a_repair_that_was_worked_as_the_creation_ends_what_it_repaired(
    view: sqlite3.Connection, event: str | None, left: list[int]
) -> None:
    put(
        view,
        letter(0, "e-0", Reason.INVALID, event_type="booking.created"),
        letter(1, "e-5", Reason.UNKNOWN_BOOKING),
        letter(2, "e-6", Reason.INVALID, event_type="booking.created", at=AT + 1),
    )
    put(view, repair(event))
    assert waiting(view) == [0, 1, 2], "nothing was worked yet"
    put(view, row(a_record(seen=having_seen(begun_with=REPAIR))))
    assert waiting(view) == [*left, 2]


def test_a_repair_that_came_too_late_ends_nothing(view: sqlite3.Connection) -> None:
    put(view, letter(0, "e-0", Reason.INVALID, event_type="booking.created"))
    refused = mark(having_seen(), REPAIR, Progress.WORKED)
    put(view, row(a_record(seen=refused)), repair("e-0"))
    assert waiting(view) == [0]


EVENTS = ["e-0", "e-1", "e-2", "e-3"]
BECAME = st.sampled_from([*Progress, Reason.INVALID, Reason.DISCARDED])


@st.composite
def rows(draw: st.DrawFn, sequence: int) -> Read:
    """A row of the booking, or that it left."""
    if draw(st.integers(0, 4)) == 0:
        return gone()
    known = draw(st.lists(st.tuples(st.sampled_from(EVENTS), BECAME), max_size=4))
    failed = draw(st.sets(st.sampled_from(EVENTS), max_size=2))
    begun_with = draw(st.sampled_from([REPAIR, digest("e-1")]))
    seen = having_seen(*known, begun_with=begun_with)
    return row(a_record(seen=seen, failed=tuple(map(a_failed, sorted(failed))), sequence=sequence))


@st.composite
def topics(draw: st.DrawFn) -> dict[str, list[Read]]:
    """What stands on each topic, in its order."""
    reasons = st.sampled_from([Reason.INVALID, Reason.UNKNOWN_BOOKING])
    kinds = st.sampled_from(["booking.created", "booking.cancelled"])
    letters = [
        letter(offset, draw(st.sampled_from([*EVENTS, None])), draw(reasons), event_type=draw(kinds))
        for offset in range(draw(st.integers(0, 6)))
    ]
    closings = [
        closing(draw(reasons), *(Place(0, place) for place in draw(st.sets(st.integers(0, 6), max_size=2))))
        for _ in range(draw(st.integers(0, 2)))
    ]
    repairs = [repair(draw(st.sampled_from([*EVENTS, None])))] if draw(st.booleans()) else []
    written = [draw(rows(number)) for number in range(1, draw(st.integers(1, 5)))]
    return {
        "bookings": [replace(one, offset=place) for place, one in enumerate(written)],
        "dead": letters,
        "signals": [replace(one, offset=place) for place, one in enumerate([*closings, *repairs])],
    }


@given(topics(), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_the_order_of_reading_does_not_matter(
    tmp_path: Path, logs: dict[str, list[Read]], data: st.DataObject
) -> None:
    """Topics are read side by side, and compacted ones of a rebuilt view have only their last rows."""
    left = {name: list(records) for name, records in logs.items() if records}
    mixed = []
    while left:
        name = data.draw(st.sampled_from(sorted(left)))
        mixed.append(left[name].pop(0))
        left = {name: records for name, records in left.items() if records}
    latest = [*logs["dead"], *logs["signals"], *logs["bookings"][-1:]]
    found = []
    for batches in ([[one] for one in mixed], [mixed], [latest]):
        view = schema.create(tmp_path / "v.sqlite3", STAMP, NOW)
        for batch in batches:
            put(view, *batch)
        found.append(waiting(view))
        view.close()
    assert found[0] == found[1] == found[2]


def test_what_was_closed_before_it_was_read_never_waits(view: sqlite3.Connection) -> None:
    put(view, closing(Reason.UNREADABLE))
    put(view, letter(0, None, Reason.UNREADABLE))
    put(view, letter(1, None, Reason.UNREADABLE, at=AT + round(timedelta(seconds=1).total_seconds() * 1000)))
    assert waiting(view) == [1]
