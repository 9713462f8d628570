"""Events that no lane has: shown until somebody closes them, by page, command and API alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
from click.testing import CliRunner

from app.booking.identity import NOTHING_SEEN, Progress, mark
from app.booking.reasons import Reason
from app.commands.dead_letters import dead_letters
from tests.support.rows import NOW, Read, a_failed, a_record, digest, with_job
from tests.unit.web.ops.asking import action, get, post, told_to_the_view

if TYPE_CHECKING:
    import pytest

    from tests.support.web import Served


def turned_away(served: Served, *keys: str | None, reason: str = "unreadable") -> None:
    headers = (("x-reason", reason.encode()), ("x-detail", b"not JSON"))
    served.view.read(
        *(
            Read(topic="dead", key=None if key is None else key.encode(), value=b"?", headers=headers)
            for key in keys
        )
    )


def closing(text: str) -> dict[str, str]:
    """The form's own fields."""
    fields = {name: text.split(f'name="{name}" value="')[1].partition('"')[0] for name in ("until", "total")}
    return {name: value.replace("&#43;", "+") for name, value in fields.items()}


async def test_what_was_turned_away_is_closed_as_it_was_shown(served: Served) -> None:
    turned_away(served, None, "b-8", "b-9")
    turned_away(served, "b-7", reason="wrong-key")
    told_to_the_view(served)
    _, text = await get(served, "/ops/reasons/unreadable")
    form = {**closing(text), "why": "the producer is mended"}
    assert form["total"] == "3"
    turned_away(served, "b-10")
    answer, text = await post(served, "/ops/reasons/unreadable/close", form)
    assert (answer.status, "4 events now, not 3" in text, served.sent) == (409, True, [])
    answer, _ = await post(served, "/ops/reasons/unreadable/close", {**form, "total": "4"})
    assert (answer.status, answer.headers["Location"]) == (303, "/ops/reasons/unreadable")
    (sent,) = served.sent
    said = action(sent)
    assert (sent.key, said["type"], said["subject"]) == (b"unreadable", "action.note", "unreadable")
    _, text = await get(served, "/ops")
    assert "/ops/reasons/unreadable" not in text
    assert "/ops/reasons/wrong-key" in text
    _, text = await get(served, "/ops/reasons/unreadable")
    assert text.count("closed by local") == 4
    _, text = await get(served, "/ops/actions")
    assert "the producer is mended" in text
    assert "4 closed" in text


async def test_chosen_ones_are_closed_and_the_others_wait_on(served: Served) -> None:
    turned_away(served, "b-8", "b-9")
    told_to_the_view(served)
    _, text = await get(served, "/ops/reasons/unreadable")
    first, second = (part.split('"')[0] for part in text.split('name="letter" value="')[1:])
    answer, _ = await post(served, "/ops/reasons/unreadable/close", {"letter": second, "why": "w"})
    assert answer.status == 303
    _, text = await get(served, "/ops/reasons/unreadable")
    assert [part.split('"')[0] for part in text.split('name="letter" value="')[1:]] == [first]


async def test_many_are_closed_when_their_number_was_typed(served: Served) -> None:
    turned_away(served, *(f"b-{number}" for number in range(51)))
    _, text = await get(served, "/ops/reasons/unreadable")
    assert "Type 51 to close all" in text
    form = {**closing(text), "why": "w"}
    answer, text = await post(served, "/ops/reasons/unreadable/close", form)
    assert (answer.status, "Type 51" in text, served.sent) == (422, True, [])
    answer, _ = await post(served, "/ops/reasons/unreadable/close", {**form, "typed": "51"})
    assert (answer.status, len(served.sent)) == (303, 1)


async def test_what_a_lane_still_has_is_not_closed_with_the_group(served: Served) -> None:
    never_made(served)
    booked = mark(NOTHING_SEEN, digest("e-1"), Progress.WORKED)
    seen = mark(booked, digest("e-cancelled"), Reason.UNKNOWN_BOOKING)
    served.view.put(with_job("b-9", 7, failed=(a_failed("e-cancelled", Reason.UNKNOWN_BOOKING),), seen=seen))
    turned_away(served, *(f"b-{number}" for number in range(1001)), reason="unknown-booking")
    told_to_the_view(served)
    _, text = await get(served, "/ops/reasons/unknown-booking")
    form = {**closing(text), "why": "the producer is mended", "typed": "1001"}
    assert form["total"] == "1001"
    assert (await post(served, "/ops/reasons/unknown-booking/close", form))[0].status == 303
    assert len(served.sent) == 2, "a note names 1,000"
    _, text = await get(served, "/ops")
    assert "/ops/reasons/unknown-booking" in text, "the lane's own"
    served.view.put(with_job("b-9", 7, seen=seen, sequence=2))
    _, text = await get(served, "/ops/reasons/unknown-booking")
    assert closing(text)["total"] == "1"


