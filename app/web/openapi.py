"""The API's description (OpenAPI 3.1), generated from the operations and their models."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web
from faust.web import Blueprint
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.business_file import load_business
from app.web import models
from app.web.access import Access
from app.web.envelope import NAMES
from app.web.operations import OPERATIONS, PREFIX, Operation, Parameter
from app.web.pages import ApiView
from app.web.services import services

api = Blueprint("openapi")

_REF = "#/components/schemas/{model}"
_SECURITY: dict[Access, list[dict[str, list[str]]]] = {
    Access.OPEN: [],
    Access.READ: [{"readKey": []}, {"actKey": []}],
    Access.ACT: [{"actKey": []}],
    Access.SIGNED: [{"signature": []}, {"standardWebhooks": []}],
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "description": "Why the request was not answered as asked.",
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "A short name; for 422 the reason."},
        "message": {"type": "string"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "value": {"description": "What was sent, masked where it is personal."},
                },
                "required": ["field", "message", "value"],
            },
        },
        "data": {"description": "With an error of `/health`: how the service is."},
    },
    "required": ["success", "error", "message", "details"],
}
_ID = {
    "jobId": {"type": "integer", "format": "int64"},
    "bookingId": {"type": "string", "minLength": 1, "maxLength": 100},
}


def description(problem_types: Iterable[str], version: str = "1") -> dict[str, Any]:
    """The whole description, for a business with these problems."""
    schemas = _schemas()
    name_problems(schemas, problem_types)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "servicetitan-stream",
            "version": version,
            "description": "Bookings become jobs in ServiceTitan. Any worker gives the same answers.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Error": _ERROR},
            "securitySchemes": {
                "readKey": {"type": "http", "scheme": "bearer", "description": "A key of `API_READ_KEYS`."},
                "actKey": {"type": "http", "scheme": "bearer", "description": "A key of `API_ACT_KEYS`."},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-servicetitan-signature",
                    "description": "HMAC-SHA256 of the raw body.",
                },
                "standardWebhooks": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "As https://www.standardwebhooks.com has it.",
                },
            },
        },
    }


def _schemas() -> dict[str, Any]:
    asked = {operation.body for operation in OPERATIONS if operation.body is not None}
    given = {model for operation in OPERATIONS for model in operation.answers.values() if model is not None}
    _, found = models_json_schema(
        [
            *((model, "validation") for model in sorted(asked, key=_name)),
            *((model, "serialization") for model in sorted(given, key=_name)),
        ],
        ref_template=_REF,
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def name_problems(schema: object, problem_types: Iterable[str]) -> None:
    """Say in a JSON Schema what a booking's `problemType` may be; the models take any business's."""
    words = list(problem_types)
    if isinstance(schema, dict):
        if "problemType" in schema.get("properties", {}):
            schema["properties"]["problemType"] = {**schema["properties"]["problemType"], "enum": words}
        for part in schema.values():
            name_problems(part, words)


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": _SECURITY[operation.access],
        "parameters": [*_path_parameters(operation), *map(_parameter, operation.parameters)],
        "responses": dict(_responses(operation)),
    }
    schema = _body(operation)
    if schema is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _path_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": _ID[name]}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
    }


def _body(operation: Operation) -> dict[str, Any] | None:
    if operation.any_json:
        return {"type": "object"}
    return None if operation.body is None else {"$ref": _REF.format(model=_name(operation.body))}


def _responses(operation: Operation) -> Iterator[tuple[str, Any]]:
    for status, model in operation.answers.items():
        yield str(status), _answer(model, plain=operation.plain)
    for status in sorted(_errors(operation)):
        yield (
            str(status),
            {
                "description": NAMES[status],
                "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}},
            },
        )


def _content(model: type[BaseModel] | None, plain: str | None) -> dict[str, Any]:
    """The answer's form: as it is when plain, else in the envelope."""
    if plain is not None:
        kind = "object" if plain == "application/json" else "string"
        return {plain: {"schema": {"type": kind}}}
    data: dict[str, Any] = {} if model is None else {"$ref": _REF.format(model=_name(model))}
    schema = {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["success", "data"],
    }
    return {"application/json": {"schema": schema}}


def _answer(model: type[BaseModel] | None, *, plain: str | None) -> dict[str, Any]:
    text = "Done" if model is None else (model.__doc__ or "").partition("\n")[0]
    answer: dict[str, Any] = {"description": text, "content": _content(model, plain)}
    if model is models.Queued:
        answer["headers"] = {
            "Location": {"description": "Where to look again.", "schema": {"type": "string"}}
        }
    return answer


def _errors(operation: Operation) -> set[int]:
    """What it says of itself, and what the guard answers for it."""
    found = {*operation.errors, 413, 415, 503}
    if operation.access in {Access.READ, Access.ACT}:
        found.add(401)
    if operation.access is not Access.OPEN:
        found.add(403)
    if operation.body is not None or operation.any_json:
        found |= {400, 408}
    if operation.parameters or operation.path.startswith(PREFIX):
        # Nowhere is a parameter passed over that is not known.
        found.add(400)
    return found


def frozen() -> bytes:
    """The description as it stands in `schemas/openapi.json`, where a change of the API is seen."""
    return orjson.dumps(
        description(load_business().problems), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )


@lru_cache(maxsize=4)
def _served(problem_types: tuple[str, ...]) -> bytes:
    return orjson.dumps(description(problem_types))


@api.route("/openapi.json", name="openapi")
class OpenApiView(ApiView):
    """GET /openapi.json."""

    async def get(self, request: web.Request) -> web.Response:
        """This description."""
        body = _served(tuple(services(request).settings.business.problems))
        return web.Response(body=body, content_type="application/json")
