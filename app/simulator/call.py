"""One call and its answer, apart from any socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import ValidationError

from app.simulator.query import Query, Slice
from app.simulator.state.records import Refusal
from app.simulator.state.world import World
from app.simulator.wire.base import Wire
from app.simulator.wire.envelope import ErrorBody, GatewayBody, Page

W = TypeVar("W", bound=Wire)
R = TypeVar("R")

JSON = "application/json; charset=utf-8"

_ALL_400: Mapping[str, int] = {}

UNTRACED = b"00-untraced-00"
"""The trace id of a refusal that is not on its way yet."""

_TYPES = {
    400: "https://tools.ietf.org/html/rfc7231#section-6.5.1",
    401: "https://tools.ietf.org/html/rfc7235#section-3.1",
    403: "https://tools.ietf.org/html/rfc7231#section-6.5.3",
    404: "https://tools.ietf.org/html/rfc7231#section-6.5.4",
    409: "https://tools.ietf.org/html/rfc7231#section-6.5.8",
    422: "https://tools.ietf.org/html/rfc4918#section-11.2",
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


class Refused(Exception):  # noqa: N818 - it says what is the case
    """The call is refused: its route answers with the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.title)
        self.refusal = refusal


Endpoint = Callable[[World, Call], Answer]
"""The work of a route; may raise Refused."""
Pace = Literal["query", "create", "status", "cancel", "token"]
"""Which of the seed's delays an endpoint has."""


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and where it is: the path has `{id}` for a parameter."""

    method: str
    path: str
    work: Endpoint
    pace: Pace = "query"

    def endpoint(self, world: World, call: Call) -> Answer:
        """Do the work of one call; its answer, or the refusal it met."""
        try:
            return self.work(world, call)
        except Refused as refused:
            return refuse(refused.refusal)


EMPTY = Answer()
"""200 with an empty body: how cancel, hold, complete and their like answer."""


def answer(model: Wire) -> Answer:
    """A 200 with the model."""
    return Answer(body=model.answer())


def empty(refusal: Refusal | None) -> Answer:
    """An empty 200, or the refusal."""
    return EMPTY if refusal is None else refuse(refusal)


def refuse(refusal: Refusal, *, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal with the RFC 7807 body, or the gateway's; its trace id is set when it is sent."""
    if refusal.by_gateway:
        said = GatewayBody(status_code=refusal.status, message=refusal.title)
        return Answer(refusal.status, said.answer(), headers or {})
    body = ErrorBody(
        type=_TYPES.get(refusal.status, _SERVER_ERROR),
        title=refusal.title,
        status=refusal.status,
        trace_id=UNTRACED.decode(),
        errors=refusal.errors,
    )
    return Answer(refusal.status, body.answer(), headers or {})


def done(result: R | Refusal) -> R:
    """What was done. Raises Refused when it was not."""
    if isinstance(result, Refusal):
        raise Refused(result)
    return result


def found(row: R | None, kind: str, call: Call) -> R:
    """The row that the path names. Raises Refused, a 404, when there is none."""
    if row is None:
        text = f"{kind} with id {call.path['id']} was not found."
        raise Refused(Refusal(404, text, {"id": [text]}))
    return row


def page(wanted: Slice[R] | Refusal, kind: type[Page[W]], show: Callable[[R], W]) -> Answer:
    """A page of rows, each shown by `show`."""
    rows = done(wanted)
    return answer(
        kind(
            page=rows.page,
            page_size=rows.page_size,
            has_more=rows.has_more,
            total_count=rows.total,
            data=tuple(show(row) for row in rows.rows),
        )
    )


def read(call: Call, kind: type[W], statuses: Mapping[str, int] = _ALL_400) -> W:
    """The body as a model. Raises Refused, which names each bad field; a 400 but for those with a status."""
    try:
        return kind.read(call.body or b"{}")
    except ValidationError as error:
        errors: dict[str, list[str]] = {}
        for item in error.errors(include_url=False, include_input=False):
            errors.setdefault(".".join(map(str, item["loc"])), []).append(item["msg"])
        status = max(statuses.get(name, 400) for name in errors)
        refusal = Refusal(status, "One or more validation errors occurred.", errors)
        raise Refused(refusal) from None
