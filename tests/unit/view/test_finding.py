"""Finding bookings in pages over indexes; what is seen at a glance; plans, counted from the view."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.booking.record import Lane, Phase, Record, State, Waits, encode, encode_head
from app.business_file import load_business
from app.stream.codec import CLOUD_EVENT_HEADERS, cloud_event, encode_action, encode_note
from app.view import finding, glance, plans, queries, schema, turned_away
from app.view.apply import apply
from app.view.config import ViewTopics
from app.view.finding import Wanted, find
from app.view.notes import Closing, Place, place
from app.view.plans import Definition, Step
from app.view.queries import actions
from tests.support.rows import NOW, Read, a_booking, a_failed, a_head, a_record, held, trouble, with_job

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

TOPICS = ViewTopics(
    bookings="bookings", behind="behind", dead_letters="dead", signals="signals", webhooks="webhooks"
)
STAMP = schema.Stamp(cluster="c", prefix="", partitions=1)

BUSINESS = load_business()


class Database:
    """A view's file that is written by the test."""

    def __init__(self, path: Path) -> None:
        self.connection = schema.create(path, STAMP, NOW)
        self._offset = 0

    def read(self, topic: str, key: str, value: bytes | None, **more: object) -> None:
        self._offset += 1
        record = Read(topic=topic, key=key.encode(), value=value, offset=self._offset, **more)  # type: ignore[arg-type]  # fields of Read
        apply(self.connection, TOPICS, [record], business=BUSINESS, now=NOW)

    def put(self, *records: Record) -> None:
        for record in records:
            self.read("bookings", record.booking_id, encode(record))

    def act(self, booking_id: str, plan: str, event: str = "e-1") -> None:
        action = Action(kind="retry", by="ann", why="w", event=event, plan=plan)
        value = encode_action(booking_id, action, event_id=f"{plan}/{booking_id}/{event}", now=NOW)
        self.read("signals", booking_id, value, headers=CLOUD_EVENT_HEADERS)

    def tell(self, definition: Definition, step: Step, text: str = "") -> None:
        note = {
            "reason": definition.reason.value,
            "text": text,
            "by": "ann",
            "plan": definition.plan,
            "data": plans.note_data(definition, step),
        }
        value = cloud_event(
            event_id=f"note-{self._offset}", event_type="action.note", subject="refused", time=NOW, data=note
        )
        self.read("signals", "refused", value, headers=CLOUD_EVENT_HEADERS)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "view.sqlite3")
    yield made
    made.connection.close()


def ids(found: finding.Found) -> list[str]:
    return [one.record.booking_id for one in found.bookings]


def on(day: int, **changes: object) -> dict[str, Any]:
    """A booking whose visit is on this day of March."""
    return {"booking": a_booking(scheduledDate=f"2026-03-{day:02}T16:00:00Z", **changes)}


def fill(database: Database) -> None:
    database.put(
        held("h-2", **on(12)),
        held("h-1", **on(11, zip="85016")),
        held("h-3", Reason.PHONE_REFUSED, **on(10)),
        a_record("p-1", **on(9), changed_at=NOW + timedelta(seconds=9)),
        with_job("j-1", 1001, failed=(a_failed(),), job={"start": NOW + timedelta(days=20)}),
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(state=State.HELD), ["h-3", "h-1", "h-2"]),
        (Wanted(reason=Reason.AREA_NOT_SUPPORTED), ["h-1", "h-2"]),
        (Wanted(reason=Reason.ILLEGAL_TRANSITION), ["j-1"]),
        (Wanted(zip="850"), ["p-1", "h-3", "h-1", "h-2", "j-1"]),
        (Wanted(zip="850", state=State.ACTIVE), ["j-1"]),
        (Wanted(zip="850", before=NOW + timedelta(days=9)), ["p-1", "h-3"]),
        (Wanted(zip="85016"), ["h-1"]),
        (Wanted(state=State.HELD, zip="85001"), ["h-3", "h-2"]),
        (Wanted(before=NOW + timedelta(days=9)), ["p-1", "h-3"]),
        (Wanted(after=NOW + timedelta(days=9), state=State.HELD), ["h-1", "h-2"]),
        (Wanted(text="lovelace", state=State.HELD, zip="85016"), ["h-1"]),
        (Wanted(text="lovelace", reason=Reason.PHONE_REFUSED), ["h-3"]),
        (Wanted(text="lovelace", before=NOW + timedelta(days=8)), ["p-1"]),
        (Wanted(shown="scheduled"), ["j-1"]),
        (Wanted(shown="pending", zip="850"), ["p-1"]),
        (Wanted(text="lovelace", shown="scheduled"), ["j-1"]),
        (Wanted(text="nobody"), []),
        (Wanted(state=State.CLOSED), []),
    ],
)
def test_what_is_wanted_is_found_earliest_visit_first(
    database: Database, wanted: Wanted, expected: list[str]
) -> None:
    fill(database)
    assert ids(find(database.connection, wanted, limit=10)) == expected


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(state=State.HELD), Wanted(reason=Reason.AREA_NOT_SUPPORTED), Wanted(zip="850")],
)
def test_a_walk_shows_each_once_even_with_equal_times(database: Database, wanted: Wanted) -> None:
    database.put(*(held(f"h-{number}") for number in range(7)))
    found: list[str] = []
    key = None
    while True:
        page = find(database.connection, wanted, limit=3, after=key)
        found += ids(page)
        key = page.next_key
        if key is None:
            break
    assert sorted(found) == [f"h-{number}" for number in range(7)]


