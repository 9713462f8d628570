"""Words for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from app.booking.record import Lane, Phase, Record, State, Waits
from app.booking.status import Status
from app.web.ops.words import Badge, Times, badge, span
from tests.support.rows import NOW, a_record, held, with_job

TIMES = Times(NOW, ZoneInfo("America/Phoenix"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (15_600, "4 h 20 min"),
        (6 * 3600 + 60, "6 h"),
        (86_400, "1 d"),
        (183_600, "2 d 3 h"),
        (8 * 86_400 + 3600, "8 d"),
    ],
)
def test_a_length_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_times_are_told_from_now_and_in_the_business_zone() -> None:
    assert TIMES.near(NOW - timedelta(minutes=3)) == "3 min ago"
    assert TIMES.near(NOW + timedelta(seconds=4)) == "in 4 s"
    assert TIMES.near(NOW) == "now"
    assert TIMES.left(NOW + timedelta(hours=3)) == "in 3 h"
    assert TIMES.left(NOW - timedelta(hours=3)) == "passed 3 h ago"
    assert TIMES.utc(NOW) == "2026-03-02 09:00:00 UTC"
    assert TIMES.here(NOW) == "Mon 2 Mar, 02:00 MST"
    assert TIMES.here(NOW.replace(year=2027)) == "Tue 2 Mar 2027, 02:00 MST"
    assert [TIMES.urgency(NOW + timedelta(hours=hours)) for hours in (-1, 0, 3, 5, 25)] == [
        "past",
        "past",
        "soon",
        "today",
        "later",
    ]


def in_lane(waits: Waits | None, phase: Phase = Phase.WAITING) -> Record:
    return a_record(lane=Lane(phase=phase, waits=waits))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (held("b"), Badge("held", "stop", "bad")),
        (in_lane(Waits.RETRY), Badge("waiting", "clock", "warn")),
        (in_lane(Waits.SETTLE), Badge("checking", "lens", "warn")),
        (in_lane(Waits.CUSTOMER), Badge("customer", "ring", "busy")),
        (in_lane(None, Phase.WORKING), Badge("in flight", "half", "busy")),
        (a_record(), Badge("pending", "ring", "busy")),
        (a_record(state=State.CLOSED), Badge("closed", "dash", "quiet")),
        (with_job("b", 1, job={"status": Status.IN_PROGRESS}), Badge("in progress", "dot", "good")),
        (
            replace(with_job("b", 1, job={"status": Status.CANCELLED}), state=State.ENDED),
            Badge("cancelled", "cross", "quiet"),
        ),
        (
            replace(with_job("b", 1, job={"status": Status.COMPLETED}), state=State.ENDED),
            Badge("completed", "check", "good"),
        ),
    ],
)
def test_a_state_has_word_shape_and_tone(record: Record, expected: Badge) -> None:
    assert badge(record) == expected
