"""Jobs: book a visit, look jobs up, change them."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

from aiohttp import web
from faust.web import Blueprint

from app.booking.events import FieldError
from app.booking.report import instant
from app.booking.status import Status
from app.view.rows import BookingSeen
from app.web import answers, models
from app.web.asking import asked
from app.web.envelope import Problem, Reply, detail, success
from app.web.events import value_digest
from app.web.pages import ApiView
from app.web.requests import (
    Cursor,
    as_model,
    date_range,
    invalid,
    json_body,
    read_cursor,
    whole,
    whole_number,
)
from app.web.services import Services, services
from app.web.submission import Asked, book, change, require_view

api = Blueprint("jobs")


@api.route("/jobs", name="jobs")
class JobsView(ApiView):
    """GET and POST /jobs."""

    async def post(self, request: web.Request) -> web.Response:
        """Book a visit."""
        serving = services(request)
        data = json_body(request)
        require_view(serving)
        return success(await book(serving, data, asked(request, serving)))

    async def get(self, request: web.Request) -> web.Response:
        """Jobs by the date of their visit."""
        serving = services(request)
        start, end = date_range(request, serving.settings.business.time_zone)
        limit = whole_number(request, "limit", low=1, high=500, default=50)
        now = serving.clock()
        came = read_cursor(request, partitions=serving.view.partitions, now=now)
        began = round(now.timestamp() * 1000) if came is None else came.began
        require_view(serving)
        after = None if came is None else came.walk
        page = await serving.view.jobs_between(start, end, limit=limit, after=after)
        return success(
            Reply(
                200,
                {
                    "jobs": [answers.job(record) for record in page.records],
                    "next": None if page.following is None else str(Cursor(page.following, began)),
                    "limit": limit,
                    "totalCount": page.total,
                    "asOf": instant(serving.view.as_of or serving.clock()),
                },
            )
        )


@api.route("/jobs/batch", name="batch")
class BatchView(ApiView):
    """POST /jobs/batch."""

    async def post(self, request: web.Request) -> web.Response:
        """Book up to 100 visits; one that is wrong never spoils the rest."""
        serving = services(request)
        batch = as_model(models.Batch, json_body(request), parts_later=True)
        require_view(serving)
        came = asked(request, serving)
        first = _first_places(batch.bookings)
        results = await asyncio.gather(
            *(
                _entry(serving, booking, came, place, again=first.get(_id_of(booking), place) != place)
                for place, booking in enumerate(batch.bookings)
            )
        )
        rejected = sum("error" in result for result in results)
        data = {"results": results, "accepted": len(results) - rejected, "rejected": rejected}
        return success(Reply(207, data, came.preference.headers))


def _id_of(booking: dict[str, Any]) -> str | None:
    given = booking.get("bookingId")
    return given if isinstance(given, str) else None


def _first_places(bookings: tuple[dict[str, Any], ...]) -> dict[str | None, int]:
    """Where an id that stands there more than once stands first."""
    times = Counter(_id_of(booking) for booking in bookings)
    found: dict[str | None, int] = {}
    for place, booking in enumerate(bookings):
        given = _id_of(booking)
        if given is not None and times[given] > 1:
            found.setdefault(given, place)
    return found


async def _entry(
    serving: Services, booking: dict[str, Any], came: Asked, place: int, *, again: bool
) -> dict[str, Any]:
    try:
        if again:
            wrong = FieldError(field="bookingId", message="stands in this batch twice", value=_id_of(booking))
            raise invalid((wrong,))
        mine = replace(came, body=value_digest(booking))
        reply = await book(serving, booking, mine, place=place)
    except Problem as problem:
        return {
            "index": place,
            "status": problem.status,
            "error": problem.error,
            "message": problem.message,
            "details": [detail(each) for each in problem.details],
        }
    return {"index": place, "status": reply.status, "data": reply.data}


@api.route("/jobs/{jobId}", name="job")
class JobView(ApiView):
    """GET and DELETE /jobs/{jobId}."""

    async def get(self, request: web.Request, jobId: str) -> web.Response:  # noqa: N803 - as in the address
        """A job."""
        seen = await _job(services(request), jobId)
        return success(Reply(200, answers.job(seen.record)))

    async def delete(self, request: web.Request, jobId: str) -> web.Response:  # noqa: N803 - as in the address
        """Cancel a job."""
        serving = services(request)
        wanted = as_model(models.CancelRequest, _given(json_body(request, required=False)))
        seen = await _job(serving, jobId)
        data, came = {"reason": wanted.reason}, asked(request, serving)
        reply = await change(serving, seen, "booking.cancelled", data, came, wanted=Status.CANCELLED)
        return success(reply)


@api.route("/jobs/{jobId}/status", name="status")
class StatusView(ApiView):
    """PATCH /jobs/{jobId}/status."""

    async def patch(self, request: web.Request, jobId: str) -> web.Response:  # noqa: N803 - as in the address
        """Change a job's status."""
        serving = services(request)
        wanted = as_model(models.NewStatus, _given(json_body(request)))
        seen = await _job(serving, jobId)
        data = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
        came = asked(request, serving)
        return success(
            await change(serving, seen, "booking.status_changed", data, came, wanted=wanted.status)
        )


def _given(document: object) -> object:
    """A change's data without its nulls: absent and null are the default, as in an event."""
    if not isinstance(document, dict):
        return document
    return {name: value for name, value in document.items() if value is not None}


async def _job(serving: Services, job_id: str) -> BookingSeen:
    """The booking whose job it is; raises Problem 404, also for what is no number."""
    require_view(serving)
    number = whole(job_id)
    seen = None if number is None else await serving.view.booking_of_job(number)
    if seen is None:
        raise Problem(404, "there is no such job")
    return seen
