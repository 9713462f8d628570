"""Webhooks in: verified, understood as far as to know the job, and answered once Kafka has them."""

from collections.abc import Iterator
from datetime import timedelta

from aiohttp import web
from faust.web import Blueprint

from app.servicetitan.webhooks import JobReport, Unreadable, read_webhook
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
_LONGEST_NAME = 100
_MOST_NAMES = 50
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
        "x-occurrence",
    }
)


@api.route("/webhook", name="webhook")
class WebhookView(ApiView):
    """POST /webhook."""

    async def post(self, request: web.Request) -> web.Response:
        """Take a webhook: 200 once Kafka has it, also when it came before or its job is not ours."""
        serving = services(request)
        verified_by = _verified(serving, request)
        json_body(request)
        body = request[BODY]
        report = read_webhook(body, serving.clock())
        if isinstance(report, Unreadable):
            raise Problem(400, report.detail)
        job_id = report.job_id if isinstance(report, JobReport) else None
        occurrence = report.occurrence if isinstance(report, JobReport) else ""
        made = Made(
            key=b"" if job_id is None else str(job_id).encode(),
            value=body,
            event_id="",
            digest="",
            headers=tuple(_headers(request, verified_by, occurrence)),
        )
        await send(serving, serving.topics.webhooks, made)
        # One of the vendor's pages counts anything but 200 as failed.
        return success(Reply(200, {"jobId": job_id, "verifiedBy": verified_by}))


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
            # By the names one sees under which header a sender signs; the values open doors.
            names = sorted({name[:_LONGEST_NAME] for name in named})[:_MOST_NAMES]
            _log.warning("webhook refused", why=verdict.why, remote=request.remote, headers=names)
            raise Problem(401, verdict.why)


def _headers(request: web.Request, verified_by: str, occurrence: str) -> Iterator[tuple[str, bytes]]:
    """The webhook's own headers, by which secret it was verified, and what it is an occurrence of."""
    for name, value in request.headers.items():
        if name.lower() not in _LEFT_OUT:
            yield name.lower(), value.encode("utf-8", "replace")[:_MOST_OF_A_HEADER]
    yield "x-verified-by", verified_by.encode()
    yield "x-occurrence", occurrence.encode("utf-8", "replace")
