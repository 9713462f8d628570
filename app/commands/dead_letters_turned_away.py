"""`dead-letters plan|discard --turned-away`: events that no lane has, seen and closed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import click
from rich.table import Table

from app.commands.status import ExitStatus
from app.commands.worker_api import WorkerApi, confirm, new_console, print_json

PATH = "/ops/api/turned-away"
_MOST = 1000


def look(api: WorkerApi, names: Sequence[str], reason: str | None, *, as_json: bool) -> int:
    """Show what waits: of one reason, some letters or bookings, or all."""
    found = asyncio.run(_asked(api, names, reason))
    if as_json:
        return print_json(found)
    _show(found)
    return ExitStatus.DONE


def close(
    api: WorkerApi,
    names: Sequence[str],
    reason: str | None,
    why: str,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Close some letters, all of some bookings, or a whole group; asks before."""
    if not names and not reason:
        raise click.UsageError("name letters such as 3-17, bookings, or a --reason")
    found = asyncio.run(_asked(api, names, reason))
    total = len(found["letters"]) if names else sum(one["total"] for one in found["groups"])
    if not as_json:
        _show(found)
    if dry_run or total == 0:
        if as_json:
            print_json(found)
        return ExitStatus.DONE if dry_run else ExitStatus.NOT_DONE
    if not yes:
        confirm(total, "close")
    for body in _bodies(found, why, whole=not names):
        asyncio.run(api.data("POST", PATH, body))
    if as_json:
        return print_json({"closed": total})
    click.echo(f"{total} closed")
    return ExitStatus.DONE


async def _asked(api: WorkerApi, names: Sequence[str], reason: str | None) -> dict[str, Any]:
    asked = f"{PATH}?limit={_MOST}" + (f"&reason={reason}" if reason else "")
    if not names:
        return await api.data("GET", asked)
    # Each by its name: how many others wait does not matter.
    found = {name: await api.data("GET", f"{asked}&name={quote(name, safe='')}") for name in names}
    missing = [name for name, one in found.items() if not one["letters"]]
    if missing:
        raise click.ClickException(f"nothing that was turned away is open for {', '.join(missing)}")
    letters = {one["letter"]: one for some in found.values() for one in some["letters"]}
    return {"groups": found[names[0]]["groups"], "letters": list(letters.values())}


def _bodies(found: Mapping[str, Any], why: str, *, whole: bool) -> list[dict[str, Any]]:
    """What is sent: a whole group as it was shown, or the named letters of each reason."""
    if whole:
        return [
            {"reason": one["reason"], "why": why, "until": one["until"], "total": one["total"]}
            for one in found["groups"]
        ]
    named: dict[str, list[str]] = {}
    for one in found["letters"]:
        named.setdefault(one["reason"], []).append(one["letter"])
    return [
        {"reason": reason, "why": why, "letters": letters[first : first + _MOST]}
        for reason, letters in named.items()
        for first in range(0, len(letters), _MOST)
    ]


def _show(found: Mapping[str, Any]) -> None:
    if not found["letters"]:
        click.echo("Nothing that was turned away waits.")
        return
    table = Table("letter", "when", "booking", "type", "reason", "why")
    for one in found["letters"]:
        table.add_row(
            one["letter"],
            one["at"],
            one["bookingId"] or "none",
            one["type"] or "-",
            one["reason"],
            one["detail"],
        )
    new_console().print(table)
