"""The release's own commands, as deploy/THREATS.md has them: they run, and list what is shipped."""

from __future__ import annotations

import re
import shlex
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.deploy.project import PROJECT, ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (ROOT / "deploy" / "THREATS.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```sh\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
LINES = BLOCK.splitlines()
CHECK, REQUIREMENTS, AUDIT, SBOM, FOLLOWS = LINES


def test_the_audit_reads_what_was_exported_and_fails_where_it_cannot_ask() -> None:
    """It is not run here: it asks a service on the net. Without --strict it would pass unasked."""
    words = shlex.split(AUDIT)
    assert words[:2] == ["uvx", "pip-audit"]
    assert "--strict" in words
    assert words[words.index("--requirement") + 1] == output_of(REQUIREMENTS)


def test_the_lock_is_whole_and_the_schemas_may_follow_the_last_release() -> None:
    ran(CHECK)
    ran(FOLLOWS)


def test_the_requirements_are_pinned_by_hash(tmp_path: Path) -> None:
    pinned = re.findall(
        r"^([a-z0-9-]+)==.* \\\n +--hash=sha256:", written(REQUIREMENTS, tmp_path).decode(), re.MULTILINE
    )
    assert direct() <= set(pinned)


def test_the_bill_of_materials_lists_what_runs_and_nothing_else(bill: dict[str, Any]) -> None:
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == PROJECT["name"]
    assert bill["metadata"]["component"]["version"] == PROJECT["version"]
    named = {component["name"] for component in bill["components"]}
    assert direct() <= named
    assert not named & {"pytest", "mypy", "ruff", "hypothesis", "testcontainers", "import-linter"}


def test_the_bill_of_materials_has_the_versions_that_were_tested(bill: dict[str, Any]) -> None:
    here = [component for component in bill["components"] if "properties" not in component]
    assert len(here) > len(direct())
    assert all(component["version"] == version(component["name"]) for component in here)
    assert all(
        component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}" for component in here
    )


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the release's command writes. A component with a property is for another system than this one."""
    read: dict[str, Any] = orjson.loads(written(SBOM, tmp_path_factory.mktemp("sbom")))
    return read


def direct() -> set[str]:
    """The names of what pyproject.toml asks for in the image."""
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["tracing"]]
    return {re.split(r"[^A-Za-z0-9_-]", each, maxsplit=1)[0].lower() for each in asked}


def output_of(line: str) -> str:
    words = shlex.split(line)
    return words[words.index("--output-file") + 1]


def written(line: str, folder: Path) -> bytes:
    """What one of the export lines writes, in a folder of its own."""
    file = folder / output_of(line)
    ran(line.replace(output_of(line), str(file)))
    return file.read_bytes()


def ran(line: str) -> None:
    done = subprocess.run(
        shlex.split(line), cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
