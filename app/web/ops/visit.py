"""A request for a page: who asks, what was sent, and the page that answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote

from aiohttp import web
from faust.web import View

from app.telemetry.log import get_logger
from app.view.view import ViewAway
from app.web.access import Denied, doors, sent_by_another_site
from app.web.envelope import Problem
from app.web.guard import BODY, host_of
from app.web.ops.session import COOKIE, SignIns, Visitor, is_from_our_page, visitor
from app.web.ops.standing import standing
from app.web.ops.templates import render
from app.web.ops.words import Times
from app.web.services import Services, services

_log = get_logger(__name__)

SIGN_IN = "/ops/sign-in"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MOST_FIELDS = 2000
_VIEW_AWAY = Problem(503, "The view is being made anew. This takes a moment; try again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request by somebody who may see the page."""

    request: web.Request
    serving: Services
    who: Visitor
    now: datetime

    @property
    def form(self) -> Mapping[str, list[str]]:
        """The fields of the form that was sent."""
        return form_of(self.request)

    def field(self, name: str) -> str:
        """The first value of a form's field, empty without one."""
        return self.form.get(name, [""])[0].strip()

    def page(self, template: str, *, status: int = 200, **context: Any) -> web.Response:  # noqa: ANN401 - a template's own
        """A page made from a template."""
        text = render(template, **self.context(), **context)
        return html(text, status)

    def context(self) -> dict[str, Any]:
        """What every template may use."""
        times = Times(self.now, self.serving.settings.business.time_zone)
        stands = standing(self.serving, times)
        return {
            "who": self.who,
            "may_act": self.who.may_act and not stands.acts_off,
            "may_not": stands.acts_off if self.who.may_act else "Your key may read, not act.",
            "t": times,
            "mode": self.serving.settings.mode.value,
            "stream": self.serving.stream(),
            "stands": stands,
            "here": self.request.rel_url.path,
        }


def form_of(request: web.Request) -> Mapping[str, list[str]]:
    """The fields of the form that was sent; raises Problem 400 and 415 when it is none."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Problem(415, "a form is wanted here")
    try:
        return parse_qs(
            request[BODY].decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise Problem(400, "the form cannot be read") from None


def html(text: str, status: int = 200) -> web.Response:
    """A page."""
    return web.Response(
        text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": POLICY}
    )


def go_to(path: str) -> web.Response:
    """The browser shall get that page."""
    return web.Response(status=303, headers={"Location": path})


def booking_path(booking_id: str) -> str:
    """The address of a booking's page."""
    return f"/ops/bookings/{quote(booking_id, safe='')}"


class OpsView(View):
    """The base of all pages: nobody gets past it without having signed in, and no other site can post."""

    async def dispatch(self, request: Any) -> Any:  # noqa: ANN401 - Faust's signature
        """Admit, then answer; errors are pages too."""
        serving = services(request)
        found = who(request, serving)
        try:
            if request.method == "POST":
                require_our_page(request)
            if isinstance(found, Denied):
                return _turned_away(request, found)
            return await super().dispatch(request)
        except Problem as problem:
            return _error(request, serving, found, problem)
        except ViewAway:
            return _error(request, serving, found, _VIEW_AWAY)

    def visit(self, request: web.Request) -> Visit:
        """The request of somebody who was admitted."""
        serving = services(request)
        found = who(request, serving)
        if isinstance(found, Denied):
            raise Problem(401, str(found))
        return Visit(request=request, serving=serving, who=found, now=serving.clock())

    def acting(self, request: web.Request) -> Visit:
        """The same of somebody who may act; raises Problem 403."""
        visit = self.visit(request)
        if not visit.who.may_act:
            raise Problem(403, "Your key may read, not act. Sign in with an act key.")
        return visit


def who(request: web.Request, serving: Services) -> Visitor | Denied:
    """Who asks."""
    settings = serving.settings
    cookie = request.cookies.get(COOKIE)
    return visitor(
        doors(settings.api_read_keys, settings.api_act_keys),
        cookie=None if request.app[SIGN_INS].is_over(cookie) else cookie,
        authorization=request.headers.get("Authorization"),
        remote=request.remote,
        host=host_of(request),
        now=serving.clock(),
    )


SIGN_INS: web.AppKey[SignIns] = web.AppKey("sign_ins", SignIns)


def require_no_other_site(request: web.Request) -> None:
    """Raises Problem 403 for a GET that does something and was sent by a page of another site."""
    if sent_by_another_site(request.headers, request.host):
        raise Problem(403, "Another site's page asked for this. Open it from here.")


def require_our_page(request: web.Request) -> None:
    """Raises Problem 403 for a form that another site sent."""
    if not is_from_our_page(request.headers, request.host):
        raise Problem(403, "This form was not sent from this page.")


def _turned_away(request: web.Request, denied: Denied) -> web.Response:
    if denied is Denied.NOT_LOCAL:
        text = "No keys are set, so only this machine is answered. API_ACT_KEYS opens the page."
        return html(render("error.html", title="Not from here", text=text, who=None), 403)
    if request.method != "GET":
        return go_to(SIGN_IN)
    back = request.rel_url.path
    return go_to(f"{SIGN_IN}?to={quote(back, safe='/')}")


def _error(
    request: web.Request, serving: Services, found: Visitor | Denied, problem: Problem
) -> web.Response:
    if isinstance(found, Denied):
        return html(render("error.html", title=problem.error, text=problem.message, who=None), problem.status)
    visit = Visit(request=request, serving=serving, who=found, now=serving.clock())
    return visit.page("error.html", status=problem.status, title=problem.error, text=problem.message)
