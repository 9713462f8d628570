"""The health check of containers: 0 only when the address answers 200."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.commands.healthcheck import address, main
from app.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def worker() -> AsyncIterator[TestServer]:
    """Something that lives and is not ready."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="yes")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/live", live)
    app.router.add_get("/ready", ready)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


def status(*arguments: str, environ: dict[str, str] | None = None) -> int:
    return subprocess.run(
        [sys.executable, "-m", "app.commands.healthcheck", *arguments],
        env=environ,
        capture_output=True,
        check=False,
        timeout=60,
    ).returncode


async def checked(*arguments: str, environ: dict[str, str] | None = None) -> int:
    return await asyncio.to_thread(status, *arguments, environ=environ)


async def test_a_worker_that_lives_is_well(worker: TestServer) -> None:
    assert await checked(environ={"WEB_PORT": str(worker.port)}) == 0


async def test_another_address_may_be_asked(worker: TestServer) -> None:
    assert await checked(str(worker.make_url("/live"))) == 0
    assert await checked(str(worker.make_url("/ready"))) == 1
    assert await checked(str(worker.make_url("/nothing"))) == 1


def test_nobody_there_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{unused_port()}/live"]) == 1
    assert "refused" in capsys.readouterr().err


def test_what_is_no_address_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 1
    assert "nonsense" in capsys.readouterr().err


def test_wrong_settings_are_not_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_PORT", "many")
    assert main([]) == 1
    assert "WEB_PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:6066/live"),
        ("::1", "http://[::1]:6066/live"),
        ("0.0.0.0", "http://127.0.0.1:6066/live"),  # noqa: S104 - nothing listens here
        ("::", "http://[::1]:6066/live"),
    ],
)
def test_a_worker_is_asked_where_it_listens(host: str, url: str) -> None:
    assert address(load({"WEB_HOST": host, "API_ACT_KEYS": "ops:k3y-k3y-k3y-k3y-k3y"})) == url