def test_without_a_wish_the_latest_change_comes_first(database: Database) -> None:
    fill(database)
    assert ids(find(database.connection, Wanted(), limit=1)) == ["p-1"]
    assert finding.changed_since(database.connection, NOW, limit=5) == 1
    assert finding.changed_since(database.connection, NOW - timedelta(days=1), limit=3) == 3


WISHES: dict[str, Callable[[sqlite3.Connection], object]] = {
    "latest": lambda file: find(file, Wanted(), limit=9, after=finding.FoundKey(1, "a")),
    "state": lambda file: find(file, Wanted(state=State.HELD), limit=9, after=finding.FoundKey(1, "a")),
    "reason": lambda file: find(file, Wanted(reason=Reason.REFUSED), limit=9),
    "zip": lambda file: find(file, Wanted(zip="85001"), limit=9),
    "zip and state": lambda file: find(file, Wanted(zip="850", state=State.ENDED), limit=9),
    "shown": lambda file: find(file, Wanted(shown="cancelled"), limit=9, after=finding.FoundKey(1, "a")),
    "id": lambda file: queries.with_id(file, "B-1"),
    "visit": lambda file: find(file, Wanted(before=NOW), limit=9),
    "text": lambda file: find(file, Wanted(text="ada"), limit=9),
    "changed": lambda file: finding.changed_since(file, NOW, limit=9),
    "targets": lambda file: plans.targets(file, definition()),
    "progress": lambda file: plans.progress(file, definition()),
    "plans": lambda file: plans.plans(file, limit=9),
    "glance": glance.glance,
    "results": lambda file: glance.results(file, limit=9),
    "turned away": turned_away.groups,
    "turned away for a reason": lambda file: turned_away.group(file, Reason.INVALID),
    "turned away places": lambda file: turned_away.places(file, Reason.INVALID, until=NOW),
    "turned away letters": lambda file: turned_away.letters(file, reason=Reason.INVALID, limit=9),
}


@pytest.mark.parametrize("name", WISHES)
def test_nothing_walks_through_all_bookings(database: Database, name: str) -> None:
    fill(database)
    asked: list[str] = []
    database.connection.set_trace_callback(asked.append)
    WISHES[name](database.connection)
    database.connection.set_trace_callback(None)
    assert asked
    for statement in asked:
        steps = database.connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        told = [step[3] for step in steps]
        # A limit ends a walk over an index early, and a count of a column needs the index alone.
        scans = [step for step in told if step.startswith("SCAN") and "INDEX" not in step]
        assert [
            step for step in scans if step.split()[1] in {"bookings", "b", "attention", "actions"}
        ] == [], told


def test_the_glance_counts_what_lanes_do(database: Database) -> None:
    due = NOW + timedelta(seconds=7)
    waiting = Lane(phase=Phase.WAITING, head=a_head(), waits=Waits.RETRY, due=due)
    database.put(
        held("h-1", **on(11)),
        a_record("w-1", lane=waiting),
        a_record("w-2", lane=replace(waiting, waits=Waits.SETTLE, due=due + timedelta(seconds=1))),
        a_record("f-1", lane=Lane(phase=Phase.WORKING)),
        with_job("j-1", 1, failed=(a_failed(),)),
    )
    seen = glance.glance(database.connection)
    assert (seen.working, seen.waiting, seen.checking, seen.held, seen.attention) == (1, 1, 1, 1, 2)
    assert (seen.next_due, seen.held_visit) == (due, NOW.replace(day=11, hour=16))
    assert seen.last_failure is None


# Turned away ----------------------------------------------------------------------------------------------


def turn_away(database: Database, *keys: str, reason: bytes = b"unreadable", at: datetime = NOW) -> None:
    for key in keys:
        database.read(
            "dead", key, b"?", headers=(("x-reason", reason),), timestamp=round(at.timestamp() * 1000)
        )


