"""The overview: the strip, the charts, what needs attention, the latest bookings."""

from aiohttp import web
from faust.web import Blueprint

from app.web.ops import gathering
from app.web.ops.visit import OpsView

api = Blueprint("ops_overview")
_FASTEST_REFRESH, _SLOWEST_REFRESH = 2, 600


@api.route("/ops", name="ops_overview")
class OverviewView(OpsView):
    """GET /ops."""

    async def get(self, request: web.Request) -> web.Response:
        """All at a glance; with `?refresh=5` the browser asks again by itself."""
        visit = self.visit(request)
        serving = visit.serving
        page = visit.page(
            "overview.html",
            **await gathering.overview(serving),
            **await gathering.latest(serving),
            running=await gathering.running(serving),
        )
        refresh = request.query.get("refresh", "")
        if refresh.isdecimal() and _FASTEST_REFRESH <= int(refresh[:4]) <= _SLOWEST_REFRESH:
            page.headers["Refresh"] = refresh
        return page
