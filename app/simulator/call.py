"""One call and its answer, apart from any socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import ValidationError

from app.servicetitan.wire.base import Wire
from app.servicetitan.wire.envelope import ErrorBody, Page
from app.simulator.query import Query, Slice
from app.simulator.state.records import Refusal
from app.simulator.state.world import World

W = TypeVar("W", bound=Wire)
R = TypeVar("R")

JSON = "application/json; charset=utf-8"

UNTRACED = b"00-untraced-00"
"""The trace id of a refusal that is not on its way yet."""

_TYPES = {
    400: "https://tools.ietf.org/html/rfc7231#section-6.5.1",
    401: "https://tools.ietf.org/html/rfc7235#section-3.1",
    403: "https://tools.ietf.org/html/rfc7231#section-6.5.3",
    404: "https://tools.ietf.org/html/rfc7231#section-6.5.4",
    409: "https://tools.ietf.org/html/rfc7231#section-6.5.8",
    429: "https://tools.ietf.org/html/rfc6585#section-4",
}
_SERVER_ERROR = "https://tools.ietf.org/html/rfc7231#section-6.6.1"


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint sees: path parameters, query, body."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Query = field(default_factory=lambda: Query({}))
    body: bytes = b""

    @property
    def guid(self) -> str | None:
        """The application whose external data is wanted."""
        return self.query.text("externalDataApplicationGuid")

    def id(self, name: str = "id") -> int:
        """An id of the path; 0, which is nobody's, when it is no number."""
        text = self.path.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body, headers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


Endpoint = Callable[[World, Call], Answer]
Pace = Literal["query", "create", "status", "cancel", "token"]
"""Which of the seed's delays an endpoint has."""


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and where it is: the path has `{id}` for a parameter."""

    method: str
    path: str
    endpoint: Endpoint
    pace: Pace = "query"


EMPTY = Answer()
"""200 with an empty body: how cancel, hold, complete and their like answer."""


def answer(model: Wire | Refusal) -> Answer:
    """A 200 with the model, or the refusal."""
    if isinstance(model, Refusal):
        return refuse(model)
    return Answer(body=model.answer())


def empty(refusal: Refusal | None) -> Answer:
    """An empty 200, or the refusal."""
    return EMPTY if refusal is None else refuse(refusal)


def refuse(refusal: Refusal, *, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal with the RFC 7807 body; its trace id is set when it is sent."""
    body = ErrorBody(
        type=_TYPES.get(refusal.status, _SERVER_ERROR),
        title=refusal.title,
        status=refusal.status,
        trace_id=UNTRACED.decode(),
        errors=refusal.errors,
    )
    return Answer(refusal.status, body.answer(), headers or {})


def not_found(kind: str, row_id: object) -> Answer:
    """404 for an id nobody has."""
    text = f"{kind} with id {row_id} was not found."
    return refuse(Refusal(404, text, {"id": [text]}))


def page(found: Slice[R] | Refusal, kind: type[Page[W]], show: Callable[[R], W]) -> Answer:
    """A page of rows, each shown by `show`, or the refusal."""
    if isinstance(found, Refusal):
        return refuse(found)
    return answer(
        kind(
            page=found.page,
            page_size=found.page_size,
            has_more=found.has_more,
            total_count=found.total,
            data=tuple(show(row) for row in found.rows),
        )
    )


def read(call: Call, kind: type[W]) -> W | Refusal:
    """The body as a model, or a 400 that names each bad field."""
    try:
        return kind.read(call.body or b"{}")
    except ValidationError as error:
        errors: dict[str, list[str]] = {}
        for item in error.errors(include_url=False, include_input=False):
            errors.setdefault(".".join(map(str, item["loc"])), []).append(item["msg"])
        return Refusal(400, "One or more validation errors occurred.", errors)
