"""What the commands that ask a running worker share: how it is asked, and how its answers are shown."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import quote

import aiohttp
import click
import orjson
from rich.console import Console
from rich.text import Text

from app.commands.status import ExitStatus
from app.settings import load
from app.telemetry.log import printable
from app.web.operations import PREFIX

P = ParamSpec("P")


class NoWorker(click.ClickException):
    """No worker answers; the text says where, and what was met instead."""


def _key(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """The key itself, or what stands in the file that is named after an @."""
    if value is None or not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as wrong:
        raise click.BadParameter(f"{value[1:]} holds no key: {wrong}") from None


def connected(command: Callable[P, Any]) -> Callable[P, Any]:
    """The options of every command that asks a worker."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON."),
        click.option(
            "--key",
            envvar="API_KEY",
            callback=_key,
            metavar="@FILE",
            help="A file with a key, after an @; the first one of the settings when not given. A key itself "
            "would show in the list of processes: API_KEY takes one.",
        ),
        click.option("--url", help="A worker; the one of WEB_HOST and WEB_PORT when not given."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class WorkerApi:
    """One worker. `key` is None where none is needed."""

    url: str
    key: str | None
    seconds: float

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer. Raises NoWorker without one, and ClickException for a wrong key."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        limit = aiohttp.ClientTimeout(total=self.seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(method, f"{self.url}{path}", json=body, headers=headers) as answer,
            ):
                found: dict[str, Any] = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as wrong:
            raise NoWorker(f"no worker answers at {self.url} ({type(wrong).__name__})") from None
        if answer.status in {401, 403}:
            raise click.ClickException(
                f"{self.url} answers: {found['message']}; give a key with API_KEY or --key @FILE"
            )
        return answer.status, found

    async def data(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer's data. Raises ClickException with what is wrong."""
        status, found = await self.ask(method, path, body)
        if status >= 400:
            details = "".join(f"\n  {one['field']}: {one['message']}" for one in found.get("details", ()))
            raise click.ClickException(f"{found['message']}{details}")
        data: dict[str, Any] = found["data"]
        return data


def worker_at(url: str | None, key: str | None, *, may_act: bool = True, seconds: float = 40.0) -> WorkerApi:
    """The worker of the options, else that of the settings, with the first of their keys for that."""
    settings = load(os.environ)
    read, act = settings.api_read_keys, settings.api_act_keys
    held = (*act, *read) if may_act else (*read, *act)
    own = held[0].key.get_secret_value() if held else None
    return WorkerApi((url or settings.web_url).rstrip("/"), key or own, seconds)


def booking_path(booking_id: str) -> str:
    """Where a worker tells of a booking."""
    return f"{PREFIX}/bookings/{quote(booking_id, safe='')}"


def confirm(total: int, verb: str) -> None:
    """Have the number typed; raises ClickException for another, and UsageError where nobody can type."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{total} events would be acted on: say --yes")
    if click.prompt(f"Type {total} to {verb} them", default="", show_default=False) != str(total):
        raise click.ClickException(f"that is not {total}: nothing was done")


class _Plain(Console):
    """Texts of strangers do nothing to the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - as rich has it
        return super().render_str(printable(text, keep="\n"), **how)


def new_console() -> Console:
    """Where tables are printed."""
    return _Plain(highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(found: object) -> int:
    """The whole answer, for scripts."""
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    return ExitStatus.DONE
