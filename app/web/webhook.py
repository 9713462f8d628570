"""Webhooks in: verified, understood as far as to know the job, and answered once Kafka has them."""

from collections.abc import Iterator
from datetime import timedelta

from aiohttp import web
from faust.web import Blueprint

from app.servicetitan.webhooks import JobReport, NotAboutAJob, Unreadable, read_webhook
from app.setting_types import Mode
from app.telemetry.log import get_logger
from app.web.envelope import Problem, Reply, success, unavailable
from app.web.events import Made
from app.web.guard import BODY
from app.web.pages import ApiView
from app.web.requests import json_body
from app.web.services import Services, services
from app.web.signature import Forged, Scheme, Verified, verify
from app.web.submission import send

_log = get_logger(__name__)

api = Blueprint("webhook")

UNSIGNED = "unsigned"
_MOST_OF_A_HEADER = 1024
# Not passed on: what opens doors here, and what is about this connection alone.
_LEFT_OUT = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "host",
        "connection",
        "content-length",
        "x-verified-by",
    }
)


@api.route("/webhook", name="webhook")
class WebhookView(ApiView):
    """POST /webhook."""

    async def post(self, request: web.Request) -> web.Response:
        """Take a webhook: 202 once Kafka has it, also when it came before or its job is not ours."""
        serving = services(request)
        verified_by = _verified(serving, request)
        json_body(request)
        body = request[BODY]
        report = read_webhook(body, serving.clock())
        match report:
            case Unreadable():
                raise Problem(400, report.detail)
            case NotAboutAJob():
                _log.info("webhook left alone", event_type=report.event)
                return success(Reply(202, {"jobId": None, "verifiedBy": verified_by}))
            case JobReport():
                made = Made(
                    key=str(report.job_id).encode(),
                    value=body,
                    event_id="",
                    digest="",
                    headers=tuple(_headers(request, verified_by)),
                )
                await send(serving, serving.topics.webhooks, made)
                return success(Reply(202, {"jobId": report.job_id, "verifiedBy": verified_by}))


def _verified(serving: Services, request: web.Request) -> str:
    """By which secret it is signed. Raises Problem: 401 when by none, 503 when there is no secret."""
    settings = serving.settings
    secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
    if not secrets:
        if settings.mode is Mode.SIMULATION:
            return UNSIGNED
        raise unavailable("webhooks are not taken: WEBHOOK_SECRETS is not set", seconds=300)
    scheme = Scheme(
        header=settings.webhook_signature_header,
        encoding=settings.webhook_signature_encoding,
        tolerance=timedelta(seconds=settings.webhook_tolerance_seconds),
    )
    named = {name.lower(): value for name, value in request.headers.items()}
    verdict = verify(request[BODY], named, secrets, scheme, serving.clock())
    match verdict:
        case Verified():
            return verdict.by
        case Forged():
            _log.warning("webhook refused", why=verdict.why, remote=request.remote)
            raise Problem(401, verdict.why)


def _headers(request: web.Request, verified_by: str) -> Iterator[tuple[str, bytes]]:
    """The webhook's own headers, and by which secret it was verified."""
    for name, value in request.headers.items():
        if name.lower() not in _LEFT_OUT:
            yield name.lower(), value.encode("utf-8", "replace")[:_MOST_OF_A_HEADER]
    yield "x-verified-by", verified_by.encode()
