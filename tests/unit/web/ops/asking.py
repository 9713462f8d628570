"""Asking the page as a browser does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from app.web.ops.shown import COOKIE
from tests.support.rows import Read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse

    from tests.support.web import Sent, Served

OURS = {"Sec-Fetch-Site": "same-origin"}


async def get(served: Served, path: str, **headers: str) -> tuple[ClientResponse, str]:
    async with served.session.get(served.address + path, headers=headers, allow_redirects=False) as answer:
        return answer, await answer.text()


async def post(
    served: Served, path: str, form: Mapping[str, object], headers: Mapping[str, str] = OURS
) -> tuple[ClientResponse, str]:
    """Where what it shows has an address of its own, the page there."""
    async with served.session.post(
        served.address + path, data=form, headers=headers, allow_redirects=False
    ) as answer:
        text = await answer.text()
    leads = answer.headers.get("Location", "")
    if not leads.startswith("/ops/shown/"):
        return answer, text
    shown = answer.cookies[COOKIE]
    assert (shown["path"], shown["httponly"], shown["samesite"]) == (leads, True, "Strict")
    kept = f"{COOKIE}={shown.value}"
    cookie = "; ".join(one for one in (headers.get("Cookie"), kept) if one)
    return await get(served, leads, **{**headers, "Cookie": cookie})


def action(sent: Sent) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(sent.value or b"")
    return found


def told_to_the_view(served: Served) -> None:
    """What is sent comes back, as it does over Kafka."""

    async def comes_back(sent: Sent) -> None:
        headers = tuple(sent.headers.items())
        served.view.read(Read(topic=sent.topic, key=sent.key, value=sent.value, headers=headers))

    served.on_publish = comes_back
