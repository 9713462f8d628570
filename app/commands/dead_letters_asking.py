"""What the subcommands of `dead-letters` share: how a worker is asked, and how its answers are shown."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import click
import orjson
from rich.console import Console

from app.commands.status import ExitStatus
from app.commands.worker_api import WorkerApi, first_key, own_url
from app.settings import load

P = ParamSpec("P")


def connected(command: Callable[P, Any]) -> Callable[P, Any]:
    """The options of every command that asks a worker."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON."),
        click.option(
            "--key", envvar="API_KEY", help="A key; the first of API_ACT_KEYS or API_READ_KEYS if none."
        ),
        click.option("--url", help="A worker; the one of WEB_HOST and WEB_PORT when not given."),
    ):
        command = option(command)
    return command


def worker_at(url: str | None, key: str | None) -> WorkerApi:
    """The worker to ask: that of the options, else that of the settings."""
    settings = load(os.environ)
    own = first_key(settings, may_act=True) or first_key(settings)
    return WorkerApi((url or own_url(settings)).rstrip("/"), key or own)


def run(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """The answer."""
    return asyncio.run(work)


def confirm(total: int, verb: str) -> None:
    """Have the number typed; raises ClickException for another, and UsageError where nobody can type."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{total} events would be acted on: say --yes")
    if click.prompt(f"Type {total} to {verb} them", default="", show_default=False) != str(total):
        raise click.ClickException(f"that is not {total}: nothing was done")


def new_console() -> Console:
    """Where tables are printed."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(found: object) -> int:
    """The whole answer, for scripts."""
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    return ExitStatus.DONE
