"""Each state of the page: empty, filled, behind, without a worker, and for who may only look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from app.booking.reasons import Reason
from app.booking.record import Entry, Lane, Phase, State, Waits
from app.booking.status import Status
from app.web.services import StreamFacts, UpstreamFacts
from tests.browser.conftest import READ_KEY
from tests.support.rows import NOW, Read, a_booking, a_failed, a_head, a_record, held, trouble, with_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import World
    from tests.support.web import Served

TIMELINE = (
    Entry(
        at=NOW - timedelta(minutes=9),
        event="e-1",
        asked="create the job",
        outcome="Failed",
        decision="retry in 10 s because 503",
        http_status=503,
        duration_ms=812,
    ),
    Entry(
        at=NOW - timedelta(minutes=8),
        event="e-1",
        asked="create the job",
        outcome="Refused",
        decision="held: area-not-supported",
        http_status=400,
        duration_ms=402,
        trace_id="0af7651916cd43dd8448eb211c80319c",
    ),
)


def fill(served: Served) -> None:
    """Some of everything, personal data in all of it."""
    for number in range(8):
        record = held(f"b-1{number:03}", booking=a_booking(zip="00000"), timeline=TIMELINE)
        problem = trouble(Reason.AREA_NOT_SUPPORTED, detail="The ZIP 00000 is not in a supported area")
        problem = replace(problem, at=NOW - timedelta(minutes=8 + number))
        record = replace(record, problem=problem, lane=replace(record.lane, next=2))
        served.view.put(record)
    head = a_head(type="booking.created")
    waiting = Lane(
        phase=Phase.WAITING, head=head, attempts=1, waits=Waits.RETRY, due=NOW + timedelta(seconds=7)
    )
    served.view.put(
        held("b-2000", Reason.RETRIES_USED_UP),
        with_job("b-3000", 1001),
        with_job("b-3001", 1002, failed=(a_failed(),), job={"status": Status.COMPLETED}),
        replace(with_job("b-3002", 1003, job={"status": Status.CANCELLED}), state=State.ENDED),
        a_record("b-4000", lane=waiting),
        a_record("b-4001", lane=replace(waiting, waits=Waits.SETTLE)),
        a_record("b-4002", state=State.CLOSED),
    )
    headers = (("x-reason", b"unreadable"), ("x-detail", b"not JSON"))
    served.view.read(
        Read(topic="dead", key=None, value=b"?", headers=headers),
        Read(topic="webhooks", key=b"1001", value=b"{}", headers=(("x-verified-by", b"key 1"),)),
        Read(topic="webhooks", key=b"7", value=b"{}", headers=(("x-verified-by", b"unsigned"),)),
    )


PAGES = {
    "overview": "/ops",
    "bookings": "/ops/bookings",
    "held": "/ops/bookings?q=state:held%20zip:000",
    "booking-held": "/ops/bookings/b-1003",
    "booking-failed": "/ops/bookings/b-3001",
    "booking-waiting": "/ops/bookings/b-4000",
    "repair": "/ops/bookings/b-1003/repair?event=e-1",
    "reason": "/ops/reasons/area-not-supported",
    "turned-away": "/ops/reasons/unreadable",
    "webhooks": "/ops/webhooks",
    "help": "/ops/help",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_filled_page(fed: Served, page: Page, look: Callable[[str], None], name: str) -> None:
    fill(fed)
    page.goto(fed.address + PAGES[name])
    look(f"filled-{name}")
    if name != "repair":
        assert "Lovelace" not in page.content()
        assert "555-0123" not in page.content()


def test_long_and_turned_text_stays_in_its_place(
    fed: Served, page: Page, look: Callable[[str], None]
) -> None:
    """Ten thousand letters without a blank, and a mark that turns what follows it."""
    long, turned = "x" * 10_000, "\u202e" * 3 + "evil"
    problem = trouble(Reason.REFUSED, detail=f"{turned} {long[:3000]}")
    booking = a_booking(firstName=turned, city=long[:100], specialInstructions=long[:1000])
    timeline = (replace(TIMELINE[0], decision=long, outcome=f"Refused: {long}"),)
    for record in (held(long[:100], booking=booking, timeline=timeline), held(turned, booking=booking)):
        fed.view.put(replace(record, problem=problem))
    for name, path in {
        "overview": "/ops",
        "list": f"/ops/bookings?q=zip:{'9' * 5}{'%20' * 3}state:{long[:2000]}",
        "booking": f"/ops/bookings/{long[:100]}",
        "reason": "/ops/reasons/refused",
    }.items():
        page.goto(fed.address + path)
        look(f"long-{name}")
    turns = page.get_by_role("link", name="evil")
    assert turns.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate"


EMPTY = {
    "/ops": "No booking needs attention. Nothing has failed yet.",
    "/ops/bookings": "No booking has come yet.",
    "/ops/bookings?q=state:held%20zip:850": "Nothing matches state:held zip:850.",
    "/ops/plans": "No plan was made yet.",
    "/ops/actions": "Nobody has acted yet.",
    "/ops/webhooks": "No webhook has come yet.",
    "/ops/reasons/refused": "No booking waits for a person because of refused.",
}


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_page_says_so(fed: Served, page: Page, look: Callable[[str], None], path: str) -> None:
    page.goto(fed.address + path)
    expect(page.get_by_text(EMPTY[path])).to_be_visible()
    look("empty" + path.replace("/", "-").partition("?")[0])


def test_a_view_that_is_behind_says_so(fed: Served, page: Page, look: Callable[[str], None]) -> None:
    fill(fed)
    fed.view.set_progress(records_behind=12_400, as_of=NOW - timedelta(minutes=2))
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_text("This page is 12,400 records behind: what it shows may be old.")).to_be_visible()
    look("behind")


def test_no_worker_says_so(fed: Served, page: Page, look: Callable[[str], None]) -> None:
    fed.stream = StreamFacts(ready=False, members=0)
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_text("No worker is consuming: bookings wait.")).to_be_visible()
    look("no-worker")


def test_kafka_away_and_an_open_breaker_say_so(fed: Served, page: Page, look: Callable[[str], None]) -> None:
    fed.view.set_progress(trouble="no broker answers")
    fed.upstream = UpstreamFacts(status="down", breaker="open")
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_text("No booking is worked and acts are off until it does")).to_be_visible()
    expect(page.get_by_text("breaker open")).to_be_visible()
    line = page.get_by_role("group", name="How everything stands")
    expect(line).to_contain_text("ServiceTitan away since 02:00 MST")
    expect(line).to_contain_text("Kafka away since 02:00 MST")
    look("kafka-away")


def test_what_is_not_there_is_a_page_too(
    fed: Served, page: Page, look: Callable[[str], None], complaints: list[str]
) -> None:
    answer = page.goto(f"{fed.address}/ops/bookings/nobody")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_text("There is no booking nobody.")).to_be_visible()
    look("not-there")
    complaints.clear()


def test_who_may_read_sees_why_the_buttons_are_grey(
    world: World, page: Page, look: Callable[[str], None], complaints: list[str]
) -> None:
    page.goto(f"{world.address}/ops/bookings")
    look("sign-in")
    page.get_by_label("Key").fill("no such key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("That key is not known.")).to_be_visible()
    look("sign-in-wrong")
    # Chromium tells of every answer of 400 and above.
    assert [text for text in complaints if "401" not in text] == []
    complaints.clear()
    page.get_by_label("Key").fill(READ_KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Bookings")).to_be_visible()
    expect(page.get_by_text("ann may read")).to_be_visible()
    cookies = page.context.cookies()
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Lax")]
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_without_javascript_every_page_is_there(fed: Served, browser: Browser) -> None:
    fill(fed)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in PAGES.values():
        answer = page.goto(fed.address + path)
        assert answer is not None
        assert answer.status == 200, path
        expect(page.locator("main")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    context.close()
