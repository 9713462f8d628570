"""What the command line asks of a worker about one booking: what the booking's page offers, as JSON."""

from typing import Any

from aiohttp import web
from faust.web import Blueprint

from app.booking.report import instant
from app.web.envelope import Reply, success
from app.web.guard import CALLER
from app.web.ops.booking import data_of, repairable, whole, write_down
from app.web.ops.failures import Failure
from app.web.pages import BOOKING_ID, ApiView
from app.web.services import services
from app.web.submission import require_view

api = Blueprint("ops_api_booking")


@api.route(f"/ops/api/bookings/{BOOKING_ID}", name="ops_api_booking")
class OfferedView(ApiView):
    """GET /ops/api/bookings/{bookingId}."""

    async def get(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """What of the booking failed, and what may be done about it; also of one that was never made."""
        serving = services(request)
        require_view(serving)
        found = await whole(serving, bookingId)
        state = None if found.record is None else found.record.state.value
        failures = [_failure(one) for one in found.failures]
        return success(Reply(200, {"bookingId": bookingId, "state": state, "failures": failures}))


@api.route(f"/ops/api/bookings/{BOOKING_ID}/repair", name="ops_api_repair")
class RepairView(ApiView):
    """GET /ops/api/bookings/{bookingId}/repair."""

    async def get(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """The data to be repaired, as the page's form has it; who saw it is written down."""
        serving = services(request)
        require_view(serving)
        found = await whole(serving, bookingId)
        failure = await repairable(serving, found, request.query.get("event", ""))
        await write_down(serving, found, request[CALLER].name, "personal data shown for a repair")
        data = dict(await data_of(serving, found, failure))
        return success(Reply(200, {"event": failure.event_id, "type": failure.type, "data": data}))


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "event": failure.event_id,
        "type": failure.type,
        "reason": failure.reason.value,
        "detail": failure.detail,
        "attempts": failure.attempts,
        "at": instant(failure.at),
        "inLane": failure.in_lane,
        "acts": list(failure.acts),
    }
