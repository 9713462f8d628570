"""What stands on the topics: what is carried of an event, what is cut, and what is not taken."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest

from app.booking.events import LARGEST_EVENT, RawEvent, Unusable
from app.booking.inputs import Signal
from app.booking.reasons import Reason
from app.booking.record import SendDeadLetter, SendTimer, Trouble
from app.stream import codec
from app.stream.message import Message

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OURS = (("x-kind", b"expire"), ("X-Turn", b"9"), ("x-http-status", b"200"), ("x-due", b"x"))
THEIRS = (("mine", b"\xff"), ("x-mine", b"1"), ("mine", b"2"))


def letter(**changes: Any) -> SendDeadLetter:  # noqa: ANN401 - fields of the event
    fields: dict[str, Any] = {
        "topic": "t",
        "partition": 1,
        "offset": 7,
        "key": b"k",
        "value": b"v",
        **changes,
    }
    trouble = Trouble(reason=Reason.REFUSED, detail="no", attempts=1, http_status=None, at=NOW)
    return SendDeadLetter(raw=RawEvent(**(fields | changes)), trouble=trouble, first_failed=NOW)


def test_what_a_producer_says_under_our_names_is_not_carried_on() -> None:
    timer = codec.timer_headers((*OURS, *THEIRS), SendTimer(turn=3, delay=5, attempt=1, due=NOW))
    _, _, dead = codec.dead_letter(letter(headers=(*OURS, *THEIRS)))

    assert timer[:3] == dead[:3] == THEIRS
    assert [name for name, _ in timer[3:]] == ["x-attempt", "x-due", "x-turn"]
    assert "x-http-status" not in dict(dead)


def test_what_fits_is_carried_to_the_byte() -> None:
    value = b"x" * (1024 * 1024)

    key, carried, headers = codec.dead_letter(letter(value=value, headers=(("", b""),) * 3000))

    assert (key, carried) == (b"k", value)
    assert headers[:3000] == (("", b""),) * 3000
    assert "x-length" not in dict(headers)


@pytest.mark.parametrize(
    "large", [{"value": b"v" * 3_000_000}, {"key": b"k" * 3_000_000}, {"headers": (("", b""),) * 2_000_000}]
)
def test_what_does_not_fit_is_cut_and_says_what_it_was(large: dict[str, Any]) -> None:
    whole = letter(**large)

    key, value, headers = codec.dead_letter(whole)

    named = dict(headers)
    assert codec._size(key, value, headers) < 2 * 1024 * 1024
    assert (whole.raw.value or b"").startswith(value or b"-")
    assert (whole.raw.key or b"").startswith(key or b"-")
    assert named["x-length"] == b"%d" % len(whole.raw.value or b"")
    assert named["x-sha256"].decode() == sha256(whole.raw.value or b"").hexdigest()
    assert (named["x-original-partition"], named["x-original-offset"]) == (b"1", b"7")


def test_a_detail_is_cut_between_characters() -> None:
    cut = letter()
    trouble = Trouble(reason=Reason.INVALID, detail="x" + "é" * 4000, attempts=0, http_status=None, at=NOW)
    _, _, headers = codec.dead_letter(SendDeadLetter(raw=cut.raw, trouble=trouble, first_failed=NOW))

    assert dict(headers)["x-detail"].decode() == "x" + "é" * 2047


def signal(kind: str, data: object) -> Message:
    document = {
        "specversion": "1.0",
        "id": "s1",
        "source": "/s",
        "type": kind,
        "subject": "b1",
        "time": "2026-11-24T12:00:00Z",
        "data": data,
    }
    return Message("signals", 0, 0, 0.0, b"b1", orjson.dumps(document))


ACT = {"by": "ops", "why": "because"}
SEEN = {"jobId": 1, "status": "completed", "at": "2026-11-24T12:00:00Z", "seenBy": "sweep"}
FAILED = {"turn": 1, "digest": "d", "outcome": "failed", "detail": "no"}


@pytest.mark.parametrize(
    ("kind", "data"), [("action.retry", ACT), ("job.observed", SEEN), ("customer.failed", FAILED)]
)
def test_a_signal_is_read(kind: str, data: dict[str, object]) -> None:
    assert isinstance(codec.read_signal(signal(kind, data)), Signal)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("action.retry", ACT | {"plan": "p" * 60_000}),
        ("action.retry", ACT | {"event": "e" * 60_000}),
        ("job.observed", SEEN | {"jobId": 2.0**70}),
        ("job.observed", SEEN | {"seenBy": "x" * 60_000}),
        ("job.observed", SEEN | {"at": "9999-12-31T23:59:59-12:00"}),
        ("customer.failed", FAILED | {"httpStatus": 1e29}),
        ("customer.failed", FAILED | {"turn": -1}),
    ],
)
def test_what_would_make_a_row_grow_or_break_is_refused(kind: str, data: dict[str, object]) -> None:
    found = codec.read_signal(signal(kind, data))

    assert isinstance(found, Unusable)
    assert found.reason is Reason.INVALID


@pytest.mark.parametrize("read", [codec.read_signal, codec.read_customer_request, codec.read_timer])
def test_records_of_our_own_topics_have_a_bound_too(read: Any) -> None:  # noqa: ANN401 - any of the three
    for large in ({"value": b"x" * (3 * LARGEST_EVENT)}, {"headers": (("", b""),) * 300_000}):
        fields: dict[str, Any] = {"key": b"b1", "value": b"{}", **large}
        found = read(Message(topic="t", partition=0, offset=0, timestamp=0.0, **fields))
        assert isinstance(found, Unusable)
        assert found.reason is Reason.TOO_LARGE
