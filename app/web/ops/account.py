"""Signing in and out, the page's files, and its help."""

import hashlib
import mimetypes
import re
from uuid import uuid4

from aiohttp import web
from faust.web import Blueprint

from app.booking.identity import Identity
from app.stream.codec import SOURCE, encode_session_ended
from app.telemetry.log import get_logger
from app.web.access import Denied, doors
from app.web.envelope import Problem
from app.web.events import Made
from app.web.ops.session import COOKIE, LASTS, TRIES_LAST, session_of, sign_in
from app.web.ops.templates import STATIC, render
from app.web.ops.visit import (
    SIGN_IN,
    SIGN_INS,
    OpsView,
    form_of,
    go_to,
    html,
    is_secure,
    require_our_page,
    show_again,
    who,
)
from app.web.pages import ApiView
from app.web.services import services
from app.web.submission import send

api = Blueprint("ops_account")
_log = get_logger(__name__)

# Only a path of this page: an address with a host of its own would lead away, a line's end begin a header.
_OURS = re.compile(r"/ops(/[^\x00-\x1f\x7f]*)?")


_FILES = {file.name: file for file in STATIC.iterdir() if file.suffix in {".css", ".js", ".svg"}}


@api.route(SIGN_IN, name="ops_sign_in")
class SignInView(ApiView):
    """GET and POST /ops/sign-in."""

    async def get(self, request: web.Request) -> web.Response:
        """The form."""
        if not isinstance(who(request, services(request)), Denied):
            return go_to("/ops")
        return _form(request.query.get("to", "/ops"), wrong=False)

    async def post(self, request: web.Request) -> web.Response:
        """A key becomes a cookie."""
        require_our_page(request)
        form, serving, tries = form_of(request), services(request), request.app[SIGN_INS]
        address = request.remote or ""
        if tries.too_many(address, serving.clock()):
            _log.warning("too many sign-ins with an unknown key", remote=address)
            return _form(form.get("to", ["/ops"])[0], wrong=True, status=429)
        to = form.get("to", ["/ops"])[0]
        keys = doors(serving.settings.api_read_keys, serving.settings.api_act_keys)
        cookie = sign_in(keys, form.get("key", [""])[0].strip(), serving.clock())
        if cookie is None:
            tries.was_wrong(address, serving.clock())
            _log.warning("a sign-in with an unknown key", remote=address)
            return _form(to, wrong=True, status=401)
        answer = go_to(to if _OURS.fullmatch(to) else "/ops")
        answer.set_cookie(
            COOKIE,
            cookie,
            path="/ops",
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="Lax",
            secure=is_secure(request),
        )
        return answer


def _form(to: str, *, wrong: bool, status: int = 200) -> web.Response:
    answer = html(render("sign_in.html", who=None, to=to, wrong=wrong, wait=status == 429), status)
    if status == 429:
        answer.headers["Retry-After"] = str(int(TRIES_LAST.total_seconds()))
    return answer


@api.route("/ops/sign-out", name="ops_sign_out")
class SignOutView(OpsView):
    """POST /ops/sign-out."""

    async def post(self, request: web.Request) -> web.Response:
        """The cookie goes, and is void wherever a copy of it is. Raises Problem 503 when Kafka is away."""
        if cookie := request.cookies.get(COOKIE):
            await _end(request, session_of(cookie))
        answer = go_to(SIGN_IN)
        answer.del_cookie(COOKIE, path="/ops")
        return answer


async def _end(request: web.Request, session: str) -> None:
    serving = services(request)
    made_id, now = str(uuid4()), serving.clock()
    value = encode_session_ended(session, until=now + LASTS, event_id=made_id, now=now)
    digest = Identity(source=SOURCE, id=made_id).digest()
    made = Made(key=session.encode(), value=value, event_id=made_id, digest=digest)
    await send(serving, serving.topics.signals, made)
    request.app[SIGN_INS].over |= {session}


@api.route("/ops/shown/{word}", name="ops_shown")
class ShownView(OpsView):
    """GET /ops/shown/{word}."""

    async def get(self, request: web.Request, word: str) -> web.Response:  # noqa: ARG002 - Faust's signature
        """What a POST led to."""
        return await show_again(self, request)


@api.route("/ops/help", name="ops_help")
class HelpView(OpsView):
    """GET /ops/help."""

    async def get(self, request: web.Request) -> web.Response:
        """What words and keys mean."""
        return self.visit(request).page("help.html")


@api.route("/ops/static/{name}", name="ops_static")
class StaticView(ApiView):
    """GET /ops/static/{name}."""

    async def get(self, request: web.Request, name: str) -> web.Response:
        """A file of the page, 304 when the browser has it; its address changes with it, so it may be kept."""
        file = _FILES.get(name)
        if file is None:
            raise Problem(404, "there is no such file")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        body = file.read_bytes()
        answer = web.Response(content_type=kind, charset="utf-8")
        answer.headers["Cache-Control"] = "public, max-age=86400"
        answer.etag = digest = hashlib.sha256(body).hexdigest()
        if any(tag.value == digest for tag in request.if_none_match or ()):
            answer.set_status(304)
        else:
            answer.body = body
        return answer
