"""What every view does with its request before anything else."""

from aiohttp import web

from app.web.events import body_digest
from app.web.guard import BODY
from app.web.requests import idempotency_key, preference
from app.web.services import Services
from app.web.submission import Asked


def asked(request: web.Request, services: Services) -> Asked:
    """What came with the request beside its body."""
    return Asked(
        path=request.path,
        key=idempotency_key(request),
        body=body_digest(request[BODY]),
        preference=preference(request, services.settings.web_wait_seconds),
        traceparent=request.headers.get("traceparent"),
    )
