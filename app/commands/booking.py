"""The command `booking`: what happened to one booking, for people or as JSON."""

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from app.commands.booking_rows import read_booking
from app.commands.status import ExitStatus
from app.commands.worker_api import (
    NoWorker,
    WorkerApi,
    booking_path,
    connected,
    new_console,
    print_json,
    worker_at,
)
from app.settings import load
from app.stream.kafka import connection, wait_for_kafka
from app.stream.topology import topics
from app.web import answers

_SECONDS = 10.0
_SAID = ("firstName", "lastName", "phone", "email", "address", "city", "state", "zip")
_EXAMPLES = """\b
Examples:
  servicetitan-stream booking BK-1001
  servicetitan-stream booking BK-1001 --json | jq .timeline
  servicetitan-stream booking BK-1001 --url https://stream.example.com --key @key.txt
  servicetitan-stream booking BK-1001 --kafka
"""


@click.command(epilog=_EXAMPLES)
@click.argument("booking_id", metavar="ID")
@connected
@click.option("--kafka", "from_kafka", is_flag=True, help="Ask no worker: read Kafka, which takes longer.")
def booking(*, booking_id: str, as_json: bool, url: str | None, key: str | None, from_kafka: bool) -> int:
    """Show one booking: its state, job, problem, lane and timeline. Status 1 when there is none.

    A worker is asked; when none answers, the booking's rows are read from Kafka.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found = asyncio.run(_find(booking_id, url, key, from_kafka=from_kafka))
    if found is None:
        click.echo(f"There is no booking {booking_id}.", err=True)
        return ExitStatus.NOT_DONE
    if as_json:
        return print_json(found)
    _show(found)
    return ExitStatus.DONE


async def _find(
    booking_id: str, url: str | None, key: str | None, *, from_kafka: bool
) -> dict[str, Any] | None:
    if not from_kafka:
        try:
            return await _ask(worker_at(url, key, may_act=False, seconds=_SECONDS), booking_id)
        except NoWorker as away:
            if url:
                raise
            click.echo(f"{away.message}; reading Kafka instead", err=True)
    settings = load(os.environ)
    arguments = connection(settings)
    await wait_for_kafka(arguments, seconds=_SECONDS, say=lambda text: click.echo(text, err=True))
    seen = await read_booking(topics(settings), arguments, booking_id)
    return None if seen is None else answers.booking(seen, datetime.now(UTC))


async def _ask(worker: WorkerApi, booking_id: str) -> dict[str, Any] | None:
    status, found = await worker.ask("GET", booking_path(booking_id))
    match status:
        case 200:
            data: dict[str, Any] = found["data"]
            return data
        case 404:
            return None
        case _:
            raise NoWorker(f"{worker.url} answers {status}: {found['message']}")


def _show(found: Mapping[str, Any]) -> None:
    console = new_console()
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
    # Of an invalid creation any field may be missing.
    said = {name: booked.get(name, "-") for name in _SAID}
    yield "customer", "{firstName} {lastName}, {phone}, {email}".format_map(said)
    yield "address", "{address}, {city} {state} {zip}".format_map(said)
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
