"""GET /metrics, for Prometheus."""

from aiohttp import web
from faust.web import Blueprint

from app.telemetry.metrics import CONTENT_TYPE
from app.web.pages import ApiView
from app.web.services import services

api = Blueprint("metrics")


@api.route("/metrics", name="metrics")
class MetricsView(ApiView):
    """GET /metrics."""

    async def get(self, request: web.Request) -> web.Response:
        """Every metric of this worker, as of now, in Prometheus' text format."""
        body = await services(request).metrics()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
