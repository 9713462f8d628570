"""Each action, end to end: from a click in the browser to the job in the simulated ServiceTitan, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ACT_KEY, READ_KEY, hold, hold_for_scope, sign_in
from tests.support.flow import booking

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import World

PATIENCE = 30_000


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE)


def test_a_held_booking_shows_up_by_itself_and_is_repaired(
    world: World, page: Page, look: Callable[[str], None], complaints: list[str]
) -> None:
    sign_in(page, world)
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    expect(page.get_by_role("link", name="fix-1")).to_have_count(0)
    hold(world, "fix-1")
    # Without a reload: the page is live.
    page.get_by_role("link", name="fix-1").first.wait_for()
    page.get_by_role("link", name="fix-1").first.click()
    page.get_by_role("button", name="Repair and try…").click()
    expect(page.get_by_label("ZIP")).to_be_focused()
    page.get_by_label("ZIP").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not sent: 2 fields need another value:")).to_be_visible()
    expect(page.get_by_label("ZIP")).to_be_focused()
    page.get_by_label("Why").fill("asked the customer")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not sent: 1 field needs another value:")).to_be_visible()
    expect(page.get_by_label("Why")).to_have_value("asked the customer")
    assert [text for text in complaints if "422" not in text] == []
    complaints.clear()
    look("repair-wrong")
    page.get_by_label("ZIP").fill("85016")
    page.get_by_role("button", name="Repair and try").click()
    expect(page.get_by_text("Repaired: it is tried again with the new data.")).to_be_visible()
    view = world.run(world.flow.view("fix-1", state="active"))
    assert view["job"]["location"]["address"]["zip"] == "85016"
    expect(page.locator("h1 + .badge")).to_have_text("scheduled")
    look("repaired")


def test_without_javascript_a_booking_is_tried_again(world: World, browser: Browser) -> None:
    hold_for_scope(world, "plain-1")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, world, path="/ops/bookings/plain-1")
    page.get_by_label("Why").fill("the scope was granted")
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("It is tried again, with all attempts.")).to_be_visible()
    world.run(world.flow.view("plain-1", state="active"))
    page.get_by_role("link", name="Actions").click()
    row = page.get_by_role("row").filter(has_text="plain-1").filter(has_text="the scope was granted")
    expect(row).to_contain_text("accepted")
    context.close()


def test_a_booking_is_discarded_and_stays_as_typed_while_the_page_is_live(
    world: World, page: Page, look: Callable[[str], None]
) -> None:
    hold(world, "gone-1", phone="6025550111")
    sign_in(page, world, path="/ops/bookings/gone-1")
    page.get_by_label("Why").fill("booked by ph")
    page.get_by_role("heading", name="Timeline").click()
    # Something changes upon the page while nobody looks at the field: what was typed stays.
    world.run(world.flow.send("rescheduled", "gone-1", {"scheduledDate": "2027-04-01T00:00:00Z"}))
    expect(
        page.get_by_text("rescheduled waits").or_(page.locator("#timeline .lane li").nth(1))
    ).to_be_visible()
    expect(page.get_by_label("Why")).to_have_value("booked by ph")
    page.get_by_label("Why").fill("booked by phone")
    page.get_by_role("button", name="Discard…").click()
    expect(page.get_by_text("No job will be made: nobody comes to this customer.")).to_be_visible()
    expect(page.get_by_text("1 change that waits behind it goes too.")).to_be_visible()
    look("discard")
    page.get_by_role("link", name="Keep it").click()
    assert world.flow.latest("gone-1")["state"] == "held"
    # Back leads to what was asked, without a question of the browser's.
    page.go_back()
    expect(page.get_by_label("Why")).to_have_value("booked by phone")
    page.get_by_role("button", name="Discard for good").click()
    world.run(world.flow.view("gone-1", state="closed"))
    expect(page.locator("h1 + .badge")).to_have_text("closed")
    expect(page.get_by_text("Discarded for good. It will not be worked.")).to_be_visible()


def test_a_group_is_redriven_with_its_progress(world: World, page: Page, look: Callable[[str], None]) -> None:
    for number in range(3):
        hold_for_scope(world, f"many-{number}")
        world.run(world.flow.send("created", f"good-{number}", booking(phone="6025550144")))
        world.run(world.flow.view(f"good-{number}", state="active"))
    sign_in(page, world, path="/ops/reasons/not-permitted")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_label("Note for whoever looks next").fill("asked Ann for the scope")
    page.get_by_role("button", name="Add note").click()
    look("reason")
    page.get_by_role("button", name="Plan a redrive…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Redrive 3 events of not-permitted")
    expect(page.get_by_text("3 will create")).to_be_visible()
    look("plan-shown")
    page.get_by_label("Why").fill("the scope was granted")
    page.get_by_role("button", name="Redrive 3").click()
    expect(page.get_by_text("ended", exact=True)).to_be_visible()
    expect(page.get_by_text("3 done")).to_be_visible()
    look("plan-ended")
    for number in range(3):
        world.run(world.flow.view(f"many-{number}", state="active"))
        assert len(world.flow.jobs(f"many-{number}")) == 1
    page.get_by_role("link", name="Plans", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="redrive not-permitted").first).to_contain_text("ended")
    look("plans")


def test_a_booking_is_found_without_its_customer_in_the_address(world: World, page: Page) -> None:
    hold(world, "find-1", lastName="Quetzal", phone="6025550122")
    sign_in(page, world)
    page.keyboard.press("/")
    page.keyboard.type("Quetzal, Ana")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="find-1")).to_be_visible()
    assert "Quetzal" not in page.url
    page.get_by_role("link", name="find-1").click()
    page.go_back()
    # Asked for again, not sent again: browsers would ask whether they may.
    expect(page.get_by_label("Find bookings")).to_have_value("Quetzal, Ana")
    expect(page.get_by_role("link", name="find-1")).to_be_visible()
    page.get_by_label("Find bookings").fill("state:held reason:area zip:000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="find-1")).to_be_visible()
    page.get_by_label("Find bookings").fill("find-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="find-1")).to_be_visible()
    assert "Quetzal" not in page.content()
    page.get_by_role("button", name="Reveal personal data").click()
    expect(page.get_by_role("definition").filter(has_text="Quetzal")).to_be_visible()
    assert "Quetzal" not in page.url


def test_a_read_key_looks_and_does_not_act(world: World, page: Page, look: Callable[[str], None]) -> None:
    hold(world, "look-1", phone="6025550133")
    sign_in(page, world, READ_KEY, "/ops/bookings/look-1")
    expect(page.get_by_role("button", name="Try now")).to_be_disabled()
    expect(page.get_by_text("Your key may read, not act.").first).to_be_visible()
    look("read-only")
    answer = page.request.post(
        f"{world.address}/ops/bookings/look-1/actions",
        form={"action": "discard", "why": "w"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status == 403
    other_site = page.request.post(
        f"{world.address}/ops/bookings/look-1/actions",
        form={"action": "discard", "why": "w"},
        headers={"Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {ACT_KEY}"},
    )
    assert other_site.status == 403
    assert world.flow.latest("look-1")["state"] == "held"


def test_live_updates_are_paused_and_go_on(world: World, page: Page) -> None:
    sign_in(page, world)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused at")).to_be_visible()
    hold(world, "late-1", phone="6025550155")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("link", name="late-1").first).to_be_visible()


def test_an_invalid_creation_is_repaired(world: World, page: Page, look: Callable[[str], None]) -> None:
    """It holds its booking as a refused one does: the repair is worked as the creation."""
    world.run(world.flow.send("created", "never-1", booking(zip="nowhere", phone="6025550166")))
    world.run(world.flow.view("never-1", state="held"))
    sign_in(page, world)
    page.get_by_role("link", name="never-1").first.click()
    look("an-invalid-creation")
    page.get_by_role("button", name="Repair and try…").click()
    page.get_by_label("ZIP").fill("85016")
    page.get_by_label("Why").fill("asked the customer")
    page.get_by_role("button", name="Repair and try").click()
    world.run(world.flow.view("never-1", state="active"))
    assert len(world.flow.jobs("never-1")) == 1
    expect(page.locator("h1 + .badge")).to_have_text("scheduled")
    page.get_by_role("link", name="Actions").click()
    shown = page.get_by_role("row").filter(has_text="never-1").filter(has_text="reveal")
    expect(shown).to_contain_text("personal data shown for a repair")
    assert "6025550166" not in page.content()


def test_what_was_turned_away_is_closed_with_a_reason(
    world: World, page: Page, look: Callable[[str], None]
) -> None:
    for number in range(2):
        world.run(world.flow.send_raw(f"junk-{number}".encode(), b"not JSON"))
    sign_in(page, world)
    turned = page.get_by_role("region", name="Turned away")
    turned.get_by_role("link", name="Look and close unreadable").click()
    look("turned-away-acting")
    rows = page.get_by_role("table", name="Events turned away").get_by_role("row")
    expect(rows).to_have_count(3)
    rows.filter(has_text="junk-1").get_by_role("checkbox").check()
    page.get_by_label("Why they may be closed").fill("a test of the producer")
    page.get_by_role("button", name="Close").click()
    expect(rows).to_have_count(2)
    page.get_by_label("Why they may be closed").fill("the producer is mended")
    page.get_by_role("button", name="Close").click()
    expect(rows).to_have_count(0)
    expect(page.get_by_text("closed by bo")).to_have_count(2)
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("link", name="Look and close unreadable")).to_have_count(0)
    page.get_by_role("link", name="Actions").click()
    expect(page.get_by_role("row").filter(has_text="the producer is mended")).to_contain_text("1 closed")
