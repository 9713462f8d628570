"""ServiceTitan over TLS: it must be vouched for by the system's authorities, or by those of SSL_CERT_FILE."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.business_file import load_business
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.http import Answer, Connections, NotSent, Request, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from yarl import URL


@asynccontextmanager
async def serving_as(name: str, ca: trustme.CA) -> AsyncIterator[URL]:
    """A server on this machine with a certificate for a name."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    yield server.make_url("/")
    await server.close()


async def ask(url: URL) -> Sent:
    config = UpstreamConfig(
        api_url=str(url),
        auth_url=str(url),
        client_id="",
        client_secret="",
        app_key="",
        tenant_id="",
        application_guid="",
        business=load_business(),
    )
    connections = Connections(config)
    request = Request(method="GET", url=url, headers={}, body=None, about_to_send=lambda: None)
    try:
        return await connections.send(request)
    finally:
        await connections.close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority of a company's own, named by SSL_CERT_FILE."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


async def test_an_authority_of_one_s_own_is_trusted_when_named(authority: trustme.CA) -> None:
    async with serving_as("127.0.0.1", authority) as url:
        sent = await ask(url)
    assert isinstance(sent, Answer)
    assert sent.status == 200


async def test_an_authority_that_is_not_named_is_not_trusted_and_nothing_is_sent() -> None:
    async with serving_as("127.0.0.1", trustme.CA()) as url:
        sent = await ask(url)
    assert isinstance(sent, NotSent)
    assert "certificate" in sent.detail.lower()


async def test_a_certificate_for_another_name_is_not_taken(authority: trustme.CA) -> None:
    async with serving_as("servicetitan.example", authority) as url:
        sent = await ask(url)
    assert isinstance(sent, NotSent)
