"""The API's description: valid, frozen, and true of what is served."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.business_file import load_business
from app.web.access import Access
from app.web.install import API, OUTSIDE
from app.web.openapi import description, frozen
from app.web.operations import OPERATIONS, PREFIX
from app.web.ops.addresses import PAGES
from app.web.pages import BOOKING_ID

if TYPE_CHECKING:
    from tests.support.web import Served

FROZEN = Path(__file__).parents[3] / "schemas" / "openapi.json"


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(description(load_business().problems)).validate()


def test_it_is_frozen() -> None:
    assert FROZEN.read_bytes() == frozen(), (
        "the API has changed: if it was meant to, write schemas/openapi.json anew with "
        "app.web.openapi.frozen(), and say so in the changelog"
    )


async def test_it_is_served(served: Served) -> None:
    found, body, _ = await served.ask("GET", "/openapi.json", api=False)
    assert (found, body) == (200, orjson.loads(frozen()))


def test_every_view_is_described_and_nothing_else() -> None:
    """A route that is not among the operations would be answered 404 by the guard."""
    routes = {f"{PREFIX}{route.uri}" for blueprint in API for route in blueprint.routes}
    routes |= {route.uri for blueprint in OUTSIDE for route in blueprint.routes}
    routes = {uri.replace(BOOKING_ID, "{bookingId}") for uri in routes}
    described = {operation.path for operation in OPERATIONS}
    assert routes >= described
    assert {path for path in routes if path.startswith(PREFIX)} <= described


def test_what_only_the_page_and_the_command_use_is_not_described() -> None:
    """They change with the version; whatever is under `/ops/api` needs a key all the same."""
    described = description(load_business().problems)["paths"]
    assert [path for path in described if path.startswith("/ops")] == []
    theirs = [page for page in PAGES if page.path.startswith("/ops/api/")]
    assert theirs
    assert {page.access for page in theirs} <= {Access.READ, Access.ACT}


def test_the_contracts_routes_are_all_there() -> None:
    expected = {
        ("GET", "/health", Access.OPEN),
        ("GET", "/auth/test", Access.READ),
        ("POST", "/jobs", Access.ACT),
        ("POST", "/jobs/batch", Access.ACT),
        ("GET", "/jobs/{jobId}", Access.READ),
        ("GET", "/bookings/{bookingId}", Access.READ),
        ("POST", "/bookings/{bookingId}/actions", Access.ACT),
        ("GET", "/jobs", Access.READ),
        ("PATCH", "/jobs/{jobId}/status", Access.ACT),
        ("DELETE", "/jobs/{jobId}", Access.ACT),
        ("POST", "/webhook", Access.SIGNED),
    }
    ours = {
        (one.method, one.path.removeprefix(PREFIX), one.access)
        for one in OPERATIONS
        if one.path.startswith(PREFIX)
    }
    assert ours == expected
