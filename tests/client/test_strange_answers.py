"""What nobody knows of ServiceTitan's answers: every key of every answer that the client reads, changed.

The answers are the simulator's, which sends every field of the vendor's documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from app.booking.asks import Dispatch, Note
from app.servicetitan import endpoints
from app.servicetitan.endpoints import Endpoint
from app.servicetitan.wire import Page
from tests.client.orders import asker, create_job, value_of
from tests.support.simulated import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator

LISTS = {
    name: each
    for name, each in vars(endpoints).items()
    if isinstance(each, Endpoint) and each.method == "GET" and not each.template.endswith("{id}")
}
ROWS = {
    name: each
    for name, each in vars(endpoints).items()
    if name.startswith(("READ_", "CREATE_", "RESCHEDULE_")) and isinstance(each, Endpoint)
}
NAMED = ("LIST_BUSINESS_UNITS", "LIST_JOB_TYPES", "LIST_CAMPAIGNS", "LIST_CANCEL_REASONS", "LIST_TAG_TYPES")
NEEDED = {
    "LIST_CUSTOMERS": {"id"},
    "LIST_CONTACTS": set(),
    "LIST_LOCATIONS": {"id"},
    "LIST_JOBS": {"id"},
    "CHANGED_JOBS": {"id", "modifiedOn"},
    "LIST_NOTES": set(),
    "CHANGED_APPOINTMENTS": {"id", "jobId", "start", "end", "modifiedOn"},
    "LIST_ASSIGNMENTS": {"id", "technicianId", "jobId", "appointmentId"},
    "CHANGED_ASSIGNMENTS": {"id", "technicianId", "jobId", "appointmentId", "modifiedOn"},
    **{name: {"id", "name"} for name in NAMED},
}
"""Without these a row says nothing that could be used: it is left out and counted."""
STRANGE: list[Any] = [None, "Whenever", -1, 7.5, True, [], [None, {"new": 1}], {"new": {"deep": [None]}}]
"""Nulls where the documents say never, words of a list that are not known, other kinds of value."""


def changed(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The row with a key more, with each of its keys less, and with each of them strange."""
    yield "", row | {"aKeyOfTomorrow": {"is": [1, None]}}
    for key in row:
        yield key, {name: value for name, value in row.items() if name != key}
        yield from ((key, row | {key: value}) for value in STRANGE)


async def test_nothing_strange_in_one_row_of_a_list_hides_any_other(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    samples = await sampled(upstream, simulator)
    assert LISTS.keys() == NEEDED.keys()
    for name, endpoint in LISTS.items():
        sample = samples[endpoint.template]
        for key, row in changed(sample):
            body = {"page": None, "hasMore": "no", "data": [row, sample], "aKeyOfTomorrow": 1}
            page = endpoint.read(orjson.dumps(body))
            assert isinstance(page, Page)
            is_a_name = key == "name" and isinstance(row.get(key), str)
            counts = (2, 0) if key not in NEEDED[name] or is_a_name else (1, 1)
            assert (len(page.data), len(page.left_out)) == counts, (name, key, row.get(key))


async def test_nothing_strange_beside_its_id_makes_an_answer_unreadable(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    samples = await sampled(upstream, simulator)
    for name, endpoint in ROWS.items():
        for key, row in changed(samples[endpoint.template]):
            if key != "id":
                assert endpoint.read(orjson.dumps(row)) is not None, (name, key, row.get(key))


async def sampled(upstream: Upstream, simulator: RunningSimulator) -> dict[str, dict[str, Any]]:
    """A row of each answer, by the endpoint's path; what a creation answers is as it is read."""
    job = await create_job(upstream)
    sent = Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(501,), note="")
    for ask in (sent, Note(job_id=job.job_id, text="x")):
        value_of(await upstream.desk.perform(ask, asker()))
    ids = {"customers": job.customer_id, "jobs": job.job_id, "appointments": job.appointment_id}
    found: dict[str, dict[str, Any]] = {}
    async with aiohttp.ClientSession() as session:
        caller = Caller(simulator, session)
        await caller.sign_in()
        for endpoint in (*LISTS.values(), *ROWS.values()):
            module, _, rest = endpoint.template.partition("/v2/tenant/{tenant}/")
            path = rest.removesuffix("/reschedule").format(id=ids.get(rest.partition("/")[0]))
            body = await caller.get(f"{module.strip('/')}/{path}")
            found[endpoint.template] = body["data"][0] if "data" in body else body
    found[endpoints.CREATE_CUSTOMER.template] |= {"locations": [{"id": 5}], "contacts": []}
    return found
