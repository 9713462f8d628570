"""`jpm` export feeds: what changed, oldest change first, 15 minutes late unless asked otherwise."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar

from app.simulator import views
from app.simulator.call import Answer, Call, Endpoint, Route, answer, refuse
from app.simulator.query import Query
from app.simulator.state.records import JobRow, Row
from app.simulator.state.table import Table
from app.simulator.state.world import World
from app.simulator.wire import jpm
from app.simulator.wire.base import Wire
from app.simulator.wire.dates import parse_instant
from app.simulator.wire.envelope import ExportPage

R = TypeVar("R", bound=Row)
W = TypeVar("W", bound=Wire)

LAG = timedelta(minutes=15)
BATCH = 500
"""Rows looked at per call."""

_TOKEN = "sim-"  # noqa: S105 - the beginning of a continuation token


def _export(
    table: Callable[[World], Table[R]],
    kind: type[ExportPage[W]],
    show: Callable[[World, Call, R], Iterable[W]],
) -> Endpoint:
    """An export endpoint: `from` is a continuation token, a date, or empty for the beginning."""

    def endpoint(world: World, call: Call) -> Answer:
        recent = call.query.boolean("includeRecentChanges")
        source = table(world)
        position = _position(call.query)
        if call.query.refusal:
            return refuse(call.query.refusal)
        rows = (
            source.changed_since(position)
            if isinstance(position, datetime)
            else source.changed_after(position)
        )
        newest = None if recent else world.now() - LAG
        batch, has_more = _batch(rows, newest)
        return answer(
            kind(
                has_more=has_more,
                continue_from=_continuation(batch, position, source),
                data=tuple(chain.from_iterable(show(world, call, row) for row in batch)),
            )
        )

    return endpoint


def _position(query: Query) -> int | datetime:
    """The change after which, or the time from which, to read."""
    text = query.text("from")
    if text is None:
        return 0
    number = text.removeprefix(_TOKEN)
    if number != text and number.isdigit():
        return int(number)
    try:
        return parse_instant(text)
    except ValueError:
        query.refuse("from", f"The value '{text}' is not valid for From.")
        return 0


def _batch(rows: Iterable[R], newest: datetime | None) -> tuple[list[R], bool]:
    batch: list[R] = []
    for row in rows:
        if newest is not None and row.modified_on > newest:
            break
        if len(batch) == BATCH:
            return batch, True
        batch.append(row)
    return batch, False


def _continuation(batch: list[R], position: int | datetime, source: Table[R]) -> str:
    if batch:
        return f"{_TOKEN}{batch[-1].change}"
    return f"{_TOKEN}{source.number_before(position) if isinstance(position, datetime) else position}"


def _cancellations(_: World, __: Call, row: JobRow) -> Iterable[jpm.CanceledLog]:
    return (views.canceled_log(row, entry) for entry in row.cancellations)


_EXPORT = "/jpm/v2/tenant/{tenant}/export"

ROUTES = (
    Route(
        "GET",
        f"{_EXPORT}/jobs",
        _export(
            lambda world: world.jobs,
            ExportPage[jpm.ExportedJob],
            lambda world, call, row: (views.exported_job(world, row, call.guid),),
        ),
    ),
    Route(
        "GET",
        f"{_EXPORT}/appointments",
        _export(
            lambda world: world.appointments,
            ExportPage[jpm.Appointment],
            lambda _, __, row: (views.appointment(row),),
        ),
    ),
    Route(
        "GET",
        f"{_EXPORT}/job-canceled-logs",
        _export(lambda world: world.jobs, ExportPage[jpm.CanceledLog], _cancellations),
    ),
    Route(
        "GET",
        f"{_EXPORT}/job-history",
        _export(
            lambda world: world.jobs,
            ExportPage[jpm.ExportedJobHistory],
            lambda _, __, row: (jpm.ExportedJobHistory(job_id=row.id, history=views.history(row.history)),),
        ),
    ),
)
