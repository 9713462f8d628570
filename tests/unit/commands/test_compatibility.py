"""The events' schemas may follow the last release's, by a rule that notices each way of breaking somebody."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from tests.release import RELEASED, SCHEMAS
from tests.support.compatibility import breaches

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 100, "minLength": 1},
        "status": {"$ref": "#/$defs/Status"},
        "age": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "kind": {"const": "a"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "$defs": {
        "Status": {"type": "string", "enum": ["open", "done"]},
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}},
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """OLD with the thing at this path set, or removed when the value is None."""
    new = copy.deepcopy(OLD)
    *way, last = path.split("/")
    place: Any = new
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


def test_the_same_may_follow() -> None:
    assert breaches(OLD, OLD) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/note", {"type": "string"}),
        ("$defs/Status/enum", ["open", "done", "held"]),
        ("properties/name/maxLength", 200),
        ("properties/name/minLength", None),
        ("properties/age/anyOf", [{"type": "number"}, {"type": "null"}, {"type": "string"}]),
        ("properties/status", {"type": "string"}),
        ("required", []),
        ("properties/name/description", "who"),
    ],
)
def test_what_widens_may_follow(path: str, value: object) -> None:
    assert breaches(OLD, changed(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("properties/status", None, "$.status: is gone"),
        ("required", ["name", "kind"], "$.kind: is required now"),
        ("$defs/Status/enum", ["open"], "$.status: no more allowed: done"),
        ("properties/kind/const", "b", "$.kind: no more allowed: a"),
        ("properties/name/type", "integer", "$.name: the type was string, and is integer"),
        ("properties/ids/items/type", "string", "$.ids[]: the type was integer, and is string"),
        ("properties/name/maxLength", 50, "$.name: maxLength was 100, and is 50"),
        ("properties/name/minLength", 2, "$.name: minLength was 1, and is 2"),
        ("properties/name/pattern", "^a", "$.name: pattern was open, and is ^a"),
        ("properties/name/enum", ["Ada"], "$.name: only some values are allowed now"),
        (
            "properties/age/anyOf",
            [{"type": "number", "minimum": 0}],
            "$.age: the type was null, and is number",
        ),
        ("properties/age", {"type": "number", "minimum": 0}, "$.age: the type was null, and is number"),
        ("additionalProperties", False, "$: other fields are refused now"),
    ],
)
def test_what_breaks_somebody_is_noticed(path: str, value: object, says: str) -> None:
    assert breaches(OLD, changed(path, value)) == [says]


@pytest.mark.parametrize("name", sorted(path.name for path in RELEASED.glob("*.json")))
def test_an_event_may_follow_its_release(name: str) -> None:
    now = SCHEMAS / "events" / name
    assert now.is_file(), f"{name} was released and is gone"
    released = orjson.loads((RELEASED / name).read_bytes())
    assert breaches(released, orjson.loads(now.read_bytes())) == []


def test_something_was_released() -> None:
    assert len(list(RELEASED.glob("*.json"))) >= 18
