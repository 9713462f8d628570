"""The command `booking`: what happened to one booking, for people or as JSON."""

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import click
import orjson
from rich.console import Console
from rich.table import Table

from app.commands.booking_rows import read_booking
from app.commands.status import ExitStatus
from app.commands.worker_api import first_key, own_url
from app.settings import Settings, load
from app.stream.kafka import connection, wait_for_kafka
from app.stream.topology import topics
from app.web import answers
from app.web.operations import PREFIX

_SECONDS = 10.0
_EXAMPLES = """\b
Examples:
  servicetitan-stream booking BK-1001
  servicetitan-stream booking BK-1001 --json | jq .timeline
  servicetitan-stream booking BK-1001 --url https://stream.example.com --key KEY
  servicetitan-stream booking BK-1001 --kafka
"""


class _NoWorker(Exception):  # noqa: N818 - read as a sentence: "no worker"
    """No worker answers with the booking; the text says why."""


@click.command(epilog=_EXAMPLES)
@click.argument("booking_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
@click.option("--url", help="A worker; the one of WEB_HOST and WEB_PORT when not given.")
@click.option(
    "--key", envvar="API_KEY", help="A key that may read; the first of API_READ_KEYS or API_ACT_KEYS."
)
@click.option("--kafka", "from_kafka", is_flag=True, help="Ask no worker: read Kafka, which takes longer.")
def booking(*, booking_id: str, as_json: bool, url: str | None, key: str | None, from_kafka: bool) -> int:
    """Show one booking: its state, job, problem, lane and timeline. Status 1 when there is none.

    A worker is asked; when none answers, the booking's rows are read from Kafka.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings = load(os.environ)
    found = asyncio.run(_find(settings, booking_id, url, key, from_kafka=from_kafka))
    if found is None:
        click.echo(f"There is no booking {booking_id}.", err=True)
        return ExitStatus.NOT_DONE
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(found, Console(highlight=False, markup=False, emoji=False, soft_wrap=True))
    return ExitStatus.DONE


async def _find(
    settings: Settings, booking_id: str, url: str | None, key: str | None, *, from_kafka: bool
) -> dict[str, Any] | None:
    if not from_kafka:
        try:
            return await _ask(url or own_url(settings), key or first_key(settings), booking_id)
        except _NoWorker as away:
            if url:
                raise click.ClickException(str(away)) from None
            click.echo(f"{away}; reading Kafka instead", err=True)
    arguments = connection(settings)
    await wait_for_kafka(arguments, seconds=_SECONDS, say=lambda text: click.echo(text, err=True))
    seen = await read_booking(topics(settings), arguments, booking_id)
    return None if seen is None else answers.booking(seen, datetime.now(UTC))


async def _ask(url: str, key: str | None, booking_id: str) -> dict[str, Any] | None:
    address = f"{url.rstrip('/')}{PREFIX}/bookings/{quote(booking_id, safe='')}"
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(address, headers=headers) as answer,
        ):
            body = orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError, ValueError) as wrong:
        raise _NoWorker(f"no worker answers at {url} ({type(wrong).__name__})") from None
    match answer.status:
        case 200:
            data: dict[str, Any] = body["data"]
            return data
        case 404:
            return None
        case 401 | 403:
            raise click.ClickException(
                f"{url} answers: {body['message']}; give a key that may read with --key"
            )
        case _:
            raise _NoWorker(f"{url} answers {answer.status}: {body['message']}")


def _show(found: Mapping[str, Any], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(found):
        table.add_row(name, value)
    console.print(table)
    timeline = Table("at", "event", "asked", "outcome", "decision", title="Timeline", title_justify="left")
    for entry in found["timeline"]:
        outcome = " ".join(str(part) for part in (entry["httpStatus"], entry["outcome"]) if part is not None)
        timeline.add_row(entry["at"], entry["event"], entry["asked"], outcome, entry["decision"])
    console.print(timeline)


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a booking, line by line."""
    booked, job, problem, lane = (found[name] for name in ("booking", "job", "problem", "lane"))
    yield "booking", found["bookingId"]
    yield "state", f"{found['state']}, wants {found['wants']}"
    yield "customer", f"{booked['firstName']} {booked['lastName']}, {booked['phone']}, {booked['email']}"
    yield "address", f"{booked['address']}, {booked['city']} {booked['state']} {booked['zip']}"
    if job is not None:
        yield "job", f"{job['id']} ({job['jobNumber']}), {job['status']}, {job['businessUnit']}"
        yield (
            "visit",
            f"{job['appointmentStart']} to {job['appointmentEnd']}, slot {job['timeSlot'] or 'none'}",
        )
    if problem is not None:
        yield "problem", f"{problem['reason']} after {problem['attempts']} attempts: {problem['detail']}"
    if lane["head"] is not None:
        due = f", due {lane['due']}" if lane["due"] else ""
        yield "works on", f"{lane['head']['type']} {lane['head']['event']}, attempt {lane['attempt']}{due}"
    for waiting in lane["behind"]:
        yield "behind it", f"{waiting['type']} {waiting['event']}"
    yield "as of", found["asOf"]