def never_made(served: Served) -> None:
    """An invalid creation and a change that came after it: neither left a row."""
    for kind, reason in (("created", "invalid"), ("cancelled", "unknown-booking")):
        value = orjson.dumps(
            {
                "specversion": "1.0",
                "id": f"e-{kind}",
                "source": "/booking-system",
                "type": f"booking.{kind}",
                "subject": "b-9",
                "time": NOW.isoformat(),
                "data": {"zip": "nowhere"},
            }
        )
        headers = (("x-reason", reason.encode()), ("x-detail", b"zip: wrong"))
        served.view.read(Read(topic="dead", key=b"b-9", value=value, headers=headers))


async def test_the_repair_of_what_came_in_binary_mode_begins_with_its_data(served: Served) -> None:
    attributes = {"specversion": "1.0", "id": "e-1", "source": "/booking-system", "subject": "b-9"}
    attributes |= {"type": "booking.created", "time": NOW.isoformat()}
    headers = (
        *((f"ce_{name}", text.encode()) for name, text in attributes.items()),
        ("x-reason", b"invalid"),
        ("x-detail", b"zip: wrong"),
    )
    value = orjson.dumps({"zip": "nowhere", "city": "Phoenix"})
    served.view.read(Read(topic="dead", key=b"b-9", value=value, headers=headers))
    _, text = await get(served, "/ops/bookings/b-9/repair")
    assert ('value="nowhere"' in text, 'value="Phoenix"' in text) == (True, True)


