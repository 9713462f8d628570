"""The one place in front of every view: doors, limits, headers, request ids, and errors in the envelope."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from aiohttp import web

from app.booking.events import FieldError
from app.settings import Settings
from app.telemetry.log import get_logger
from app.view.view import ViewAway
from app.web import connections
from app.web.access import Access, Caller, Denied, Doors, doors, sent_by_another_site
from app.web.connections import HEADERS
from app.web.envelope import NAMES, Problem, failure, unavailable
from app.web.operations import LARGEST_BODY, OPERATIONS, PREFIX, PROBES, Operation, by_path
from app.web.ops.addresses import PAGES
from app.web.services import SERVICES, Answered

_log = get_logger(__name__)

BODY_SECONDS = 20.0
"""How long a client may take to send a body."""

CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)
OPERATION: web.RequestKey[Operation] = web.RequestKey("operation", Operation)

_unique = random.Random()  # noqa: S311 - ids to find a request in the log, not to be kept from anybody
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DENIED_STATUS = {
    Denied.NO_KEY: 401,
    Denied.UNKNOWN_KEY: 401,
    Denied.READ_ONLY: 403,
    Denied.NOT_LOCAL: 403,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """An aiohttp middleware. What is not among its operations is not there: Faust's own pages are closed."""

    def __init__(self, keys: Doors, operations: tuple[Operation, ...] = OPERATIONS) -> None:
        self._doors = keys
        self._operations = by_path(operations)
        self._patterns = [(_pattern(path), methods) for path, methods in self._operations.items()]
        self._requests = 0

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request: whatever happens, in the envelope and with an id."""
        started = time.monotonic()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"{_unique.getrandbits(128):032x}"
        with structlog.contextvars.bound_contextvars(request=request_id):
            response = await self._answer(request, handler)
            if not response.prepared:
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
                response.headers["Server"] = HEADERS["Server"]
                response.headers["X-Request-ID"] = request_id
            self._tell(request, response.status, time.monotonic() - started)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            operation = self._find(request)
            request[OPERATION] = operation
            request[CALLER] = self._admit(request, operation)
            _refuse_packed(request)
            _refuse_unknown(request, operation)
            request[BODY] = await _read_body(request, operation)
            with self._under_way(operation):
                return await handler(request)
        except Problem as problem:
            return failure(problem)
        except ViewAway:
            return failure(unavailable("the view is not there"))
        except web.HTTPException as wrong:
            return failure(_as_problem(wrong))
        except (asyncio.CancelledError, ConnectionResetError):
            raise
        except Exception:  # noqa: BLE001 - nothing internal may get out, whatever it was
            _log.exception("a view failed", path=_template(request))
            return failure(Problem(500, "something went wrong here; the request id finds it in the log"))

    @contextmanager
    def _under_way(self, operation: Operation) -> Iterator[None]:
        """Counts the request while it is worked on; raises Problem 503 beyond the limit, but for probes."""
        if self._requests >= connections.MOST_REQUESTS and operation.path not in PROBES:
            raise unavailable("too many requests are worked on", seconds=1)
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    def _find(self, request: web.Request) -> Operation:
        """The operation asked for; 404 for no path of ours, 405 for no method of the path."""
        resource = request.match_info.route.resource
        methods = None if resource is None else self._operations.get(resource.canonical)
        if methods is None and isinstance(request.match_info.http_exception, web.HTTPMethodNotAllowed):
            path = request.rel_url.raw_path
            methods = next((found for pattern, found in self._patterns if pattern.fullmatch(path)), None)
        if methods is None:
            raise Problem(404, "there is no such address")
        asked = "GET" if request.method == "HEAD" else request.method
        operation = methods.get(asked)
        if operation is None:
            allowed = sorted({*methods, *({"HEAD"} if "GET" in methods else ())})
            raise Problem(405, f"allowed: {', '.join(allowed)}", headers={"Allow": ", ".join(allowed)})
        return operation

    def _admit(self, request: web.Request, operation: Operation) -> Caller:
        caller = self._doors.admit(
            operation.access,
            authorization=request.headers.get("Authorization"),
            remote=request.remote,
            host=host_of(request),
        )
        if isinstance(caller, Caller):
            if operation.access is not Access.OPEN and sent_by_another_site(request.headers, request.host):
                raise Problem(403, "a page of another site sent this")
            return caller
        status = _DENIED_STATUS[caller]
        raise Problem(status, str(caller), headers={"WWW-Authenticate": "Bearer"} if status == 401 else None)

    def _tell(self, request: web.Request, status: int, seconds: float) -> None:
        serving = request.app.get(SERVICES)
        operation = request.get(OPERATION)
        if serving is not None:
            route = "unmatched" if operation is None else operation.path
            serving.answered(Answered(route=route, method=request.method, status=status, seconds=seconds))
        if operation is not None and operation.access is Access.OPEN and status < 400:
            return
        caller = request.get(CALLER)
        _log.info(
            "answered",
            method=request.method,
            path=_template(request),
            status=status,
            ms=round(seconds * 1000, 1),
            caller=None if caller is None else caller.name,
            **({"remote": request.remote} if status in {401, 403} else {}),
        )


def _pattern(path: str) -> re.Pattern[str]:
    """The addresses of a path such as `/jobs/{jobId}`."""
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _template(request: web.Request) -> str:
    """The path without what stands in it; of an address that is none of ours nothing is told."""
    resource = request.match_info.route.resource
    return "-" if resource is None else resource.canonical


def host_of(request: web.Request) -> str:
    """The name in the Host header, without its port."""
    host = request.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host


def _refuse_unknown(request: web.Request, operation: Operation) -> None:
    """Raises Problem 400 for a parameter that the route does not know: `page=2` is not the first page."""
    if not operation.path.startswith(PREFIX):
        return
    known = {one.name for one in operation.parameters if one.where == "query"}
    unknown = sorted(set(request.query) - known)
    if unknown:
        message = f"is no parameter of this address; there are: {', '.join(sorted(known)) or 'none'}"
        details = [FieldError(field=name[:100], message=message) for name in unknown[:20]]
        raise Problem(400, f"unknown parameter {details[0].field}", details=details)


def _refuse_packed(request: web.Request) -> None:
    """Raises Problem 415 for a body that would have to be unpacked: a few bytes may become gigabytes."""
    packed = {
        part.strip().lower()
        for one in request.headers.getall("Content-Encoding", ())
        for part in one.split(",")
    }
    if packed - {"", "identity"}:
        message = "a body must come as it is, without a Content-Encoding"
        raise Problem(415, message, headers={"Accept-Encoding": "identity", "Connection": "close"})


async def _read_body(request: web.Request, operation: Operation) -> bytes:
    """The body, within the operation's limit and the time that a client may take."""
    length = request.content_length
    if length is not None and length > operation.largest_body:
        raise _too_large(operation)
    if not request.can_read_body:
        return b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise Problem(408, f"the body did not come within {BODY_SECONDS:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(operation) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Problem(400, "the body did not come as it was announced") from None
    if len(body) > operation.largest_body:
        raise _too_large(operation)
    return body


def _too_large(operation: Operation) -> Problem:
    return Problem(413, f"at most {operation.largest_body} bytes are taken", headers={"Connection": "close"})


def _as_problem(wrong: web.HTTPException) -> Problem:
    """An error of aiohttp's own: its status, in our words."""
    return Problem(wrong.status, NAMES.get(wrong.status, "the request cannot be answered"))


def web_options(settings: Settings) -> dict[str, Any]:
    """What Faust hands to aiohttp's Application (`web_application_options`)."""
    guard = Guard(doors(settings.api_read_keys, settings.api_act_keys), (*OPERATIONS, *PAGES))

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await guard.handle(request, handler)

    return {"middlewares": [guarded], "client_max_size": LARGEST_BODY}
