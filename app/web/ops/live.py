"""Live pages: one stream of server-sent events per tab, ready HTML in each, at most once a second.

A stream begins with everything it is about, so one that was cut needs no memory of where it was.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from aiohttp import web
from faust.web import Blueprint

from app.booking.reasons import Reason
from app.view import finding
from app.view.view import ViewAway
from app.web.access import Denied
from app.web.connections import HEADERS
from app.web.envelope import Problem
from app.web.ops import booking, gathering, logs, plans
from app.web.ops.groups import reason_of
from app.web.ops.templates import render
from app.web.ops.visit import OpsView, Visit, require_no_other_site, who
from app.web.requests import moment

api = Blueprint("ops_live")

TICK_SECONDS = 1.0
MOST_STREAMS = 200
_MOST_NEWS = 100

Fragments: TypeAlias = Mapping[str, str]
"""HTML by the id of the element that it fills; `said` is a sentence to be read out."""


@dataclass(slots=True)
class Streams:
    """The open streams of this worker, and what they share."""

    ending: asyncio.Event = field(default_factory=asyncio.Event)
    open: int = 0
    shared: dict[tuple[str, bool], tuple[float, asyncio.Future[Fragments]]] = field(default_factory=dict)

    async def close(self, _: web.Application) -> None:
        """End all streams: the server waits for them."""
        self.ending.set()

    async def once(self, key: tuple[str, bool], make: Callable[[], Awaitable[Fragments]]) -> Fragments:
        """What was made for this key within the last tick, else made now: tabs share the work."""
        now = time.monotonic()
        made = self.shared.get(key)
        if made is None or now - made[0] >= TICK_SECONDS * 0.9:
            making = asyncio.ensure_future(make())
            # Who waited for it may have gone: then nobody asks how it ended.
            making.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            made = self.shared[key] = (now, making)
        return await asyncio.shield(made[1])


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


@api.route("/ops/stream", name="ops_stream")
class StreamView(OpsView):
    """GET /ops/stream."""

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Fragments of one page as they change, until the page goes."""
        require_no_other_site(request)
        visit, streams = self.visit(request), request.app[STREAMS]
        make = _source(visit, streams)
        if streams.open >= MOST_STREAMS:
            raise Problem(503, "Too many live pages are open on this worker.")
        answer = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await answer.prepare(request)
        streams.open += 1
        try:
            with contextlib.suppress(ConnectionError):
                await _write(answer, visit, streams, make)
        finally:
            streams.open -= 1
        return answer


async def _write(
    answer: web.StreamResponse, visit: Visit, streams: Streams, make: Callable[[], Awaitable[Fragments]]
) -> None:
    last: dict[str, str] = {}
    while not streams.ending.is_set() and not isinstance(who(visit.request, visit.serving), Denied):
        try:
            found = await make()
        except (ViewAway, Problem):
            found = _render(visit, {})
        changed = {name: text for name, text in found.items() if last.get(name) != text}
        last |= changed
        for name, text in changed.items():
            await answer.write(_event(name, text))
        await answer.write(_event("tick", "1"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(streams.ending.wait(), TICK_SECONDS)


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()


def _source(visit: Visit, streams: Streams) -> Callable[[], Awaitable[Fragments]]:
    """What makes the fragments of the page that the stream is for; raises Problem 400."""
    query = visit.request.query
    match query.get("of"):
        case "overview" | "plans" | "actions" | "webhooks" as page:
            return lambda: streams.once((page, visit.who.may_act), lambda: _SHARED[page](visit))
        case "booking":
            return lambda: _booking(visit, query.get("booking", ""), query.get("event", ""))
        case "plan":
            return lambda: _plan(visit, query.get("plan", ""))
        case "bookings":
            since = _since(query.get("since", ""))
            return lambda: _bookings(visit, since)
        case "reason":
            reason = reason_of(query.get("reason", ""))
            return lambda: _reason(visit, reason, query.get("shown", ""))
        case "page":
            return lambda: _page(visit)
        case _:
            raise Problem(400, "There is no such stream.")


def _since(text: str) -> datetime:
    found = moment(text)
    if found is None:
        raise Problem(400, "A list is of some time.")
    return found


def _render(visit: Visit, context: Mapping[str, Any], **templates: str) -> dict[str, str]:
    """Fragments by id, and what stands on every page."""
    now = Visit(request=visit.request, serving=visit.serving, who=visit.who, now=visit.serving.clock())
    whole = {**now.context(), **context}
    wanted = {"pulse": "pulse.html", "banners": "banners.html", **templates}
    return {name: render(template, **whole) for name, template in wanted.items()}


async def _page(visit: Visit) -> Fragments:
    return _render(visit, {})


async def _overview(visit: Visit) -> Fragments:
    context = {**await gathering.overview(visit.serving), **await gathering.latest(visit.serving)}
    found = _render(
        visit,
        context,
        strip="strip.html",
        charts="charts.html",
        groups="groups.html",
        latest="bookings_table.html",
    )
    number = context["glance"].attention
    needs = "booking needs" if number == 1 else "bookings need"
    return {**found, "said": f"{number or 'No'} {needs} attention."}


async def _plans(visit: Visit) -> Fragments:
    return _render(visit, await plans.latest(visit.serving), plans="plans_table.html")


async def _actions(visit: Visit) -> Fragments:
    return _render(visit, await logs.actions(visit.serving), acts="acts.html")


async def _webhooks(visit: Visit) -> Fragments:
    return _render(visit, await logs.webhooks(visit.serving), hooks="webhooks_table.html")


_SHARED: Mapping[str, Callable[[Visit], Awaitable[Fragments]]] = {
    "overview": _overview,
    "plans": _plans,
    "actions": _actions,
    "webhooks": _webhooks,
}


async def _booking(visit: Visit, booking_id: str, acted: str) -> Fragments:
    found = await booking.whole(visit.serving, booking_id)
    context = await booking.shown(visit, found, acted=acted)
    return _render(
        visit,
        context,
        booking="booking_state.html",
        facts="booking_facts.html",
        job="job.html",
        timeline="timeline.html",
        letters="booking_letters.html",
    )


async def _plan(visit: Visit, name: str) -> Fragments:
    return _render(visit, await plans.plan_context(visit.serving, name, begun="1"), plan="plan_state.html")


async def _bookings(visit: Visit, since: datetime) -> Fragments:
    news = await visit.serving.view.ask(finding.changed_since, since, limit=_MOST_NEWS)
    told = f"{news}{'+' if news >= _MOST_NEWS else ''} changed" if news else ""
    return _render(visit, {"told": told}, news="news.html")


async def _reason(visit: Visit, reason: Reason, shown: str) -> Fragments:
    bookings, events = await gathering.waiting(visit.serving, reason)
    told = "" if shown == f"{bookings}-{events}" else f"{bookings} bookings and {events} other events by now"
    return _render(visit, {"told": told}, news="news.html")
