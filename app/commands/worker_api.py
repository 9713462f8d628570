"""Asking a running worker over HTTP, for commands: where it is, with which key, and its answers."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import click
import orjson

from app.settings import Settings

_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class WorkerApi:
    """One worker. `key` is None where none is needed."""

    url: str
    key: str | None

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer. Raises ClickException without an answer, and for a wrong key."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        limit = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(method, f"{self.url}{path}", json=body, headers=headers) as answer,
            ):
                found: dict[str, Any] = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as wrong:
            raise click.ClickException(f"no worker answers at {self.url} ({type(wrong).__name__})") from None
        if answer.status in {401, 403}:
            raise click.ClickException(f"{self.url} answers: {found['message']}; give a key with --key")
        return answer.status, found

    async def data(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer's data. Raises ClickException with what is wrong."""
        status, found = await self.ask(method, path, body)
        if status >= 400:
            details = "".join(f"\n  {one['field']}: {one['message']}" for one in found.get("details", ()))
            raise click.ClickException(f"{found['message']}{details}")
        data: dict[str, Any] = found["data"]
        return data


def own_url(settings: Settings) -> str:
    """Where the worker of these settings answers."""
    host = "127.0.0.1" if settings.web_host in {"0.0.0.0", "::"} else settings.web_host  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.web_port}" if ":" in host else f"http://{host}:{settings.web_port}"


def first_key(settings: Settings, *, may_act: bool = False) -> str | None:
    """The first key of these settings that may read, or act."""
    keys = settings.api_act_keys if may_act else (*settings.api_read_keys, *settings.api_act_keys)
    return keys[0].key.get_secret_value() if keys else None
