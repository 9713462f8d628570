"""What is asked for by a key is found without looking at every row."""

from collections.abc import Iterable, Iterator
from typing import NoReturn, TypeVar

import orjson
import pytest

from app.simulator.call import Call
from app.simulator.endpoints import appointments, crm, jobs
from app.simulator.life import Act, play
from app.simulator.query import Query
from app.simulator.state.world import World
from tests.support.simulated import GUID, Clock, add_customer, add_job, make_world

T = TypeVar("T")


class NoScan(list[T]):
    """Rows that must not be gone through."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("every row is looked at")


def forbid_scans(world: World) -> None:
    for table in (world.jobs, world.customers, world.locations, world.appointments, world.assignments):
        table.in_order = NoScan(table.in_order)  # type: ignore[assignment]  # rows of any kind


@pytest.fixture
def world() -> World:
    """A hundred jobs of as many customers, the last one changed and staffed later."""
    clock = Clock()
    made = make_world(clock)
    for number in range(100):
        add_job(made, add_customer(made, f"602555{number:04d}"), f"BK-{number}")
        clock.move(seconds=10)
    job = made.jobs.in_order[-1]
    play(made, job, Act.ASSIGN)
    clock.move(seconds=10)
    play(made, job, Act.DISPATCH)
    forbid_scans(made)
    return made


def found(body: bytes) -> list[int]:
    return [row["id"] for row in orjson.loads(body)["data"]]


def last(rows: Iterable[T]) -> T:
    *_, row = rows
    return row


def job_queries(world: World) -> Iterator[dict[str, str]]:
    job = last(world.jobs.rows.values())
    technician = last(world.assignments.rows.values()).technician_id
    yield {
        "externalDataApplicationGuid": GUID,
        "externalDataKey": "bookingId",
        "externalDataValues": "BK-99",
        "includeTotal": "true",
    }
    yield {"customerId": str(job.customer_id)}
    yield {"technicianId": str(technician)}
    yield {"ids": str(job.id)}
    yield {"modifiedOnOrAfter": job.modified_on.isoformat()}
    yield {"createdOnOrAfter": job.created_on.isoformat()}


def test_jobs_by_key_customer_technician_and_time(world: World) -> None:
    job = last(world.jobs.rows.values())
    for query in job_queries(world):
        answer = jobs.list_jobs(world, Call(query=Query(query)))
        assert found(answer.body) == [job.id], query


def test_without_a_key_the_scan_is_noticed(world: World) -> None:
    with pytest.raises(AssertionError, match="every row"):
        jobs.list_jobs(world, Call(query=Query({"priority": "High"})))


def test_customers_by_phone_and_locations_by_customer(world: World) -> None:
    customer = last(world.customers.rows.values())
    answer = crm.list_customers(world, Call(query=Query({"phone": "+16025550099"})))
    assert found(answer.body) == [customer.id]
    answer = crm.list_locations(world, Call(query=Query({"customerId": str(customer.id)})))
    assert found(answer.body) == customer.location_ids


def test_visits_and_assignments_by_job(world: World) -> None:
    job = last(world.jobs.rows.values())
    query = Query({"jobId": str(job.id)})
    assert found(appointments.list_appointments(world, Call(query=query)).body) == job.appointment_ids
    assert len(found(appointments.list_assignments(world, Call(query=query)).body)) == 1
