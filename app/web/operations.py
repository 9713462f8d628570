"""Every operation of the API, declared once: the guard, the description and the tests read it from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import BaseModel

from app.booking.events import LARGEST_EVENT
from app.web import models
from app.web.access import Access

PREFIX = "/api/integrations/servicetitan"
_MIB = 1024 * 1024

Body: TypeAlias = type[BaseModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query or a header. `schema` is JSON Schema."""

    name: str
    where: str
    meaning: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `answers` are its successes; errors follow from what it is."""

    method: str
    path: str
    access: Access
    summary: str
    answers: Mapping[int, Body | None]
    errors: tuple[int, ...] = ()
    body: Body | None = None
    body_required: bool = True
    largest_body: int = 16 * 1024
    any_json: bool = False
    """The body is anything its sender likes, as long as it is JSON: a webhook."""
    parameters: tuple[Parameter, ...] = ()
    plain: str | None = None
    """The content type of an answer that is not in the envelope."""

    @property
    def name(self) -> str:
        """Of the operation in the API's description."""
        words = [
            word.strip("{}").replace(".json", "")
            for word in self.path.removeprefix(PREFIX).split("/")
            if word
        ]
        return "_".join([self.method.lower(), *words])


_PREFER = Parameter(
    name="Prefer",
    where="header",
    meaning="`respond-async` does not wait, `wait=n` waits up to n seconds (30 at most)",
    schema={"type": "string", "examples": ["respond-async", "wait=5"]},
)
KEY_PATTERN = r"^(?:\"[ !#-~]{1,200}\"|[!#-~](?:[ !#-~]{0,198}[!#-~])?)$"
"""An `Idempotency-Key`: 1 to 200 printable ASCII characters, quoted as in its draft or bare."""
_IDEMPOTENCY = Parameter(
    name="Idempotency-Key",
    where="header",
    meaning="makes a repeated request the same event",
    schema={"type": "string", "pattern": KEY_PATTERN},
)
_EVENT = Parameter(
    name="event", where="query", meaning="an event's id: 202 until it was worked", schema={"type": "string"}
)
_WAIT = Parameter(
    name="wait",
    where="query",
    meaning="seconds to wait for that event",
    schema={"type": "number", "minimum": 0, "maximum": 30},
)
_DATE = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}],
}
_RANGE = (
    Parameter(name="startDate", where="query", meaning="an instant, or a day", schema=_DATE, required=True),
    Parameter(name="endDate", where="query", meaning="inclusive", schema=_DATE, required=True),
    Parameter(
        name="limit",
        where="query",
        meaning="jobs of one page",
        schema={"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    ),
    Parameter(
        name="cursor",
        where="query",
        meaning="`next` of the page before, for an hour from the first page on. In a walk each job stands "
        "where it stood when the walk began, and is shown as it is now: none comes twice, none is passed "
        "over. One that was added meanwhile comes where it stood first, if that is still ahead",
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=f"{PREFIX}/health",
        access=Access.OPEN,
        summary="How the service is",
        answers={200: models.Health},
        errors=(503,),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/auth/test",
        access=Access.READ,
        summary="Ask ServiceTitan for a token and one cheap read",
        answers={200: models.AuthTest},
        errors=(502,),
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/jobs",
        access=Access.ACT,
        summary="Book a visit",
        answers={200: models.Job, 201: models.Job, 202: models.Queued},
        errors=(409, 422, 503),
        body=models.NewBooking,
        largest_body=LARGEST_EVENT,
        parameters=(_PREFER, _IDEMPOTENCY),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs",
        access=Access.READ,
        summary="Jobs by the date of their visit",
        answers={200: models.JobPage},
        errors=(400, 503),
        parameters=_RANGE,
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/jobs/batch",
        access=Access.ACT,
        summary="Book up to 100 visits",
        answers={207: models.BatchAnswer},
        errors=(503,),
        body=models.Batch,
        largest_body=_MIB,
        parameters=(_PREFER, _IDEMPOTENCY),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{jobId}}",
        access=Access.READ,
        summary="A job",
        answers={200: models.Job},
        errors=(404, 503),
    ),
    Operation(
        method="DELETE",
        path=f"{PREFIX}/jobs/{{jobId}}",
        access=Access.ACT,
        summary="Cancel a job",
        answers={200: models.Job, 202: models.Queued},
        errors=(404, 409, 422, 503),
        body=models.CancelRequest,
        body_required=False,
        parameters=(_PREFER, _IDEMPOTENCY),
    ),
    Operation(
        method="PATCH",
        path=f"{PREFIX}/jobs/{{jobId}}/status",
        access=Access.ACT,
        summary="Change a job's status",
        answers={200: models.Job, 202: models.Queued},
        errors=(404, 409, 422, 503),
        body=models.NewStatus,
        parameters=(_PREFER, _IDEMPOTENCY),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/bookings/{{bookingId}}",
        access=Access.READ,
        summary="Everything known of a booking",
        answers={200: models.BookingSeen, 202: models.Queued},
        errors=(400, 404, 422, 503),
        parameters=(_EVENT, _WAIT),
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/bookings/{{bookingId}}/actions",
        access=Access.ACT,
        summary="Retry, repair or discard what failed for good",
        answers={202: models.Acted},
        errors=(404, 409, 503),
        body=models.Act,
        largest_body=LARGEST_EVENT,
        parameters=(_IDEMPOTENCY,),
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/webhook",
        access=Access.SIGNED,
        summary="What changed in ServiceTitan",
        answers={200: models.WebhookTaken},
        errors=(400, 401, 503),
        any_json=True,
        largest_body=512 * 1024,
    ),
    Operation(
        method="GET",
        path="/live",
        access=Access.OPEN,
        summary="Whether the process should go on",
        answers={200: models.Alive},
        errors=(503,),
    ),
    Operation(
        method="GET",
        path="/ready",
        access=Access.OPEN,
        summary="Whether requests should be sent here",
        answers={200: models.Alive},
        errors=(503,),
    ),
    Operation(
        method="GET",
        path="/metrics",
        access=Access.READ,
        summary="Every metric, for Prometheus",
        answers={200: None},
        plain="text/plain",
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        access=Access.OPEN,
        summary="This description",
        answers={200: None},
        plain="application/json",
    ),
)
PROBES = ("/live", "/ready", f"{PREFIX}/health")
"""What supervisors and load balancers ask: answered whatever else is asked."""
LARGEST_BODY = max(operation.largest_body for operation in OPERATIONS)


def by_path(operations: tuple[Operation, ...]) -> dict[str, dict[str, Operation]]:
    """The operations by path and method."""
    found: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        found.setdefault(operation.path, {})[operation.method] = operation
    return found
