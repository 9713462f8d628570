"""The demo's scripts: every kind is there, repeatable, and says what the contract understands."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from app.booking.events import BookingEvent, Invalid, RawEvent, Unusable, read
from app.booking.reasons import Reason
from app.booking.record import State
from app.local.demo_script import After, Script, scripts
from app.simulator.state import people

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KINDS = 18


def drawn(count: int, seed: int = 1) -> list[Script]:
    return list(islice(scripts(seed, NOW), count))


def events(script: Script) -> list[BookingEvent | Unusable]:
    return [
        read(RawEvent(topic="t", partition=0, offset=0, key=step.sent.key, value=step.sent.value))
        for step in script.steps
    ]


def test_each_kind_comes_once_first() -> None:
    titles = [script.title for script in drawn(KINDS)]
    assert len(set(titles)) == KINDS
    assert {script.title for script in drawn(1000)} == set(titles)


def test_a_seed_gives_the_same_scripts_and_another_one_others() -> None:
    assert drawn(100) == drawn(100)
    assert drawn(100) != drawn(100, seed=2)


def test_no_booking_is_in_two_scripts_and_each_event_is_its_own_bookings() -> None:
    found = drawn(300)
    assert len({script.booking_id for script in found}) == 300
    for script in found:
        assert {step.sent.key for step in script.steps} == {script.booking_id.encode()}


def test_events_are_right_but_where_the_script_says_otherwise() -> None:
    for script in drawn(300):
        dead = {reason for ending in script.endings for reason in ending.dead}
        for event in events(script):
            if isinstance(event, Unusable):
                assert event.reason is Reason.UNREADABLE
                assert dead == {Reason.UNREADABLE}
            elif isinstance(event.data, Invalid):
                assert dead == {Reason.INVALID}


def test_the_three_triggers_of_the_simulator_are_there() -> None:
    text = b"".join(step.sent.value for script in drawn(KINDS) for step in script.steps)
    for trigger in (people.CONFLICT_EMAIL, people.UNSUPPORTED_ZIP, people.INVALID_PHONE):
        assert trigger.encode() in text


def test_changes_come_at_once_after_the_job_and_after_the_hold() -> None:
    assert {step.after for script in drawn(KINDS) for step in script.steps} == set(After)


def test_who_is_refused_is_not_expected_among_the_customers() -> None:
    for script in drawn(300):
        refused = all(ending.dead and not ending.effects for ending in script.endings)
        assert (script.customer is None) is refused
        assert script.endings
        assert all(ending.state is not State.PENDING for ending in script.endings)
