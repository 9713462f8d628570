"""A request for a page: who asks, what was sent, and the page that answers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote

from aiohttp import web
from faust.web import View

from app.telemetry.log import get_logger
from app.view.view import ViewAway
from app.web.access import Denied, Doors, doors, is_a_key, sent_by_another_site
from app.web.envelope import Problem
from app.web.guard import BODY, host_of
from app.web.ops.masks import label
from app.web.ops.session import COOKIE, SignIns, Visitor, is_from_our_page, visitor
from app.web.ops.shown import Sent, lead_to, what_was_sent
from app.web.ops.standing import Standing, standing
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
_AGAIN: web.RequestKey[Sent] = web.RequestKey("again", Sent)
_TITLES = {404: "Not there", 409: "Not done", 410: "No longer kept", 422: "Not sent", 503: "Not done"}
_MAY_SEND = frozenset({400, 422, 503})
"""What can be sent again as it was or with another word; what has changed meanwhile has to be looked at."""
_HIDDEN = frozenset(
    {
        "event",
        "action",
        "sure",
        "step",
        "kind",
        "reason",
        "scope",
        "until",
        "total",
        "booking",
        "letter",
        "scheduledDate.was",
    }
)
_ACT = re.compile(r"/(actions|repair|notes|close)$")
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

    @property
    def again(self) -> Sent | None:
        """The POST whose page is only shown again: nothing may be done for it."""
        return self.request.get(_AGAIN)

    def sending(self) -> None:
        """Called before anything is done; raises Problem 409 where a page is only shown again."""
        if self.again is not None:
            raise Problem(409, "Nothing was sent yet. Look at it again, and send it.")

    def page(self, template: str, *, status: int = 200, **context: Any) -> web.Response:  # noqa: ANN401 - a template's own
        """A page made from a template."""
        text = render(template, **self.context(), **context)
        return html(text, status)

    @property
    def stands(self) -> Standing:
        """How everything stands."""
        return standing(self.serving, Times(self.now, self.serving.settings.business.time_zone))

    def context(self) -> dict[str, Any]:
        """What every template may use."""
        times, stands = Times(self.now, self.serving.settings.business.time_zone), self.stands
        return {
            "who": self.who,
            "may_act": self.who.may_act and not stands.acts_off,
            "may_not": stands.acts_off if self.who.may_act else "Your key may read, not act.",
            "t": times,
            "mode": self.serving.settings.mode.value,
            "stream": self.serving.stream(),
            "stands": stands,
            "here": self.request.rel_url.path if self.again is None else self.again.path,
        }


def form_of(request: web.Request) -> Mapping[str, list[str]]:
    """The fields of the form that was sent; raises Problem 400 and 415 when it is none."""
    if _AGAIN not in request and request.content_type != "application/x-www-form-urlencoded":
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

    def __init_subclass__(cls) -> None:
        """Pages are found by name when they are shown again."""
        _VIEWS[cls.__name__] = cls

    async def dispatch(self, request: Any) -> Any:  # noqa: ANN401 - Faust's signature
        """Admit, then answer; errors are pages too, and what a POST shows gets an address of its own."""
        serving = services(request)
        found = who(request, serving)
        if request.method == "POST":
            try:
                require_our_page(request)
            except Problem as problem:
                return _error(request, serving, found, problem)
        if isinstance(found, Denied):
            return _turned_away(request, found)
        try:
            answer = await super().dispatch(request)
        except Problem as wrong:
            return self._led(request, found, _error(request, serving, found, wrong), wrong)
        except ViewAway:
            return self._led(request, found, _error(request, serving, found, _VIEW_AWAY), _VIEW_AWAY)
        return self._led(request, found, answer)

    def _led(
        self, request: web.Request, found: Visitor, answer: web.Response, problem: Problem | None = None
    ) -> web.Response:
        """What a browser's POST shows is asked for by a GET; a program gets its answer at once."""
        is_page = answer.content_type == "text/html" and answer.status != 303
        if request.method != "POST" or not is_page or is_a_key(request.headers.get("Authorization", "")):
            return answer
        try:
            form = request[BODY].decode()
        except UnicodeDecodeError:
            return answer
        sent = Sent(
            by=found.name,
            view=type(self).__name__,
            path=request.rel_url.raw_path,
            parameters=dict(request.match_info),
            form=form,
            problem=None if problem is None else (problem.status, problem.error, problem.message),
        )
        serving = services(request)
        return lead_to(sent, _doors(serving), serving.clock(), secure=is_secure(request)) or answer

    def visit(self, request: web.Request) -> Visit:
        """The request of somebody who was admitted."""
        serving = services(request)
        found = who(request, serving)
        if isinstance(found, Denied):
            raise Problem(401, str(found))
        return Visit(request=request, serving=serving, who=found, now=serving.clock())

    def acting(self, request: web.Request) -> Visit:
        """The same of somebody who may act; raises Problem 403, and 503 while nobody can."""
        visit = self.visit(request)
        if not visit.who.may_act:
            raise Problem(403, "Your key may read, not act. Sign in with an act key.")
        if off := visit.stands.acts_off:
            raise Problem(503, f"Nothing was done. {off}")
        return visit


_VIEWS: dict[str, type[OpsView]] = {}


async def show_again(view: OpsView, request: web.Request) -> web.Response:
    """The page that a POST led to; raises Problem 410 when it is no longer kept."""
    visit = view.visit(request)
    sent = what_was_sent(request.cookies, _doors(visit.serving), visit.now)
    page = None if sent is None or sent.by != visit.who.name else _VIEWS.get(sent.view)
    if sent is None or page is None:
        raise Problem(410, "This page was kept for ten minutes. Nothing was sent; look it up again.")
    request[BODY], request[_AGAIN] = sent.form.encode(), sent
    if sent.problem is not None:
        raise Problem(sent.problem[0], sent.problem[2], error=sent.problem[1])
    post: Callable[..., Awaitable[web.Response]] = page(view.app, view.web).post
    return await post(request, **sent.parameters)


def _doors(serving: Services) -> Doors:
    return doors(serving.settings.api_read_keys, serving.settings.api_act_keys)


def is_secure(request: web.Request) -> bool:
    """Whether the browser's connection is encrypted, here or at the proxy."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def who(request: web.Request, serving: Services) -> Visitor | Denied:
    """Who asks."""
    cookie = request.cookies.get(COOKIE)
    return visitor(
        _doors(serving),
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
    path = request.rel_url.raw_path if visit.again is None else visit.again.path
    sent: Mapping[str, list[str]] = {}
    if visit.again is not None or request.method == "POST":
        with suppress(Problem):
            sent = visit.form
    hidden = _HIDDEN - {"reason"} if path.endswith("/repair") else _HIDDEN
    return visit.page(
        "error.html",
        status=problem.status,
        title=_TITLES.get(problem.status, problem.error),
        text=problem.message,
        path=path,
        back=_ACT.sub("", path),
        hidden={name: values for name, values in sent.items() if name in hidden},
        typed=[(name, label(name), values[0]) for name, values in sent.items() if name not in hidden],
        may_send=problem.status in _MAY_SEND,
    )
