"""What of an event is shown while nothing personal may be seen."""

import orjson
import pytest

from app.web.ops.masks import event_text

BOOKED = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/booking-form",
    "type": "booking.created",
    "subject": "BK-1",
    "data": {
        "firstName": "Ada",
        "phone": "(602) 555-0123",
        "city": "Phoenix",
        "zip": "85001",
        "problemType": "broken_spring",
        "doorCount": 2,
        "note": "Ada Lovelace, 12 Main Street",
        "callMe": 6025550123,
        "more": {"who": ["Ada", {"Ada Lovelace": 1}]},
    },
}


def shown(document: object) -> str:
    return event_text(orjson.dumps(document), revealed=False)


def test_what_is_known_to_be_harmless_is_shown_and_nothing_else() -> None:
    text = shown(BOOKED)
    for harmless in ("booking.created", "BK-1", "e-1", "/booking-form", "broken_spring", '"doorCount": 2'):
        assert harmless in text
    for personal in ("Ada", "Lovelace", "555", "Main", "Phoenix", "85001", "6025550123"):
        assert personal not in text.replace('"A***"', "")
    assert "Lovelace" in event_text(orjson.dumps(BOOKED), revealed=True)


@pytest.mark.parametrize("subject", ["Ada Lovelace", "ada@example.com", "6025550123", "x" * 300, "BK 1"])
def test_an_id_that_looks_like_somebody_is_not_shown(subject: str) -> None:
    assert subject not in shown({**BOOKED, "subject": subject})


@pytest.mark.parametrize("value", [b"Ada Lovelace 602 555 0123", b'{"phone": "602', b"\xff\xfe"])
def test_bytes_that_are_no_json_are_only_counted(value: bytes) -> None:
    assert event_text(value, revealed=False) == f"({len(value)} bytes that are no JSON)"


def test_what_is_nested_or_repeated_too_much_is_cut() -> None:
    deep: object = 1
    for _ in range(20):
        deep = {"a": deep}
    assert "..." in shown(deep)
    assert shown([1] * 1000).count("***") == 20
