"""What a POST shows has an address of its own: Back and a reload send nothing, and nothing typed is lost."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.booking.reasons import Reason
from app.web.access import doors
from app.web.ops.shown import COOKIE, LASTS, Sent, lead_to, what_was_sent
from tests.support.rows import NOW, Read, a_failed, held, with_job
from tests.unit.web.ops.asking import OURS, action, get, post, told_to_the_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse

    from app.booking.record import Record
    from tests.support.web import Served

KEYS = doors((), ())
ACT = "/ops/bookings/b-1/actions"
BOOKING = "/ops/bookings/b-1"
PLAN = {"kind": "retry", "reason": "area-not-supported"}


async def led(served: Served, path: str, form: Mapping[str, str]) -> tuple[ClientResponse, dict[str, str]]:
    """The answer to a POST, and the headers by which a browser asks for where it leads."""
    async with served.session.post(
        served.address + path, data=form, headers=OURS, allow_redirects=False
    ) as answer:
        return answer, {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}


@pytest.mark.parametrize(
    ("path", "form", "shows", "status"),
    [
        ("/ops/bookings", {"q": "lovelace"}, "/ops/bookings/b-1", 200),
        (BOOKING, {}, "Lovelace", 200),
        ("/ops/plans", PLAN, "Nothing has been done yet", 200),
        ("/ops/bookings/b-1/repair", {"event": "e-1", "why": "asked Ada"}, "asked Ada", 422),
        (ACT, {"action": "discard", "event": "e-1", "why": "asked Ada"}, "There is no way back", 200),
        (ACT, {"action": "retry", "event": "e-1"}, "Say why", 400),
        ("/ops/reasons/refused/notes", {"text": " "}, "A note says something.", 400),
    ],
)
async def test_back_sends_nothing_again(
    served: Served, path: str, form: dict[str, str], shows: str, status: int
) -> None:
    served.view.put(held("b-1"))
    answer, browser = await led(served, path, form)
    address = answer.headers["Location"]
    assert answer.status == 303
    assert "ovelace" not in address
    for _ in range(3):
        again, text = await get(served, address, **browser)
        assert (again.status, shows in text) == (status, True)
    assert len(served.sent) == (path == BOOKING), "who looked is written down once"
    served.now += LASTS + timedelta(seconds=1)
    again, text = await get(served, address, **browser)
    assert (again.status, shows in text) == (410, False)


async def test_nothing_is_done_by_an_address(served: Served) -> None:
    """Whatever a POST came to when it was shown: asked for by a GET it is not carried out."""
    served.view.put(held("b-1"))
    told_to_the_view(served)
    before = len(served.sent)
    for view, form in (
        ("ActView", "action=discard&sure=yes&why=w&event=e-1"),
        ("ActView", "action=retry&why=w"),
        ("RepairView", "event=e-1&why=w&firstName=Ada"),
    ):
        answer = lead_to(
            Sent(by="local", view=view, path=ACT, parameters={"bookingId": "b-1"}, form=form),
            KEYS,
            NOW,
            secure=False,
        )
        assert answer is not None
        cookie = f"{COOKIE}={answer.cookies[COOKIE].value}"
        await get(served, answer.headers["Location"], Cookie=cookie)
        assert len(served.sent) == before


async def test_only_who_sent_it_sees_it_again(keyed: Served) -> None:
    keyed.view.put(held("b-1"))
    keys = doors(keyed.settings.api_read_keys, keyed.settings.api_act_keys)
    sent = Sent(by="bo", view="BookingView", path=BOOKING, parameters={"bookingId": "b-1"}, form="")
    answer = lead_to(sent, keys, NOW, secure=True)
    assert answer is not None
    made = answer.cookies[COOKIE]
    assert made["secure"]
    address, cookie = answer.headers["Location"], {"Cookie": f"{COOKIE}={made.value}"}
    for key, status in (("act-key-of-bo-000", 200), ("read-key-of-ann-0", 410)):
        again, text = await get(keyed, address, Authorization=f"Bearer {key}", **cookie)
        assert (again.status, "Lovelace" in text) == (status, status == 200)
    assert (await get(keyed, address, **cookie))[0].status == 303, "who has not signed in sees nothing"


@pytest.mark.parametrize("cookie", ["", "x", "x.y", ".", "eJw.00", "\udcff.\udcff"])
def test_a_cookie_that_is_not_ours_shows_nothing(cookie: str) -> None:
    assert what_was_sent({COOKIE: cookie}, KEYS, NOW) is None
    sent = Sent(by="local", view="ActView", path=ACT, parameters={}, form="why=w")
    answer = lead_to(sent, KEYS, NOW, secure=False)
    assert answer is not None
    text, _, code = answer.cookies[COOKIE].value.rpartition(".")
    assert what_was_sent({COOKIE: f"{text}.{code}"}, KEYS, NOW) is not None
    for other in (f"{text[:-4]}AAAA.{code}", f"{text}.{code[:-1]}"):
        assert what_was_sent({COOKIE: other}, KEYS, NOW) is None


async def test_a_page_that_only_another_version_has_is_no_longer_kept(served: Served) -> None:
    sent = Sent(by="local", view="FormerView", path=ACT, parameters={}, form="")
    answer = lead_to(sent, KEYS, NOW, secure=False)
    assert answer is not None
    cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}
    found, text = await get(served, answer.headers["Location"], **cookie)
    assert (found.status, "kept for ten minutes" in text) == (410, True)


async def test_what_no_cookie_can_hold_is_shown_at_once(served: Served) -> None:
    served.view.put(held("b-1"))
    text = " ".join(f"{number:x}" for number in range(3_000, 9_000))
    form = {"event": "e-1", "why": "w", "specialInstructions": text}
    async with served.session.post(
        served.address + "/ops/bookings/b-1/repair", data=form, headers=OURS, allow_redirects=False
    ) as answer:
        assert answer.status == 422
        assert text[:100] in await answer.text()


async def test_a_program_gets_its_answer_at_once(keyed: Served) -> None:
    keyed.view.put(held("b-1"))
    bearer = {"Authorization": "Bearer act-key-of-bo-000", **OURS}
    async with keyed.session.post(
        keyed.address + "/ops/bookings", data={"q": "lovelace"}, headers=bearer, allow_redirects=False
    ) as answer:
        assert answer.status == 200


async def test_what_was_typed_is_kept_while_kafka_is_away(served: Served) -> None:
    served.view.put(held("b-1"))
    served.view.set_progress(trouble="no broker answers")
    for path, form, typed in (
        (ACT, {"action": "retry", "event": "e-1", "why": "the area is <new>"}, "the area is &lt;new&gt;"),
        ("/ops/bookings/b-1/repair", {"event": "e-1", "why": "w", "zip": "85016"}, "85016"),
        ("/ops/reasons/refused/notes", {"text": "asked Ann"}, "asked Ann"),
    ):
        answer, text = await post(served, path, form)
        assert (answer.status, served.sent) == (503, [])
        assert "Nothing was done. Kafka has not answered since" in text
        assert typed in text
    served.view.set_progress(trouble=None)
    answer, browser = await led(served, ACT, {"action": "retry", "event": "e-1", "why": ""})
    _, text = await get(served, answer.headers["Location"], **browser)
    for kept in ('name="why"', 'name="event" value="e-1"', 'name="action" value="retry"', "Send again", ACT):
        assert kept in text


async def test_a_conflict_says_who_did_what_when_and_keeps_what_was_typed(served: Served) -> None:
    served.view.put(held("b-1"))
    told_to_the_view(served)
    done = {"action": "discard", "event": "e-1", "why": "booked by phone", "sure": "yes"}
    assert (await post(served, ACT, done))[0].status == 303
    served.view.put(with_job("b-1", 7, sequence=9))
    for path, form in (
        (ACT, {"action": "retry", "event": "e-1", "why": "my reason"}),
        (ACT, {"action": "discard", "event": "e-1", "why": "my reason"}),
        ("/ops/bookings/b-1/repair", {"event": "e-1", "why": "my reason"}),
    ):
        answer, text = await post(served, path, form)
        assert answer.status == 409
        assert "local had it discarded at 2026-03-02 09:00 UTC (booked by phone)" in text
        assert "my reason" in text
        assert 'href="/ops/bookings/b-1"' in text
        assert "Send again" not in text


async def test_a_repair_is_opened_with_what_was_typed_and_written_down_once(served: Served) -> None:
    served.view.put(held("b-1"))
    told_to_the_view(served)
    form = {"action": "repair", "event": "e-1", "why": "asked Ada"}
    for _ in range(2):
        answer, text = await post(served, ACT, form)
        assert (answer.status, len(served.sent)) == (200, 1)
        assert 'name="why" required' in text
        assert 'value="asked Ada"' in text
    assert (await get(served, "/ops/bookings/b-1/repair?event=e-1"))[0].status == 200
    assert len(served.sent) == 1, "who looks again within minutes stands there already"
    served.now += timedelta(minutes=11)
    served.view.set_progress(as_of=served.now)
    assert (await get(served, "/ops/bookings/b-1/repair?event=e-1"))[0].status == 200
    assert len(served.sent) == 2


async def test_a_repair_marks_what_was_refused_and_says_all_that_is_wrong_at_once(served: Served) -> None:
    served.view.put(held("b-1"))
    _, text = await get(served, "/ops/bookings/b-1/repair?event=e-1")
    (zip_field,) = re.findall(r'<input[^>]*name="zip"[^>]*>', text)
    assert "aria-invalid" in zip_field
    assert "autofocus" in zip_field
    assert "Not sent" not in text, "nothing was sent yet"
    assert '<option value="8:00 AM - 10:00 AM"' in text
    assert re.search(r'<input type="date"[^>]*name="scheduledDate"', text)
    form = {"event": "e-1", "why": "", "zip": "nowhere", "phone": "1"}
    answer, text = await post(served, "/ops/bookings/b-1/repair", form)
    assert answer.status == 422
    assert "Not sent: 11 fields need another value" in text
    for name in ("zip", "phone", "firstName", "scheduledDate"):
        assert f'href="#f-{name}"' in text
    assert 'href="#why"' in text
    assert text.count("autofocus") == 1


async def test_enter_does_what_helps_most(served: Served) -> None:
    served.view.put(held("b-1"), held("b-2", Reason.RETRIES_USED_UP))
    for booking_id, primary in (("b-1", "repair"), ("b-2", "retry")):
        _, text = await get(served, f"/ops/bookings/{booking_id}")
        (first, *_) = re.findall(r'name="action" value="(\w+)"', text)
        assert first == primary


async def test_what_was_closed_meanwhile_says_by_whom(served: Served) -> None:
    served.view.read(Read(topic="dead", key=None, value=b"?", headers=(("x-reason", b"unreadable"),)))
    told_to_the_view(served)
    form = {"total": "1", "until": NOW.isoformat(), "why": "a trial"}
    assert (await post(served, "/ops/reasons/unreadable/close", form))[0].status == 303
    for typed in ({**form, "why": "mine"}, {"why": "mine", "letter": "0-0"}):
        answer, text = await post(served, "/ops/reasons/unreadable/close", typed)
        assert answer.status == 409
        assert "local had it closed at 2026-03-02 09:00 UTC (a trial)" in text
        assert "mine" in text
        assert 'href="/ops/reasons/unreadable"' in text


@pytest.mark.parametrize(
    ("record", "event", "means"),
    [
        (held("b-1"), "e-1", "No job will be made: nobody comes to this customer."),
        (with_job("b-1", 7, failed=(a_failed(),)), "e-9", "The visit is not moved: it stays Wed 4 Mar"),
    ],
)
async def test_a_discard_is_asked_once_more_and_says_what_it_means(
    served: Served, record: Record, event: str, means: str
) -> None:
    served.view.put(record)
    form = {"action": "discard", "event": event, "why": "booked by phone"}
    answer, text = await post(served, ACT, form)
    assert (answer.status, served.sent) == (200, [])
    assert means in text
    assert 'value="booked by phone"' in text
    assert "Keep it" in text
    answer, _ = await post(served, ACT, {**form, "sure": "yes"})
    assert answer.status == 303
    (sent,) = served.sent
    assert action(sent)["type"] == "action.discard"
