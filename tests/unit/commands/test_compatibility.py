"""The events' schemas may follow the last release's, by a rule that notices each way of breaking somebody."""

from __future__ import annotations

import copy
import subprocess
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests import release
from tests.support.compatibility import breaches

if TYPE_CHECKING:
    from pathlib import Path

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


def git(repo: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(repo), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A project with one event, and nothing released."""
    events = tmp_path / "schemas" / "events"
    events.mkdir(parents=True)
    (events / "a.json").write_bytes(orjson.dumps(OLD))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_while_nothing_is_released_there_is_nothing_to_follow(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repo, "tag", "not-a-release")

    assert release.main(repo) == 0
    assert "Nothing is released yet" in capsys.readouterr().out


def test_schemas_are_held_against_those_of_the_last_release(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = repo / "schemas" / "events" / "a.json"
    git(repo, "tag", "v1.0.0")
    event.write_bytes(orjson.dumps(changed("properties/note", {"type": "string"})))
    git(repo, "commit", "-qam", "second")
    assert release.main(repo) == 0
    git(repo, "tag", "v1.1.0")
    # By the first release a note was never there.
    event.write_bytes(orjson.dumps(OLD))

    assert release.main(repo) == 1
    assert capsys.readouterr().out.splitlines() == [
        "The schemas may follow those of v1.0.0.",
        "schemas/events/a.json: $.note: is gone",
    ]


def test_a_released_event_that_is_gone_is_noticed(repo: Path) -> None:
    git(repo, "tag", "v1.0.0")
    (repo / "schemas" / "events" / "a.json").unlink()

    assert release.broken(repo, "v1.0.0") == ["schemas/events/a.json: was released in v1.0.0, and is gone"]


def test_the_schemas_of_now_may_follow_the_last_release() -> None:
    assert release.main() == 0
