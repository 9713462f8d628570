"""The ops page in Debian's chromium. Console errors and CSP reports fail the test; pictures are kept."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from tests.support.flow import CREATE_JOB, booking, flow_on, simulated
from tests.support.web import Served, serving
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

    from tests.support.flow import Flow

CHROMIUM = "/usr/bin/chromium"
SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
READ_KEY, ACT_KEY = "read-key-of-ann-0", "act-key-of-bo-000"
KEYS = {"API_READ_KEYS": f"ann:{READ_KEY}", "API_ACT_KEYS": f"bo:{ACT_KEY}"}
T = TypeVar("T")


@pytest.fixture(scope="session")
def base_url() -> str:
    """Each test goes to its own server; the plugin's fixture warns on pytest 9."""
    return ""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """For one module only: it holds the thread's event loop, and asynchronous tests may come after."""
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser_context_args() -> dict[str, Any]:
    return {}


class Loop:
    """An event loop in a thread of its own: the browser's tests are synchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    @contextmanager
    def running(self) -> Iterator[Loop]:
        self._thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class World:
    """Kafka, the simulator and one worker, and where its page is."""

    def __init__(self, loop: Loop, flow: Flow) -> None:
        self.run = loop.run
        self.flow = flow
        self.address = f"http://127.0.0.1:{flow.settings.web_port}"


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    with Loop().running() as loop:
        yield loop


@pytest.fixture(scope="module")
def world(loop: Loop, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a key that may read and one that may act."""
    folder = tmp_path_factory.mktemp("browser")
    stack = AsyncExitStack()

    async def begin() -> Flow:
        simulator = await stack.enter_async_context(simulated())
        made = await stack.enter_async_context(
            flow_on(kafka, f"t{uuid4().hex[:10]}-", folder, simulator, **KEYS)
        )
        await stack.enter_async_context(worker_here(made.settings))
        return made

    flow = loop.run(begin())
    try:
        yield World(loop, flow)
    finally:
        loop.run(stack.aclose())


@pytest.fixture
def fed(loop: Loop, tmp_path: Path) -> Iterator[Served]:
    """The page alone, without keys, on a view that the test feeds."""
    stack = AsyncExitStack()
    served = loop.run(stack.enter_async_context(serving(tmp_path)))
    try:
        yield served
    finally:
        loop.run(stack.aclose())


@pytest.fixture(autouse=True)
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What the browser complains of, on any page; a test that expects something takes it out."""
    found: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    context.on("console", said)
    context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []


@pytest.fixture
def look(page: Page) -> Callable[[str], None]:
    """Takes pictures, wide and narrow, light and dark; axe finds nothing, and nothing scrolls sideways."""

    def looking(name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for scheme, width in itertools.product(("light", "dark"), (1280, 360)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 800})

    return looking


def sign_in(page: Page, world: World, key: str = ACT_KEY, path: str = "/ops") -> None:
    page.goto(f"{world.address}{path}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Pages").wait_for()


def hold(world: World, booking_id: str, **data: object) -> None:
    """A booking that is held for its area."""
    world.run(world.flow.send("created", booking_id, booking(**{"zip": "00000", **data})))
    world.run(world.flow.view(booking_id, state="held"))


def hold_for_scope(world: World, booking_id: str) -> None:
    """A booking that is held for a scope which is there by now."""
    world.flow.fault("forbidden", CREATE_JOB, count=1)
    world.run(world.flow.send("created", booking_id, booking(phone="6025550199")))
    world.run(world.flow.view(booking_id, state="held"))
