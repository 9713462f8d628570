"""Every address of the page, for the guard, which lets all in: the pages ask for a sign-in themselves.

Those under `/ops/api` are what the page and the command of this very version ask each other: they change with
them, so `/openapi.json` leaves out all of `/ops`.
"""

from app.booking.events import LARGEST_EVENT
from app.web.access import Access
from app.web.operations import Operation

_GET = (
    "/ops",
    "/ops/sign-in",
    "/ops/help",
    "/ops/shown/{word}",
    "/ops/stream",
    "/ops/static/{name}",
    "/ops/reasons/{reason}",
    "/ops/bookings",
    "/ops/bookings.csv",
    "/ops/bookings/{bookingId}",
    "/ops/bookings/{bookingId}/repair",
    "/ops/plans",
    "/ops/plans/{plan}",
    "/ops/actions",
    "/ops/webhooks",
)
_POST = (
    "/ops/sign-in",
    "/ops/sign-out",
    "/ops/reasons/{reason}/notes",
    "/ops/reasons/{reason}/close",
    "/ops/bookings",
    "/ops/bookings.csv",
    "/ops/bookings/{bookingId}",
    "/ops/bookings/{bookingId}/actions",
    "/ops/bookings/{bookingId}/repair",
    "/ops/plans",
    "/ops/plans/{plan}",
)


_API = (
    ("GET", "/ops/api/dead-letters", Access.READ),
    ("GET", "/ops/api/turned-away", Access.READ),
    ("POST", "/ops/api/turned-away", Access.ACT),
    ("GET", "/ops/api/bookings/{bookingId}", Access.READ),
    ("GET", "/ops/api/bookings/{bookingId}/repair", Access.ACT),
    ("POST", "/ops/api/plans", Access.ACT),
    ("GET", "/ops/api/plans/{plan}", Access.READ),
    ("POST", "/ops/api/plans/{plan}", Access.ACT),
)


def _page(method: str, path: str, access: Access = Access.OPEN) -> Operation:
    return Operation(
        method=method,
        path=path,
        access=access,
        summary="A page for people",
        answers={200: None},
        largest_body=LARGEST_EVENT,
        plain="text/html",
    )


PAGES: tuple[Operation, ...] = (
    *(_page("GET", path) for path in _GET),
    *(_page("POST", path) for path in _POST),
    *(_page(*one) for one in _API),
)
