"""Faust's views, as this API uses them: answers are replies, errors are left to the guard."""

from typing import Any

from aiohttp import web
from faust.web import View
from faust.web.exceptions import WebError

from app.web.envelope import Problem

BOOKING_ID = "{bookingId:[^/]+}"
"""A booking's id in a route: without a pattern of its own aiohttp takes none with a brace in it."""


class ApiView(View):
    """The base of all views."""

    async def on_request_error(self, request: Any, exc: WebError) -> Any:  # noqa: ANN401, ARG002 - Faust's signature
        """Faust's own errors: no method of ours raises them, and the guard asks for no other method."""
        raise Problem(exc.code, "the request cannot be answered")


Request = web.Request