def close(database: Database, reason: Reason, until: datetime, *places: Place) -> None:
    closing = Closing(reason=reason, until=until, places=places or None, total=1)
    more = {"data": closing.data()}
    value = encode_note(reason, text="mended", by="ann", event_id="c-1", now=NOW, more=more)
    database.read("signals", reason.value, value, headers=CLOUD_EVENT_HEADERS)


def open_keys(database: Database, reason: Reason = Reason.UNREADABLE) -> set[str | None]:
    return {one.booking_id for one in turned_away.letters(database.connection, reason=reason, limit=9)}


def test_what_no_lane_has_is_counted_by_reason(database: Database) -> None:
    database.put(held("h-1"))
    turn_away(database, "h-1", "x", "y")
    (found,) = turned_away.groups(database.connection)
    assert (found.reason, found.records, found.first, found.last) == ("unreadable", 3, NOW, NOW)
    assert turned_away.group(database.connection, Reason.UNREADABLE) == found
    assert turned_away.group(database.connection, Reason.INVALID) is None


def test_a_group_is_closed_up_to_what_was_shown(database: Database) -> None:
    turn_away(database, "x", "y")
    turn_away(database, "later", at=NOW + timedelta(milliseconds=1))
    turn_away(database, "other", reason=b"wrong-key")
    close(database, Reason.UNREADABLE, NOW)
    assert open_keys(database) == {"later"}
    assert open_keys(database, Reason.WRONG_KEY) == {"other"}
    # An older closing that comes late takes nothing back.
    close(database, Reason.UNREADABLE, NOW - timedelta(days=1))
    assert open_keys(database) == {"later"}


def test_what_is_closed_stays_so_whichever_topic_is_read_first(database: Database) -> None:
    close(database, Reason.UNREADABLE, NOW)
    turn_away(database, "x")
    assert open_keys(database) == set()
    letters = queries.dead_letters(database.connection, limit=9)
    (who,) = turned_away.closed(database.connection, letters).values()
    assert (who.by, who.why) == ("ann", "mended")


def test_single_letters_are_closed_and_it_is_told(database: Database) -> None:
    turn_away(database, "x", "y")
    (chosen,) = [one for one in turned_away.letters(database.connection, limit=9) if one.booking_id == "x"]
    place = turned_away.place_of(chosen)
    wrong = Place(0, 999)
    assert turned_away.at(database.connection, Reason.UNREADABLE, [place, wrong]) == [chosen]
    close(database, Reason.UNREADABLE, NOW, place)
    assert open_keys(database) == {"y"}
    assert turned_away.at(database.connection, Reason.UNREADABLE, [place]) == []
    (act,) = actions(database.connection, limit=9)
    assert (act.subject, act.kind, act.by, act.why) == ("unreadable", "close", "ann", "mended")
    assert act.result == "1 closed"


@pytest.mark.parametrize(
    "data",
    [
        {"closes": {}},
        {"closes": {"until": "soon", "letters": None, "total": 1}},
        {"closes": {"until": "2026-03-02T09:00:00+00:00", "letters": 5, "total": 1}},
        {"closes": {"until": "2026-03-02T09:00:00+00:00", "letters": [5], "total": 1}},
        {"closes": {"until": "0001-01-01T00:00:00+14:00", "letters": None, "total": 1}},
        {"closes": 5},
        5,
    ],
)
def test_a_note_that_says_nothing_of_use_is_a_note(database: Database, data: object) -> None:
    turn_away(database, "x")
    value = encode_note(Reason.UNREADABLE, text="t", by="ann", event_id="c-1", now=NOW, more={"data": data})
    database.read("signals", "unreadable", value, headers=CLOUD_EVENT_HEADERS)
    assert open_keys(database) == {"x"}
    (act,) = actions(database.connection, limit=9)
    assert (act.kind, act.result) == ("note", "noted")


