"""The command `dead-letters`: what waits for a person, and acting on one or on many, over a worker's HTTP."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import click
import orjson
from rich.table import Table

from app.booking.reasons import Reason
from app.commands import dead_letters_turned_away
from app.commands.status import ExitStatus
from app.commands.worker_api import (
    WorkerApi,
    booking_path,
    confirm,
    connected,
    new_console,
    print_json,
    worker_at,
)

Kind: TypeAlias = Literal["retry", "discard"]

_WAIT_SECONDS = 25
_LOOK_SECONDS = 1.0
_SURE_ABOVE = 1
_EXAMPLES = """\b
Examples:
  servicetitan-stream dead-letters list
  servicetitan-stream dead-letters show BK-1001
  servicetitan-stream dead-letters plan --reason retries-used-up
  servicetitan-stream dead-letters retry --reason retries-used-up --why "ServiceTitan is well again"
  servicetitan-stream dead-letters retry BK-1001 --why "the scope was granted"
  servicetitan-stream dead-letters repair BK-1001 --set zip=85016 --why "asked the customer"
  servicetitan-stream dead-letters discard BK-1001 --why "booked by phone"
  servicetitan-stream dead-letters discard --turned-away --reason unreadable --why "the producer is mended"
"""


_reason = click.option(
    "--reason", type=click.Choice([one.value for one in Reason]), metavar="REASON", help="One reason."
)
_why = click.option("--why", required=True, help="Why; it stands in the timeline.")
_sure = click.option("--yes", is_flag=True, help="Do not ask.")
_dry = click.option("--dry-run", is_flag=True, help="Only say what would happen.")
_turned_away = click.option(
    "--turned-away",
    is_flag=True,
    help="Events that no lane has; an ID is then a booking or a letter such as 3-17.",
)
_bookings = click.argument("booking_ids", metavar="[ID]...", nargs=-1)


@click.group(name="dead-letters", epilog=_EXAMPLES)
def dead_letters() -> None:
    """Look at what failed for good, and try again, repair or discard it.

    Needs a running worker. Acting on several first shows the plan, and asks.
    """


# Looking --------------------------------------------------------------------------------------------------


@dead_letters.command("list")
@_reason
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Lines.")
@connected
def list_(*, reason: str | None, limit: int, as_json: bool, url: str | None, key: str | None) -> int:
    """Show what waits for a person, the earliest visit first."""
    query = f"?limit={limit}" + (f"&reason={reason}" if reason else "")
    found = asyncio.run(worker_at(url, key).data("GET", f"/ops/api/dead-letters{query}"))
    if as_json:
        return print_json(found)
    for one in found["turnedAway"]:
        number = one["total"]
        click.echo(f"{one['reason']}: {number} event{'' if number == 1 else 's'} turned away, in no lane")
    if found["turnedAway"]:
        click.echo("See them with: dead-letters plan --turned-away")
    if not found["groups"]:
        click.echo("No booking needs attention.")
        return ExitStatus.DONE
    console = new_console()
    groups = Table("reason", "bookings", "next visit", "who", "what to do", title_justify="left")
    for one in found["groups"]:
        groups.add_row(
            one["reason"], str(one["bookings"]), one["nextVisit"] or "over", one["owner"], one["remedy"]
        )
    console.print(groups)
    lines = Table("booking", "customer", "visit", "event", "reason", "why")
    for one in found["lines"]:
        lines.add_row(
            one["bookingId"], one["customer"], one["visit"], one["what"], one["reason"], one["detail"]
        )
    console.print(lines)
    return ExitStatus.DONE


@dead_letters.command()
@click.argument("booking_id", metavar="ID")
@connected
def show(*, booking_id: str, as_json: bool, url: str | None, key: str | None) -> int:
    """Show why one booking waits."""
    found = asyncio.run(_shown(worker_at(url, key, may_act=False), booking_id))
    if as_json:
        return print_json(found)
    known = found["state"] is not None
    is_so = f"is {found['state']}, wants {found['wants']}" if known else "was never made"
    click.echo(f"{booking_id} {is_so}")
    for one in found["failures"]:
        away = "" if one["inLane"] else ", turned away"
        click.echo(f"{one['type']} {one['event']}{away}")
        click.echo(f"  {one['reason']} after {one['attempts']} attempts: {one['detail']}")
        click.echo(f"  it may be given: {', '.join(_commands(one))}")
    if not known:
        return ExitStatus.DONE
    for one in found["lane"]["behind"]:
        click.echo(f"behind it: {one['type']} {one['event']}")
    for entry in reversed(found["timeline"]):
        click.echo(f"{entry['at']}  {entry['asked']}  {entry['outcome']}  {entry['decision']}")
    return ExitStatus.DONE


async def _shown(api: WorkerApi, booking_id: str) -> dict[str, Any]:
    """What is known of the booking, and what may be done; one that was never made has only the second."""
    offered = await api.data("GET", _offers(booking_id))
    return {**(await api.data("GET", booking_path(booking_id)) if offered["state"] else {}), **offered}


def _offers(booking_id: str) -> str:
    """Where a worker tells what may be done about a booking."""
    return f"/ops/api/bookings/{quote(booking_id, safe='')}"


def _commands(failure: Mapping[str, Any]) -> list[str]:
    """The commands that may be given for it."""
    away = "" if failure["inLane"] else " --turned-away"
    return [f"{one}{away}" if one == "discard" else one for one in failure["acts"]]


@dead_letters.command()
@_bookings
@_reason
@click.option("--discard", is_flag=True, help="Plan to discard instead of to retry.")
@_turned_away
@connected
def plan(
    *,
    booking_ids: tuple[str, ...],
    reason: str | None,
    discard: bool,
    turned_away: bool,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> int:
    """Show what would happen to each of these bookings, or to all that failed for a reason. Does nothing."""
    if turned_away:
        return dead_letters_turned_away.look(worker_at(url, key), booking_ids, reason, as_json=as_json)
    planned = asyncio.run(_plan(worker_at(url, key), "discard" if discard else "retry", booking_ids, reason))
    if as_json:
        return print_json(planned)
    _show_plan(planned)
    return ExitStatus.DONE


# Acting ---------------------------------------------------------------------------------------------------


@dead_letters.command()
@_bookings
@_reason
@_why
@_sure
@_dry
@connected
def retry(*, booking_ids: tuple[str, ...], reason: str | None, why: str, **how: Any) -> int:  # noqa: ANN401 - click's
    """Try again: one booking, several, or all that failed for a reason."""
    return _act("retry", booking_ids, reason, why, **how)


@dead_letters.command()
@_bookings
@_reason
@_turned_away
@_why
@_sure
@_dry
@connected
def discard(
    *,
    booking_ids: tuple[str, ...],
    reason: str | None,
    turned_away: bool,
    why: str,
    **how: Any,  # noqa: ANN401 - click's
) -> int:
    """Close for good: one booking, several, or all that failed for a reason."""
    if turned_away:
        api = worker_at(how.pop("url"), how.pop("key"))
        return dead_letters_turned_away.close(api, booking_ids, reason, why, **how)
    return _act("discard", booking_ids, reason, why, **how)


def _act(
    kind: Kind,
    booking_ids: tuple[str, ...],
    reason: str | None,
    why: str,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> int:
    api = worker_at(url, key)
    planned = asyncio.run(_plan(api, kind, booking_ids, reason))
    if not as_json:
        _show_plan(planned)
    if dry_run or planned["total"] == 0:
        if as_json:
            print_json(planned)
        return ExitStatus.DONE if dry_run else ExitStatus.NOT_DONE
    if not yes and (kind == "discard" or planned["total"] > _SURE_ABOVE):
        confirm(planned["total"], planned["kind"])
    ended = asyncio.run(_apply(api, planned, why))
    if as_json:
        print_json(ended)
    else:
        click.echo(f"{ended['state']}: {ended['because']}")
    right = ended["state"] == "ended" and ended["failing"] == 0 and ended["working"] == 0
    return ExitStatus.DONE if right else ExitStatus.NOT_DONE


@dead_letters.command()
@click.argument("booking_id", metavar="ID")
@_why
@click.option("--event", help="The event to repair, when several of the booking failed.")
@click.option(
    "--set", "changes", metavar="FIELD=VALUE", multiple=True, help="A field's new value, as JSON or text."
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the whole data as JSON.",
)
@_dry
@connected
def repair(
    *,
    booking_id: str,
    why: str,
    event: str | None,
    changes: tuple[str, ...],
    data: Path | None,
    dry_run: bool,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> int:
    """Repair a booking's data and try again. The data goes through the same validation as an event's."""
    if not changes and data is None:
        raise click.UsageError("say what to change: --set FIELD=VALUE, or --data FILE")
    api = worker_at(url, key)
    repaired = asyncio.run(_repaired(api, booking_id, event, changes, data))
    if dry_run:
        return print_json(repaired)
    body = {"action": "repair", "why": why, "data": repaired, **({"event": event} if event else {})}
    found = asyncio.run(_repair(api, booking_id, body))
    if as_json:
        return print_json(found)
    told = found["timeline"][-1] if found["timeline"] else None
    click.echo(f"{booking_id} is {found['state']}" + (f": {told['decision']}" if told else ""))
    return ExitStatus.NOT_DONE if found["state"] == "held" else ExitStatus.DONE


async def _repaired(
    api: WorkerApi, booking_id: str, event: str | None, changes: tuple[str, ...], data: Path | None
) -> dict[str, Any]:
    """The data that would be sent: of the file, else of the event that failed; with the changes."""
    if data is None:
        of = f"?event={quote(event, safe='')}" if event else ""
        found: dict[str, Any] = (await api.data("GET", f"{_offers(booking_id)}/repair{of}"))["data"]
    else:
        found = _json_object(data)
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise click.UsageError(f"{change!r} is not FIELD=VALUE")
        found[name] = _value(found.get(name), value)
    return {name: value for name, value in found.items() if value is not None}


def _json_object(file: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as wrong:
        raise click.UsageError(f"{file} is not JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{file} holds no JSON object")
    return found


def _value(before: object, text: str) -> object:
    """A text stays one where a text stood; else it is read as JSON if it is some."""
    if isinstance(before, str):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


# Asking ---------------------------------------------------------------------------------------------------


async def _plan(
    api: WorkerApi, kind: Kind, booking_ids: tuple[str, ...], reason: str | None
) -> dict[str, Any]:
    if not booking_ids and not reason:
        raise click.UsageError("name bookings, or a --reason")
    body = {"kind": kind, "reason": reason, "bookings": list(booking_ids) or None}
    return await api.data("POST", "/ops/api/plans", body)


async def _apply(api: WorkerApi, planned: Mapping[str, Any], why: str) -> dict[str, Any]:
    """Apply what was planned, and watch it to its end. Interrupted, the plan goes on in the worker."""
    path = f"/ops/api/plans/{planned['plan']}"
    fields = {name: planned[name] for name in ("kind", "reason", "bookings", "until", "total")}
    await api.data("POST", path, {**fields, "step": "apply", "why": why})
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        status, found = await api.ask("GET", path)
        # The plan is told over Kafka: the view takes a moment to have it.
        if status == 200 and found["data"]["state"] != "running":
            data: dict[str, Any] = found["data"]
            return data
        if status not in {200, 404, 503}:
            raise click.ClickException(str(found["message"]))


async def _repair(api: WorkerApi, booking_id: str, body: object) -> dict[str, Any]:
    """Send the repair; gives the booking once its owner has taken it, or as it is."""
    made = await api.data("POST", f"{booking_path(booking_id)}/actions", body)
    query = f"?event={quote(made['event'], safe='')}&wait={_WAIT_SECONDS}"
    status, _ = await api.ask("GET", f"{booking_path(booking_id)}{query}")
    if status == 202:
        raise click.ClickException("it was sent, and its owner has not taken it yet: look again later")
    return await api.data("GET", booking_path(booking_id))


def _show_plan(planned: Mapping[str, Any]) -> None:
    word = "retry" if planned["kind"] == "retry" else "discard"
    click.echo(f"{word} {planned['total']} events of {planned['reason']}")
    table = Table("booking", "event", "visit", "would be", "because")
    for one in planned["events"]:
        table.add_row(one["bookingId"], one["what"], one["visit"], one["fate"], one["because"])
    if planned["events"]:
        new_console().print(table)
