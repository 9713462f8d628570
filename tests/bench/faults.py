"""A fifth of the calls answered 503: how much of the rate without faults is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import stock
from tests.bench.figures import Table, median, number, share
from tests.bench.unlimited import EACH, UPSTREAM_SECONDS, accepted, rounds
from tests.bench.world import NO_LIMIT, TOOK, Bench, stub, world

if TYPE_CHECKING:
    from tests.bench.stock import Known

FAILURES = 0.2
IN_FLIGHT = 50
_FROM, _TO = 0.1, 0.8


async def one(bench: Bench, bookings: list[Known], failures: float) -> float:
    """Events per second while the second to the eighth tenth of them are accepted."""
    async with stub(bench, delay=UPSTREAM_SECONDS, failures=failures) as upstream:
        ours = await world(
            bench, upstream, SERVICETITAN_CALLS_PER_SECOND=NO_LIMIT, MAX_CALLS_IN_FLIGHT=str(IN_FLIGHT)
        )
        await ours.hold(bookings)
        with ours.worker() as worker:
            await worker.said(TOOK)
            await ours.send(rounds(bookings))
            count = len(bookings) * EACH
            _, *moments = await accepted(upstream, int(count * _TO))
    first, last = int(count * _FROM), int(count * _TO) - 1
    return (last - first) / (moments[last] - moments[first])


async def run(bench: Bench) -> list[Table]:
    bookings = stock.known(bench.size(3_000, 500))
    runs = [(await one(bench, bookings, 0), await one(bench, bookings, FAILURES)) for _ in range(bench.runs)]
    lines = [(str(IN_FLIGHT), number(well), number(failing), share(failing / well)) for well, failing in runs]
    middle = median(failing / well for well, failing in runs)
    return [
        Table(
            f"{FAILURES:.0%} of the calls answered 503",
            ("in flight", "events/s without", "events/s with", "share left"),
            (*lines, ("the median", "", "", share(middle))),
            said="100 ms upstream, a 503 at once; retries after 5, 10, 20 s, each behind a look whether the "
            "last attempt was done after all. From the 10th to the 80th percent of the events. Aim: 90%.",
        )
    ]
