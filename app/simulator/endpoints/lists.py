"""The tenant's lists: job types, reasons, business units, technicians, campaigns."""

from collections.abc import Callable
from typing import TypeVar

from app.simulator import views
from app.simulator.call import Answer, Call, Endpoint, Route, page
from app.simulator.query import Filters, page_of
from app.simulator.state.records import JobTypeRow, NamedRow, TechnicianRow, WindowRow
from app.simulator.state.table import Table
from app.simulator.state.world import World
from app.simulator.wire import jpm, office
from app.simulator.wire.base import Wire
from app.simulator.wire.envelope import Page

N = TypeVar("N", bound=NamedRow)
W = TypeVar("W", bound=Wire)


def _list(
    table: Callable[[World], Table[N]],
    kind: type[Page[W]],
    show: Callable[[N], W],
    *,
    active: bool | None = True,
    extra: Callable[[Call, Filters[N]], None] | None = None,
) -> Endpoint:
    """A list endpoint: `ids`, `name` (contains, any case), `active`, the time windows, sort and paging."""

    def endpoint(world: World, call: Call) -> Answer:
        query = call.query
        filters = Filters[N](query)
        filters.among(query.ids("ids"), lambda row: row.id)
        filters.contains("name", lambda row: row.name)
        filters.equal(query.active(active), lambda row: row.active)
        filters.window("created", lambda row: row.created_on)
        filters.window("modified", lambda row: row.modified_on)
        if extra is not None:
            extra(call, filters)
        return page(page_of(query, filters, lambda: table(world).in_order), kind, show)

    return endpoint


def _job_type_filters(call: Call, filters: Filters[JobTypeRow]) -> None:
    query = call.query
    filters.equal(query.choice("priority", jpm.Priority), lambda row: row.priority)
    shortest, longest = query.integer("minDuration"), query.integer("maxDuration")
    if shortest is not None:
        filters.add(lambda row: row.minutes * 60 >= shortest)
    if longest is not None:
        filters.add(lambda row: row.minutes * 60 <= longest)


def _technician_filters(call: Call, filters: Filters[TechnicianRow]) -> None:
    filters.among(call.query.ids("userIds"), lambda row: row.user_id)


def _arrival_windows(world: World, call: Call) -> Answer:
    """The arrival windows, active ones unless asked otherwise; they have no names."""
    filters = Filters[WindowRow](call.query)
    filters.equal(call.query.active(True), lambda row: row.active)
    found = page_of(call.query, filters, lambda: world.catalogue.arrival_windows.in_order)
    return page(found, Page[office.ArrivalWindow], views.arrival_window)


_TENANT = "v2/tenant/{tenant}"

ROUTES = (
    Route(
        "GET",
        f"/jpm/{_TENANT}/job-types",
        _list(
            lambda world: world.catalogue.job_types,
            Page[jpm.JobType],
            views.job_type,
            extra=_job_type_filters,
        ),
    ),
    Route(
        "GET",
        f"/jpm/{_TENANT}/job-cancel-reasons",
        _list(lambda world: world.catalogue.cancel_reasons, Page[jpm.JobReason], views.reason, active=None),
    ),
    Route(
        "GET",
        f"/jpm/{_TENANT}/job-hold-reasons",
        _list(lambda world: world.catalogue.hold_reasons, Page[jpm.JobReason], views.reason, active=None),
    ),
    Route(
        "GET",
        f"/settings/{_TENANT}/business-units",
        _list(lambda world: world.catalogue.business_units, Page[office.BusinessUnit], views.business_unit),
    ),
    Route(
        "GET",
        f"/settings/{_TENANT}/tag-types",
        _list(lambda world: world.catalogue.tag_types, Page[office.TagType], views.tag_type),
    ),
    Route("GET", f"/dispatch/{_TENANT}/arrival-windows", _arrival_windows),
    Route(
        "GET",
        f"/settings/{_TENANT}/technicians",
        _list(
            lambda world: world.catalogue.technicians,
            Page[office.Technician],
            views.technician,
            extra=_technician_filters,
        ),
    ),
    Route(
        "GET",
        f"/marketing/{_TENANT}/campaigns",
        _list(lambda world: world.catalogue.campaigns, Page[office.Campaign], views.campaign),
    ),
)
