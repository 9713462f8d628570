"""The page over real sockets: who gets in, what browsers are told, and what is never shown."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import html
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs

import app.web
from app.booking.reasons import EXPLANATIONS, Reason
from app.booking.record import State
from app.booking.status import Status
from app.view.plans import Step
from app.web.ops.session import COOKIE, MOST_TRIES, TRIES_LAST, session_of
from tests.support.rows import NOW, Read, a_failed, held, trouble, with_job
from tests.unit.web.ops.asking import OURS, action, get, post, told_to_the_view

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from tests.support.web import Sent, Served

LIVE = (Path(app.web.__file__).parent / "static" / "live.js").read_text()
LIVE_FILLED = LIVE.split('FILLED = "')[1].split('"')[0].split()
STATIC = Path(app.web.__file__).parent / "static"
PERSONAL = ("Lovelace", "555-0123", "ada@example.com", "1 Main Street")


async def test_pages_have_a_strict_policy_and_are_not_kept(served: Served) -> None:
    served.view.put(held("b-1"))
    for path in ("/ops", "/ops/bookings", "/ops/bookings/b-1", "/ops/bookings/nobody"):
        answer, text = await get(served, path)
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick" not in text


async def test_files_are_kept_under_an_address_that_changes_with_them(served: Served) -> None:
    _, text = await get(served, "/ops")
    answer, body = await get(served, "/ops/static/style.css")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert f"/ops/static/style.css?{hashlib.sha256(body.encode()).hexdigest()[:12]}" in text
    tag = answer.headers["ETag"]
    for same in (tag, f'"another", W/{tag}'):
        again, nothing = await get(served, "/ops/static/style.css", **{"If-None-Match": same})
        assert (again.status, nothing, again.headers["ETag"]) == (304, "", tag)
    assert (await get(served, "/ops/static/style.css", **{"If-None-Match": '"another"'}))[1] == body
    for path in ("/ops/static/VENDORED.md", "/ops/static/..%2Foperations.py", "/ops/static/none.js"):
        assert (await get(served, path))[0].status == 404


def test_vendored_files_are_what_is_written_of_them() -> None:
    digest = hashlib.sha256((STATIC / "idiomorph.min.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (STATIC / "VENDORED.md").read_text()


async def test_nobody_gets_in_without_a_key(keyed: Served) -> None:
    keyed.view.put(held("b-1"))
    for path in ("/ops", "/ops/bookings/b-1", "/ops/stream?of=overview", "/ops/bookings.csv"):
        answer, text = await get(keyed, path)
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/ops/sign-in?to=/ops")
        assert "b-1" not in text
    answer, _ = await post(keyed, "/ops/bookings/b-1/actions", {"action": "discard", "why": "w"})
    assert (answer.status, keyed.sent) == (303, [])


async def test_a_sign_in_leads_back_but_never_away(keyed: Served) -> None:
    answer, _ = await post(keyed, "/ops/sign-in", {"key": "read-key-of-ann-0", "to": "/ops/bookings/b-1"})
    assert answer.headers["Location"] == "/ops/bookings/b-1"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/ops" in cookie
    assert "Secure" not in cookie
    for away in ("https://evil.example.com", "//evil.example.com", "/elsewhere", "/opsx"):
        answer, _ = await post(keyed, "/ops/sign-in", {"key": "read-key-of-ann-0", "to": away})
        assert answer.headers["Location"] == "/ops"
    behind_tls = {**OURS, "X-Forwarded-Proto": "https"}
    answer, _ = await post(keyed, "/ops/sign-in", {"key": "act-key-of-bo-000"}, behind_tls)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert (await post(keyed, "/ops/sign-in", {"key": "guessed"}))[0].status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/ops/sign-in",
        "/ops/sign-out",
        "/ops/bookings",
        "/ops/bookings.csv",
        "/ops/bookings/b-1",
        "/ops/bookings/b-1/actions",
        "/ops/bookings/b-1/repair",
        "/ops/reasons/refused/notes",
        "/ops/reasons/refused/close",
        "/ops/plans",
        "/ops/plans/p-000000000000",
    ],
)
async def test_no_other_site_can_post(served: Served, path: str) -> None:
    served.view.put(held("b-1"))
    form = {"action": "discard", "why": "w", "text": "t", "q": "b-1", "kind": "discard", "reason": "refused"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.com"}, {}):
        answer, _ = await post(served, path, form, headers)
        assert (answer.status, served.sent) == (403, [])


async def test_a_read_key_sees_and_changes_nothing(keyed: Served) -> None:
    keyed.view.put(held("b-1"))
    bearer = {"Authorization": "Bearer read-key-of-ann-0", **OURS}
    for path, form in (
        ("/ops/bookings/b-1/actions", {"action": "retry", "why": "w"}),
        ("/ops/bookings/b-1/repair", {"why": "w"}),
        ("/ops/bookings/b-1", {}),
        ("/ops/plans", {"kind": "retry", "reason": "area-not-supported"}),
        ("/ops/reasons/refused/notes", {"text": "t"}),
        ("/ops/reasons/unreadable/close", {"why": "w", "total": "1", "until": NOW.isoformat()}),
    ):
        answer, text = await post(keyed, path, form, bearer)
        assert (answer.status, keyed.sent) == (403, []), path
        assert not any(word in text for word in PERSONAL)
    answer, _ = await get(keyed, "/ops/bookings/b-1/repair", Authorization="Bearer read-key-of-ann-0")
    assert answer.status == 403
    body = {"kind": "retry", "reason": "refused"}
    assert (
        await keyed.session.post(f"{keyed.address}/ops/api/plans", json=body, headers=bearer)
    ).status == 403


async def test_nothing_personal_is_shown_until_it_is_revealed(served: Served) -> None:
    served.view.put(held("b-1"), with_job("b-2", 1001))
    for path in (
        "/ops",
        "/ops/bookings",
        "/ops/bookings.csv",
        "/ops/bookings/b-1",
        "/ops/bookings/b-2",
        "/ops/reasons/area-not-supported",
    ):
        _, text = await get(served, path)
        assert "b-" in text
        assert not any(word in text for word in PERSONAL), path
    _, text = await post(served, "/ops/bookings/b-1", {})
    assert all(word in text for word in PERSONAL)


async def test_who_was_shown_personal_data_stands_among_the_actions(keyed: Served) -> None:
    keyed.view.put(held("b-1"), with_job("b-2", 1001))
    told_to_the_view(keyed)
    bearer = {"Authorization": "Bearer act-key-of-bo-000", **OURS}
    assert (await post(keyed, "/ops/bookings/b-1", {}, bearer))[0].status == 200
    assert (await post(keyed, "/ops/bookings/b-2", {}, bearer))[0].status == 200
    answer, _ = await get(keyed, "/ops/bookings/b-1/repair?event=e-1", **bearer)
    assert answer.status == 200
    said = [action(sent) for sent in keyed.sent]
    assert [(one["type"], one["subject"]) for one in said] == [
        ("action.note", "b-1"),
        ("action.note", "b-2"),
        ("action.note", "b-1"),
    ]
    # As the released schema has notes: each on the group of a reason, which is its key.
    assert [(sent.key, one["data"]) for sent, one in zip(keyed.sent, said, strict=True)] == [
        (b"area-not-supported", revealed("area-not-supported", "personal data shown")),
        (b"discarded", revealed("discarded", "personal data shown")),
        (b"area-not-supported", revealed("area-not-supported", "personal data shown for a repair")),
    ]
    _, text = await get(keyed, "/ops/actions", **bearer)
    for wanted in (
        "/ops/bookings/b-1",
        "/ops/bookings/b-2",
        "bo",
        "reveal",
        "personal data shown for a repair",
    ):
        assert wanted in text
    assert not any(word in text for word in PERSONAL)
    assert not any(word in (sent.value or b"").decode() for sent in keyed.sent for word in PERSONAL)
    _, text = await get(keyed, "/ops/reasons/area-not-supported", **bearer)
    assert "personal data shown" not in text, "it is no note on the group"


def revealed(reason: str, text: str) -> dict[str, object]:
    return {"reason": reason, "text": text, "by": "bo", "data": {"reveals": True}}


async def test_nothing_is_revealed_that_could_not_be_written_down(served: Served) -> None:
    served.view.put(held("b-1"))

    async def away(_: Sent) -> None:
        raise OSError("no broker")

    served.on_publish = away
    for answer, text in (
        await post(served, "/ops/bookings/b-1", {}),
        await get(served, "/ops/bookings/b-1/repair?event=e-1"),
    ):
        assert answer.status == 503
        assert not any(word in text for word in PERSONAL)


async def test_an_action_is_the_apis_own_signal(served: Served) -> None:
    served.view.put(held("b-1"))
    form = {"action": "retry", "why": "the area is served", "event": "e-1"}
    answer, _ = await post(served, "/ops/bookings/b-1/actions", form)
    (sent,) = served.sent
    said = action(sent)
    assert (sent.topic, sent.key, said["type"], said["subject"]) == ("signals", b"b-1", "action.retry", "b-1")
    assert said["data"] == {"by": "local", "why": "the area is served", "event": "e-1"}
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"event": [said["id"]]}


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/ops/bookings/b-1/actions", {"action": "retry"}, 400),
        ("/ops/bookings/b-1/actions", {"action": "erase", "why": "w"}, 400),
        ("/ops/bookings/b-2/actions", {"action": "retry", "why": "w"}, 409),
        ("/ops/bookings/b-9/actions", {"action": "retry", "why": "w"}, 404),
        ("/ops/bookings/b-2/repair", {"why": "w"}, 409),
        ("/ops/plans", {"kind": "retry", "reason": "unheard"}, 404),
        ("/ops/plans", {"kind": "erase", "reason": "refused"}, 400),
        ("/ops/plans/p-1", {"step": "apply"}, 404),
        ("/ops/plans/p-000000000000", {"step": "stop"}, 404),
        ("/ops/plans/p-000000000000", {"step": "jump"}, 400),
        ("/ops/reasons/refused/notes", {"text": " "}, 400),
        ("/ops/reasons/unreadable/close", {"total": "1", "until": NOW.isoformat()}, 400),
        ("/ops/reasons/unreadable/close", {"why": "w"}, 400),
        ("/ops/reasons/unreadable/close", {"why": "w", "total": "1", "until": NOW.isoformat()}, 409),
        ("/ops/reasons/unreadable/close", {"why": "w", "letter": "0-99"}, 409),
    ],
)
async def test_what_would_come_to_nothing_is_refused(
    served: Served, path: str, form: dict[str, str], status: int
) -> None:
    served.view.put(held("b-1"), with_job("b-2", 1001))
    answer, _ = await post(served, path, form)
    assert (answer.status, served.sent) == (status, [])


async def test_a_plan_wants_a_reason_and_beyond_50_its_number(served: Served) -> None:
    served.view.put(*(held(f"b-{number}") for number in range(51)))
    _, text = await post(served, "/ops/plans", {"kind": "discard", "reason": "area-not-supported"})
    assert "Type 51 to confirm" in text
    plan = text.split('action="/ops/plans/p-')[1][:12]
    until = text.split('name="until" value="')[1].split('"')[0].replace("&#43;", "+")
    form = {"kind": "discard", "reason": "area-not-supported", "until": until, "step": "apply"}
    for more, wrong in (
        ({}, "Say why"),
        ({"why": "w"}, "Type 51, the number of events it acts on."),
        ({"why": "w", "typed": "50"}, "Type 51, the number of events it acts on."),
    ):
        answer, text = await post(served, f"/ops/plans/p-{plan}", {**form, **more})
        assert (answer.status, wrong in text, served.sent) == (422, True, [])
    answer, _ = await post(served, f"/ops/plans/p-{plan}", {**form, "why": "w", "typed": "51"})
    assert answer.status == 303
    told = action(served.sent[0])
    data = told["data"]
    assert isinstance(data, dict)
    assert (told["type"], told["subject"], data["plan"]) == ("action.note", "area-not-supported", f"p-{plan}")
    assert (data["data"]["step"], data["data"]["total"], data["data"]["why"]) == (Step.BEGUN, 51, "w")


async def test_names_stay_out_of_addresses(served: Served) -> None:
    served.view.put(held("b-1"))
    answer, text = await post(served, "/ops/bookings", {"q": "lovelace"})
    assert (answer.status, "/ops/bookings/b-1" in text) == (200, True)
    assert "q=lovelace" not in text
    answer, _ = await post(served, "/ops/bookings", {"q": "state:held zip:850"})
    assert answer.headers["Location"] == "/ops/bookings?q=state%3Aheld%20zip%3A850"
    answer, _ = await post(served, "/ops/bookings", {"q": "b-1"})
    assert answer.headers["Location"] == "/ops/bookings/b-1"


async def test_a_walk_through_the_list_shows_each_booking_once(served: Served) -> None:
    served.view.put(*(held(f"b-{number:03}") for number in range(120)))
    found: list[str] = []
    path = "/ops/bookings?q=state:held"
    while path:
        _, text = await get(served, path)
        found += [part.split('"')[0] for part in text.split('href="/ops/bookings/')[1:]]
        rest = text.split('" rel="next"')[0] if 'rel="next"' in text else ""
        path = rest.rpartition('href="')[2].replace("&amp;", "&")
    assert found == [f"b-{number:03}" for number in range(120)]
    assert (await get(served, "/ops/bookings?after=x"))[0].status == 400


async def test_a_csv_has_no_formulas(served: Served) -> None:
    served.view.put(held("=cmd()"))
    answer, text = await get(served, "/ops/bookings.csv")
    assert answer.content_type == "text/csv"
    assert text.splitlines()[1].startswith("'=cmd(),A*** L***,held,create,,2026-03-04 09:00 MST,")


async def test_a_csv_has_what_a_call_takes_and_says_its_cap(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = trouble(Reason.AREA_NOT_SUPPORTED, detail="ask ada@example.com")
    served.view.put(replace(held("b-1"), problem=problem), held("b-2"))
    answer, text = await get(served, "/ops/bookings.csv?q=state:held")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="bookings.csv"'
    first, _ = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["ZIP"], first["city"], first["reason"]) == ("85001", "Phoenix", "area-not-supported")
    assert (first["visit"], first["visit UTC"]) == ("2026-03-04 09:00 MST", "2026-03-04T16:00:00+00:00")
    assert first["changed"] == "2026-03-02 02:00 MST"
    assert first["detail"].startswith("ask ")
    assert "ada@example.com" not in text
    monkeypatch.setattr("app.web.ops.search._CSV_ROWS", 1)
    answer, text = await get(served, "/ops/bookings.csv?q=state:held")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="bookings-first-1.csv"'
    _, text = await get(served, "/ops/bookings?q=state:held")
    assert "CSV of these, 1 at most" in text


async def test_what_is_not_found_says_which_qualifiers_there_are(served: Served) -> None:
    _, text = await post(served, "/ops/bookings", {"q": "status:held"})
    assert "Nothing matches status:held." in text
    assert "There is no status: to search by; there are state:, reason:, zip:, slot:." in text


async def test_nothing_is_urgent_about_a_visit_that_is_over(served: Served) -> None:
    soon = {"start": NOW + timedelta(hours=1)}
    for state, urgent in ((State.ACTIVE, True), (State.ENDED, False)):
        job = {**soon, "status": Status.SCHEDULED if urgent else Status.CANCELLED}
        served.view.put(replace(with_job("b-1", 1, failed=(a_failed(),), job=job), state=state))
        for path in ("/ops", "/ops/bookings", "/ops/bookings/b-1", "/ops/reasons/illegal-transition"):
            _, text = await get(served, path)
            assert ('class="visit soon"' in text) == urgent, path
        plan = {"kind": "retry", "reason": "illegal-transition"}
        _, text = await post(served, "/ops/plans", plan)
        assert ('<time class="visit soon"' in text) == urgent
        served.view.read(Read(topic="bookings", key=b"b-1", value=None))


async def test_a_moved_visit_has_one_date_and_says_that_it_was_moved(served: Served) -> None:
    served.view.put(with_job("b-1", 1, job={"start": NOW + timedelta(days=5)}))
    _, text = await get(served, "/ops/bookings/b-1")
    assert "Wed 4 Mar, 09:00 MST; moved since, to Sat 7 Mar, 02:00 MST" in text
    assert "2026-03-04T16:00:00Z" not in text.split("Timeline")[0].split("<h2")[1]
    served.view.put(held("b-2"))
    _, text = await get(served, "/ops/bookings/b-2")
    assert "Wed 4 Mar, 09:00 MST" in text
    assert "moved since" not in text


async def test_an_id_is_found_in_any_case(served: Served) -> None:
    served.view.put(held("Web-77"), held("x-1"), held("X-1"))
    for text, path in (("wEB-77", "Web-77"), ("x-1", "x-1"), ("X-1", "X-1")):
        answer, _ = await post(served, "/ops/bookings", {"q": text})
        assert answer.headers["Location"] == f"/ops/bookings/{path}"


async def test_what_comes_from_outside_is_escaped(served: Served) -> None:
    evil = '<script>alert("x")</script>'
    served.view.put(held(evil))
    headers = (("x-reason", b"refused"), ("x-detail", evil.encode()))
    served.view.read(Read(topic="dead", key=evil.encode(), value=b"{}", headers=headers))
    for path in ("/ops", "/ops/bookings", "/ops/reasons/refused"):
        _, text = await get(served, path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


async def test_a_stream_begins_with_everything_and_tells_what_changes(served: Served) -> None:
    async with served.session.get(f"{served.address}/ops/stream?of=overview") as answer:
        assert answer.content_type == "text/event-stream"
        begun = await _until(answer, b"event: said")
        assert b"No booking needs attention." in begun
        for name in (b"pulse", b"banners", b"strip", b"charts", b"groups", b"latest"):
            assert b"event: " + name in begun
        served.view.put(held("b-1"))
        assert b"b-1" in await _until(answer, b"1 booking needs attention.")
    assert (await get(served, "/ops/stream?of=nothing"))[0].status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/ops",
        "/ops/bookings",
        "/ops/bookings/b-1",
        "/ops/bookings/b-1/repair?event=e-1",
        "/ops/bookings/nobody",
        "/ops/plans",
        "/ops/actions",
        "/ops/webhooks",
        "/ops/reasons/refused",
        "/ops/help",
    ],
)
async def test_every_page_has_a_stream_that_fills_it(served: Served, path: str) -> None:
    served.view.put(held("b-1"))
    _, text = await get(served, path)
    stream = html.unescape(text.split('data-stream="')[1].split('"')[0])
    async with served.session.get(served.address + stream) as answer:
        assert answer.content_type == "text/event-stream"
        found = (await _until(answer, b"event: tick")).decode()
    names = [line.removeprefix("event: ") for line in found.splitlines() if line.startswith("event: ")]
    assert {"pulse", "banners"} <= set(names)
    for name in set(names) - {"said", "tick"}:
        assert f'id="{name}"' in text, "what is sent has a place"
    assert all(f'"{name}"' in LIVE or name in LIVE_FILLED for name in names)


async def test_a_stream_goes_on_while_the_view_is_away(served: Served) -> None:
    async with served.session.get(f"{served.address}/ops/stream?of=overview") as answer:
        await _until(answer, b"event: groups")
        served.view.set_progress(build=0, trouble="no broker answers")
        assert b"Kafka has not answered since" in await _until(answer, b"event: banners")


async def _until(answer: ClientResponse, wanted: bytes) -> bytes:
    found = b""
    async with asyncio.timeout(20):
        while wanted not in found:
            found += await answer.content.readany()
    return found


async def test_every_reason_is_explained_on_the_page(served: Served) -> None:
    assert set(EXPLANATIONS) == set(Reason)
    _, text = await get(served, "/ops/help")
    for reason, explained in EXPLANATIONS.items():
        assert f'id="{reason.value}"' in text
        assert all((explained.sentence, explained.remedy, explained.owner))
        answer, page = await get(served, f"/ops/reasons/{reason.value}")
        assert answer.status == 200
        assert explained.owner.value in page


@pytest.mark.parametrize(
    "begins", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", " ="]
)
async def test_no_cell_of_a_table_is_worked_out(served: Served, begins: str) -> None:
    booking_id = f"{begins}1+1"
    served.view.put(held(booking_id))
    answer, text = await get(served, "/ops/bookings.csv")
    assert answer.status == 200
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert row[0] == f"'{booking_id}"


async def test_guesses_are_slowed_and_logged_with_their_address(keyed: Served) -> None:
    with capture_logs() as lines:
        for _ in range(MOST_TRIES):
            assert (await post(keyed, "/ops/sign-in", {"key": "guess"}))[0].status == 401
        answer, text = await post(keyed, "/ops/sign-in", {"key": "read-key-of-ann-0"})
    assert (answer.status, answer.headers["Retry-After"], "Set-Cookie" in answer.headers) == (
        429,
        "60",
        False,
    )
    assert "Try again in a minute" in text
    guesses = [line for line in lines if "unknown key" in line["event"]]
    assert {line["remote"] for line in guesses} == {"127.0.0.1"}
    assert len(guesses) == MOST_TRIES + 1
    keyed.now += TRIES_LAST
    assert (await post(keyed, "/ops/sign-in", {"key": "read-key-of-ann-0"}))[0].status == 303


async def test_a_cookie_that_was_signed_out_opens_nothing(keyed: Served) -> None:
    answer, _ = await post(keyed, "/ops/sign-in", {"key": "act-key-of-bo-000"})
    cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}
    keyed.session.cookie_jar.clear()
    assert (await get(keyed, "/ops", **cookie))[0].status == 200
    await post(keyed, "/ops/sign-out", {}, {**OURS, **cookie})
    answer, _ = await get(keyed, "/ops", **cookie)
    assert (answer.status, answer.headers["Location"]) == (303, "/ops/sign-in?to=/ops")
    (told,) = keyed.sent
    assert told.key == session_of(cookie["Cookie"].partition("=")[2]).encode()
    assert cookie["Cookie"].partition("=")[2].encode() not in (told.value or b"")


@pytest.mark.parametrize("path", ["/ops/bookings/b-1/repair", "/ops/stream?of=overview"])
async def test_another_site_has_nothing_done_by_a_get(served: Served, path: str) -> None:
    served.view.put(held("b-1"))
    for site in ("cross-site", "same-site"):
        assert (await get(served, path, **{"Sec-Fetch-Site": site}))[0].status == 403
    assert served.sent == []
    # A link to a page is followed from anywhere.
    assert (await get(served, "/ops/bookings/b-1", **{"Sec-Fetch-Site": "cross-site"}))[0].status == 200
