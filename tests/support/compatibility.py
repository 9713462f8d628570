"""Whether a schema may follow the last release's: whoever reads or writes by the old one must not notice.

Nothing removed, no field newly required, no list of values or bound narrowed, no type changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
_UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems")


def breaches(old: Schema, new: Schema) -> list[str]:
    """What of the new schema breaks the rule, one line each; empty when it may follow."""
    return list(_compare(_Place(old, old), _Place(new, new), "$", frozenset()))


class _Place:
    """A part of a document, with the document that its references point into."""

    def __init__(self, part: Schema, document: Schema) -> None:
        self.document = document
        seen: set[str] = set()
        while "$ref" in part and part["$ref"] not in seen:
            seen.add(part["$ref"])
            part = document["$defs"][part["$ref"].rpartition("/")[2]]
        self.part = part
        self.ref = tuple(sorted(seen))

    def at(self, part: Schema) -> _Place:
        return _Place(part, self.document)

    def values(self) -> frozenset[object] | None:
        """The values it allows, when they are a list."""
        if "const" in self.part:
            return frozenset({self.part["const"]})
        return frozenset(self.part["enum"]) if "enum" in self.part else None


def _compare(old: _Place, new: _Place, path: str, within: frozenset[tuple[str, ...]]) -> Iterator[str]:
    if old.ref:
        if old.ref in within:
            return
        within |= {old.ref}
    if "anyOf" in old.part or "anyOf" in new.part:
        yield from _compare_alternatives(old, new, path, within)
        return
    if old.part.get("type") != new.part.get("type"):
        yield f"{path}: the type was {old.part.get('type')}, and is {new.part.get('type')}"
        return
    yield from _compare_values(old, new, path)
    yield from _compare_bounds(old.part, new.part, path)
    yield from _compare_fields(old, new, path, within)
    if isinstance(old.part.get("items"), dict) and isinstance(new.part.get("items"), dict):
        yield from _compare(old.at(old.part["items"]), new.at(new.part["items"]), f"{path}[]", within)


def _compare_alternatives(
    old: _Place, new: _Place, path: str, within: frozenset[tuple[str, ...]]
) -> Iterator[str]:
    choices = [new.at(part) for part in new.part.get("anyOf", [new.part])]
    for part in old.part.get("anyOf", [old.part]):
        found = [list(_compare(old.at(part), choice, path, within)) for choice in choices]
        if all(found):
            yield min(found, key=len)[0]


def _compare_values(old: _Place, new: _Place, path: str) -> Iterator[str]:
    before, after = old.values(), new.values()
    if after is None:
        return
    if before is None:
        yield f"{path}: only some values are allowed now"
    elif before - after:
        yield f"{path}: no more allowed: {', '.join(sorted(map(str, before - after)))}"


def _compare_bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for name in _UPPER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{path}: {name} was {old.get(name, 'open')}, and is {new[name]}"
    for name in _LOWER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{path}: {name} was {old.get(name, 'open')}, and is {new[name]}"
    for name in ("pattern", "format"):
        if name in new and new[name] != old.get(name):
            yield f"{path}: {name} was {old.get(name, 'open')}, and is {new[name]}"


def _compare_fields(old: _Place, new: _Place, path: str, within: frozenset[tuple[str, ...]]) -> Iterator[str]:
    before, after = old.part.get("properties", {}), new.part.get("properties", {})
    for name in sorted(set(new.part.get("required", [])) - set(old.part.get("required", []))):
        yield f"{path}.{name}: is required now"
    for name, part in before.items():
        if name not in after:
            yield f"{path}.{name}: is gone"
        else:
            yield from _compare(old.at(part), new.at(after[name]), f"{path}.{name}", within)
    if new.part.get("additionalProperties") is False and old.part.get("additionalProperties") is not False:
        yield f"{path}: other fields are refused now"