async def test_a_discard_closes_all_that_was_turned_away_of_a_booking(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.closing.MOST_PLACES", 70)
    for number in range(150):
        turned_away(served, "b-9", reason="unreadable" if number % 10 else "wrong-key")
    turned_away(served, "b-8")
    told_to_the_view(served)
    body = {"action": "discard", "why": "no customer"}
    found, _, _ = await served.ask("POST", "/bookings/b-9/actions", json=body)
    assert (found, len(served.sent)) == (202, 3)
    assert len({action(sent)["id"] for sent in served.sent}) == 3
    _, text, _ = await served.ask("GET", "/ops/api/turned-away?limit=1000", api=False)
    assert [one["bookingId"] for one in text["data"]["letters"]] == ["b-8"]


async def test_a_booking_that_was_never_made_is_discarded_by_one_path(served: Served) -> None:
    never_made(served)
    told_to_the_view(served)
    _, text = await get(served, "/ops/bookings/b-9")
    assert text.count('value="discard"') == 2
    assert 'value="retry"' not in text
    assert text.count("Repair and try…") == 1
    form = {"action": "discard", "why": "no customer", "event": "e-cancelled", "sure": "yes"}
    answer, _ = await post(served, "/ops/bookings/b-9/actions", form)
    assert answer.status == 303
    _, text = await get(served, answer.headers["Location"])
    assert "Discarded: 1 closed." in text
    assert text.count('value="discard"') == 1
    body = {"action": "discard", "why": "no customer"}
    status, told, _ = await served.ask("POST", "/bookings/b-9/actions", json=body)
    assert (status, told["data"]["status"]) == (202, "queued")
    event = told["data"]["event"]
    status, told, _ = await served.ask("GET", f"/bookings/b-9?event={event}")
    assert (status, told["error"]) == (422, "discarded")
    _, text = await get(served, "/ops/bookings/b-9")
    assert "turned away, and closed" in text
    assert 'value="discard"' not in text
    for act in ({"action": "discard"}, {"action": "retry"}, {"action": "repair", "data": {}}):
        assert (await served.ask("POST", "/bookings/b-9/actions", json={**act, "why": "w"}))[0] == 409
    assert len(served.sent) == 2


async def test_what_a_bookings_lane_never_took_in_is_discarded_by_the_same_path(served: Served) -> None:
    never_made(served)
    seen = mark(mark(NOTHING_SEEN, digest("e-1"), Progress.WORKED), digest("e-9"), Reason.ILLEGAL_TRANSITION)
    served.view.put(with_job("b-9", 7, failed=(a_failed(),), seen=seen))
    told_to_the_view(served)
    _, text = await get(served, "/ops/bookings/b-9")
    assert (text.count('value="discard"'), text.count('value="retry"')) == (3, 1)
    assert text.count("Repair and try…") == 1
    act = {"action": "discard", "why": "its creation came otherwise", "event": "e-created", "sure": "yes"}
    assert (await post(served, "/ops/bookings/b-9/actions", act))[0].status == 303
    _, text = await get(served, "/ops")
    assert "/ops/reasons/unknown-booking" in text
    assert "/ops/reasons/invalid" not in text
    for event, status in (("e-created", 409), ("e-cancelled", 202), ("e-cancelled", 409)):
        for kind in ("retry", "repair"):
            tried: dict[str, object] = {"action": kind, "why": "w", "event": event, "data": {}}
            assert (await served.ask("POST", "/bookings/b-9/actions", json=tried))[0] == 409
        body = {"action": "discard", "why": "w", "event": event}
        assert (await served.ask("POST", "/bookings/b-9/actions", json=body))[0] == status
    assert {action(sent)["type"] for sent in served.sent} == {"action.note"}
    _, text = await get(served, "/ops/bookings/b-9")
    assert (text.count('value="discard"'), text.count("closed by local")) == (1, 2)
    served.view.put(a_record("b-8"))
    body = {"action": "discard", "why": "w"}
    assert (await served.ask("POST", "/bookings/b-8/actions", json=body))[0] == 409


async def test_the_commands_api_closes_by_the_same_path(keyed: Served) -> None:
    turned_away(keyed, None, "b-9")
    told_to_the_view(keyed)
    path = "/ops/api/turned-away"
    read, act = ({"Authorization": f"Bearer {key}"} for key in ("read-key-of-ann-0", "act-key-of-bo-000"))
    _, body, _ = await keyed.ask("GET", f"{path}?reason=unreadable", api=False, headers=read)
    (group,), (second, first) = body["data"]["groups"], body["data"]["letters"]
    assert (group["total"], second["bookingId"], first["bookingId"]) == (2, "b-9", None)
    close: dict[str, object] = {"reason": "unreadable", "why": "w"}
    refused: tuple[tuple[dict[str, object], int], ...] = (
        ({"letters": ["x"]}, 400),
        ({"until": None}, 400),
        ({"letters": ["0-99"]}, 409),
        ({"until": group["until"], "total": 3}, 409),
        ({"letters": [second["letter"]], "why": " "}, 400),
    )
    for wrong, expected in refused:
        answered, _, _ = await keyed.ask("POST", path, api=False, json={**close, **wrong}, headers=act)
        assert (answered, keyed.sent) == (expected, []), wrong
    one = {**close, "letters": [second["letter"]]}
    assert (await keyed.ask("POST", path, api=False, json=one, headers=read))[0] == 403
    assert (await keyed.ask("POST", path, api=False, json=one, headers=act))[0] == 202
    rest = {**close, "until": group["until"], "total": 1}
    assert (await keyed.ask("POST", path, api=False, json=rest, headers=act))[0] == 202
    _, body, _ = await keyed.ask("GET", path, api=False, headers=read)
    assert body["data"] == {"groups": [], "letters": []}
    assert [action(sent)["data"]["by"] for sent in keyed.sent] == ["bo", "bo"]  # type: ignore[index]  # a note's


async def test_one_is_found_by_its_name_however_many_others_wait(served: Served) -> None:
    """Also by the command, which once looked among the latest 1,000."""
    turned_away(served, "b-old", None)
    turned_away(served, *(f"b-{number}" for number in range(1000)))
    told_to_the_view(served)
    why = ("--why", "w", "--yes", "--url", served.address)
    for name, said in (("b-old", "1 closed"), ("0-1", "1 closed"), ("b-old", "nothing that was turned away")):
        ended = await asyncio.to_thread(
            CliRunner().invoke, dead_letters, ("discard", "--turned-away", name, *why)
        )
        assert said in ended.output, ended.output
        assert ended.exit_code == (0 if said == "1 closed" else 1)
