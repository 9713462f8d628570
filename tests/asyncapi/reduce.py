"""Makes `3.0.0.json` of the official schema: `python -m tests.asyncapi.reduce OFFICIAL`.

What it leaves out takes nothing from what is checked here: words for readers, and the bindings of protocols
other than Kafka, which are refused instead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOR_READERS = {"title": str, "description": str, "$comment": str, "examples": list}
_POINTER = "#/definitions/"


def reduced(official: dict[str, Any]) -> dict[str, Any]:
    """The part of the schema that a document about Kafka is held against."""
    schema: dict[str, Any] = _without_words(official)
    definitions: dict[str, Any] = schema.pop("definitions")
    for name, definition in definitions.items():
        if "bindings" in name.lower() and "kafka" in definition.get("properties", {}):
            definition["properties"] = {"kafka": definition["properties"]["kafka"]}
    used: dict[str, Any] = {}
    todo = [*_references(schema)]
    while todo:
        name = todo.pop()
        if name not in used:
            used[name] = definitions[name]
            todo += _references(used[name])
    return {**schema, "definitions": dict(sorted(used.items()))}


def _without_words(part: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(part, list):
        return [_without_words(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {
        name: value
        for name, value in part.items()
        if not isinstance(value, _FOR_READERS.get(name, type(...)))
    }
    return {name: _without_words(value) for name, value in kept.items()}


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref" and isinstance(value, str) and value.startswith(_POINTER):
                yield value.removeprefix(_POINTER).replace("~1", "/").split("/")[0]
            yield from _references(value)


def as_text(schema: dict[str, Any]) -> str:
    """One line for each definition."""
    head = {name: value for name, value in schema.items() if name != "definitions"}
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(one)}" for name, one in schema["definitions"].items())
    return f'{json.dumps(head)[:-1]},"definitions":{{\n{lines}\n}}}}\n'


if __name__ == "__main__":
    official = json.loads(Path(sys.argv[1]).read_bytes())
    Path(__file__).with_name("3.0.0.json").write_text(as_text(reduced(official)), encoding="utf-8")
