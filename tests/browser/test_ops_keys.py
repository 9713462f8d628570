"""Keys, the clipboard, and live updates that rest while nobody looks: on a page that a test feeds."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.conftest import ACT_KEY, hold_for_scope, sign_in
from tests.support.rows import NOW, Read, a_booking, held, with_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Request, Route

    from tests.browser.conftest import World
    from tests.support.web import Served


def is_stream(request: Request) -> bool:
    return is_stream_address(request.url)


def is_stream_address(url: str) -> bool:
    return "/ops/stream" in url


def test_keys_do_what_the_help_says_except_while_somebody_types(fed: Served, page: Page) -> None:
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("paused at")).to_be_visible()
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")
    with page.expect_request(is_stream):
        page.keyboard.press("p")
    expect(page.get_by_text("paused at")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_label("Find bookings")).to_be_focused()
    page.keyboard.type("p?/")
    expect(page.get_by_label("Find bookings")).to_have_value("p?/")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("heading", name="Needs attention").click()
    page.keyboard.press("?")
    page.wait_for_url("**/ops/help")
    # Every page says how everything stands, and is live.
    expect(page.get_by_role("heading", name="Help")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("paused at")).to_be_visible()


def test_a_key_with_a_modifier_is_the_browsers(fed: Served, page: Page) -> None:
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Alt+p")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_one_answer_of_503_does_not_end_live_updates(fed: Served, page: Page, complaints: list[str]) -> None:
    answers = [503, 503]

    def answer(route: Route) -> None:
        if answers:
            route.fulfill(status=answers.pop())
        else:
            route.continue_()

    page.route(is_stream_address, answer)
    page.goto(f"{fed.address}/ops")
    expect(page.get_by_text("stale since")).to_be_visible()
    fed.view.put(held("after-503"))
    expect(page.get_by_role("link", name="after-503").first).to_be_visible(timeout=10_000)
    expect(page.get_by_text("stale since")).to_have_count(0)
    assert [text for text in complaints if "503" not in text] == []
    complaints.clear()


def test_what_says_that_it_is_live_is(fed: Served, page: Page) -> None:
    fed.view.put(held("b-1", booking=a_booking(zip="00000")))
    pages: dict[str, Callable[[], None]] = {
        "/ops": lambda: fed.view.put(with_job("new-1", 1001)),
        "/ops/bookings/b-1": lambda: fed.view.put(
            with_job("b-1", 1002, booking=a_booking(zip="85016"), sequence=9)
        ),
        "/ops/bookings": lambda: fed.view.put(with_job("new-2", 1003, changed_at=NOW + timedelta(hours=1))),
        "/ops/webhooks": lambda: fed.view.read(Read(topic="webhooks", key=b"1001", value=b"{}")),
        "/ops/reasons/unreadable": lambda: fed.view.read(
            Read(topic="dead", key=None, value=b"?", headers=(("x-reason", b"unreadable"),))
        ),
    }
    for path, changes in pages.items():
        shows = {
            "/ops": page.locator("#latest").get_by_role("link", name="new-1"),
            "/ops/bookings/b-1": page.locator("#facts").get_by_text("85016"),
            "/ops/bookings": page.get_by_role("link", name="1 changed: show"),
            "/ops/webhooks": page.get_by_role("cell", name="1001"),
            "/ops/reasons/unreadable": page.get_by_text("0 bookings and 1 other events by now"),
        }[path]
        with page.expect_request(is_stream):
            page.goto(fed.address + path)
        expect(shows).to_have_count(0)
        changes()
        expect(shows).to_be_visible()


def test_live_updates_rest_in_a_hidden_tab_and_catch_up(fed: Served, page: Page) -> None:
    with page.expect_request(is_stream):
        page.goto(f"{fed.address}/ops")

    def hide(hidden: str) -> None:
        # Playwright keeps every page in front: what the browser would say of a tab behind is said for it.
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    with page.expect_event("requestfailed", is_stream):
        hide("true")
    asked: list[Request] = []
    # Playwright marks its handlers, and a list's own method bears no mark.
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - see above
    other = page.context.new_page()
    other.goto(f"{fed.address}/ops")
    expect(other.get_by_role("button", name="Pause")).to_be_visible()
    fed.view.put(held("while-away"))
    # A tab that is looked at has it by now; the one behind has not even asked.
    expect(other.get_by_role("link", name="while-away").first).to_be_visible()
    assert [one for one in asked if is_stream(one)] == []
    expect(page.get_by_role("link", name="while-away")).to_have_count(0)
    with page.expect_request(is_stream):
        hide("false")
    expect(page.get_by_role("link", name="while-away").first).to_be_visible()


def test_the_copied_curl_has_no_key_in_it_and_works(world: World, page: Page) -> None:
    hold_for_scope(world, "curl-1")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, world, path="/ops/bookings/curl-1")
    page.get_by_text("Copy as curl").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "curl-1" in copied
    assert ACT_KEY not in copied
    ran = subprocess.run(
        ["/bin/sh", "-c", copied],
        env={"PATH": os.environ["PATH"], "HOST": world.address, "KEY": ACT_KEY},
        capture_output=True,
        check=True,
        text=True,
    )
    assert '"status":"queued"' in ran.stdout
    world.run(world.flow.view("curl-1", state="active"))
