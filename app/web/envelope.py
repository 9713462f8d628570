"""What every answer looks like: `{"success": true, "data"}`, or why not (contract section 5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from app.booking.events import FieldError
from app.booking.personal import HIDDEN, harmless, personal_key
from app.telemetry.masking import masked

# What a status is called in `error`, where nothing more precise is known.
NAMES: Mapping[int, str] = {
    400: "Validation Error",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    413: "Payload Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_LONGEST_VALUE = 200
# What routes ask for: numbers, times and words of our own.
_ASKED = frozenset({"startDate", "endDate", "limit", "cursor", "wait", "action", "Prefer", "Content-Length"})


class Problem(Exception):  # noqa: N818 - RFC 9457's word for it
    """The request is answered with this error; raised anywhere below the guard."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error: str | None = None,
        details: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        data: object = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error or NAMES.get(status, "Error")
        self.details = tuple(details)
        self.headers = dict(headers or {})
        self.data = data

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body; values of fields are masked where they are personal."""
        shown: dict[str, Any] = {
            "success": False,
            "error": self.error,
            "message": self.message,
            "details": [detail(each) for each in self.details],
        }
        return shown if self.data is None else {**shown, "data": self.data}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no error."""

    status: int
    data: object
    headers: Mapping[str, str] = field(default_factory=dict)


def detail(wrong: FieldError) -> dict[str, Any]:
    """One field's error, with its value as far as that is known to be nobody's."""
    return {"field": wrong.field, "message": wrong.message, "value": _echoed(wrong)}


def _echoed(wrong: FieldError) -> object:
    name = wrong.field.rpartition(".")[2]
    value = wrong.value if isinstance(wrong.value, (str, int, float, bool)) else None
    if value is None or isinstance(value, bool):
        return value
    kind = personal_key(name)
    if kind is not None:
        return kind.mask(str(value)[:_LONGEST_VALUE])
    if harmless(name, value) or name in _ASKED:
        return masked(value[:_LONGEST_VALUE] if isinstance(value, str) else value)
    return HIDDEN


def unavailable(message: str, *, seconds: int = 5) -> Problem:
    """503: come again in so many seconds."""
    return Problem(503, message, headers={"Retry-After": str(seconds)})


def json_response(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with this JSON."""
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )


def success(reply: Reply) -> web.Response:
    """The response for an answer that is no error."""
    return json_response(reply.status, {"success": True, "data": reply.data}, reply.headers)


def failure(problem: Problem) -> web.Response:
    """The response for an error."""
    return json_response(problem.status, problem.body, problem.headers)