@pytest.mark.parametrize("text", ["", "-", "3", "3-", "-17", "3-17-1", "a-1", "3--1", "9" * 18 + "-1", "³-1"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert place(text) is None
    assert place("3-17") == Place(3, 17)


# Plans ----------------------------------------------------------------------------------------------------


def definition(**changes: object) -> Definition:
    fields: dict[str, object] = {
        "plan": "p-1",
        "kind": "retry",
        "reason": Reason.AREA_NOT_SUPPORTED,
        "bookings": None,
        "until": NOW,
        "by": "ann",
        "why": "w",
        "total": 3,
    }
    return Definition(**{**fields, **changes})  # type: ignore[arg-type]  # fields of its own


def failing_at(booking_id: str, seconds: int) -> Record:
    """Held again, so many seconds later."""
    problem = trouble(Reason.AREA_NOT_SUPPORTED, at=NOW + timedelta(seconds=seconds))
    return replace(held(booking_id), problem=problem, sequence=2)


def test_a_plan_acts_on_one_reason_up_to_its_time_and_on_chosen_ones(database: Database) -> None:
    database.put(held("a"), held("b"), held("c", Reason.REFUSED), failing_at("d", 5))
    file = database.connection

    def targets(plan: Definition) -> set[str]:
        return {one.line.booking_id for one in plans.targets(file, plan)}

    assert targets(definition()) == {"a", "b"}
    assert targets(definition(bookings=("b", "c"))) == {"b"}
    database.act("a", "p-1")
    assert targets(definition()) == {"b"}
    assert targets(definition(plan="p-2")) == {"a", "b"}


def test_what_was_put_aside_comes_with_its_event(database: Database) -> None:
    database.put(with_job("j-1", 1, failed=(a_failed(),)))
    database.read("behind", "j-1/f0", encode_head(a_head("e-9")))
    (found,) = plans.targets(database.connection, definition(reason=Reason.ILLEGAL_TRANSITION))
    assert found.head is not None
    assert (found.head.event_id, found.line.slot) == ("e-9", "f0")


def test_progress_is_counted_by_what_became_of_each(database: Database) -> None:
    database.put(*(held(name) for name in ("left", "queued", "working", "done", "failing")))
    for name in ("queued", "working", "done", "failing"):
        database.act(name, "p-1")
    database.act("left", "p-other")
    database.put(
        a_record("working", lane=Lane(phase=Phase.WAITING), sequence=2),
        replace(with_job("done", 1), sequence=2),
        failing_at("failing", 5),
    )
    seen = plans.progress(database.connection, definition())
    assert seen == plans.PlanProgress(sent=4, left=1, queued=1, working=1, done=1, failing=1)
    assert seen.finished == 2


def test_a_plan_is_what_its_notes_tell(database: Database) -> None:
    plan = definition(bookings=("a", "b"))
    database.tell(plan, Step.BEGUN, "w")
    database.tell(plan, Step.GOING)
    database.tell(plan, Step.STOPPED, "enough")
    (seen,) = plans.plans(database.connection, limit=9)
    assert (seen.definition, seen.step, seen.step_why, seen.step_by) == (plan, Step.STOPPED, "enough", "ann")
    assert plans.plan(database.connection, "p-1") == seen
    assert plans.plan(database.connection, "p-2") is None
    # That it goes on is no news for people.
    assert [one.why for one in actions(database.connection, limit=9)] == ["enough", "w"]


@pytest.mark.parametrize(
    ("said", "step"),
    [
        (Step.GOING, Step.STOPPED),
        (Step.ENDED, Step.STOPPED),
        (Step.CONTINUED, Step.CONTINUED),
        (Step.BEGUN, Step.BEGUN),
    ],
)
def test_only_an_operator_ends_a_stop(database: Database, said: Step, step: Step) -> None:
    database.tell(definition(), Step.BEGUN)
    database.tell(definition(), Step.STOPPED, "enough")
    database.tell(definition(), said)
    seen = plans.plan(database.connection, "p-1")
    assert seen is not None
    assert (seen.step, seen.step_why) == (step, "enough" if step is Step.STOPPED else "")


TOLD = plans.note_data(definition(), Step.BEGUN)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"step": "begun"},
        {"step": "unheard", "kind": "retry", "reason": "refused"},
        {**TOLD, "until": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_note_that_tells_of_no_plan_is_a_note(database: Database, data: object) -> None:
    said = {"reason": "refused", "text": "t", "by": "ann", "plan": "p-1", "data": data}
    value = orjson.dumps(
        {
            "specversion": "1.0",
            "id": "n",
            "source": "/s",
            "type": "action.note",
            "subject": "refused",
            "time": NOW,
            "data": said,
        }
    )
    database.read("signals", "refused", value)
    assert plans.plans(database.connection, limit=9) == []
    assert [one.why for one in actions(database.connection, limit=9)] == ["t"]


@pytest.mark.parametrize(("total", "kept"), [(2**63, plans.MOST_TARGETS), (f"-{2**63 + 1}", 0)])
def test_a_plan_of_more_than_any_acts_on_as_many_as_one_can(
    database: Database, total: object, kept: int
) -> None:
    said = {"reason": "refused", "text": "t", "by": "ann", "plan": "p-1", "data": {**TOLD, "total": total}}
    value = cloud_event(event_id="n", event_type="action.note", subject="refused", time=NOW, data=said)
    database.read("signals", "refused", value, headers=CLOUD_EVENT_HEADERS)
    (seen,) = plans.plans(database.connection, limit=9)
    assert seen.definition.total == kept
