"""Who imports whom: the contracts of pyproject.toml hold, and a breach of each is noticed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import app
from tests.imports import LEFT_OUT, reachable, reduced

ROOT = Path(__file__).parents[2]


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_every_import_goes_down() -> None:
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("booking/reasons.py", "from app.settings import load", "layers"),
        ("stream/topology.py", "from app.commands.cli import run", "layers"),
        ("unplaced.py", "", "layers"),
        ("simulator/views.py", "from app.servicetitan import endpoints", "the simulator shares nothing"),
        ("servicetitan/pace.py", "import faust", "Faust is known to"),
        ("settings.py", "import mode", "Faust is known to"),
        ("booking/reasons.py", "import time", "bookings are thought about"),
        ("simulator/wire/base.py", "import aiohttp", "the simulator's wire is models"),
    ],
)
def test_a_breach_is_noticed(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "app" / module
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{text}\n{line}\n", encoding="utf-8")
    done = linted(tmp_path)
    assert done.returncode == 1
    kept_or_not = [each for each in done.stdout.splitlines() if each.startswith(broken)]
    assert any("BROKEN" in each for each in kept_or_not), done.stdout


def test_the_map_names_every_part() -> None:
    folder = Path(app.__file__).parent
    parts = {path.name for path in folder.iterdir() if path.is_dir() and (path / "__init__.py").exists()}

    assert {part for part in parts if part not in (app.__doc__ or "")} == set()


def arrows() -> dict[str, frozenset[str]]:
    """The drawn map: each part of the app, and the parts that its arrows lead to."""
    (drawn,) = re.findall(
        r"```mermaid\nflowchart TD\n(.*?)```",
        (ROOT / "tests" / "IMPORTS.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    lines = re.findall(r"^    (\w+)(?: --> (\w+))?$", drawn, re.MULTILINE)
    assert len(lines) == len(drawn.splitlines())
    parts = {part for line in lines for part in line if part}
    return {part: frozenset(to for start, to in lines if to and start == part) for part in parts}


def imports_between_parts() -> set[tuple[str, str]]:
    """Module by module, who imports what of another part."""
    graph = grimp.build_graph("app", cache_dir=None)
    modules = [
        (name, imported)
        for name in graph.modules
        for imported in graph.find_modules_directly_imported_by(name)
    ]
    pairs = {(name.split(".")[1], imported.split(".")[1]) for name, imported in modules}
    return {(start, to) for start, to in pairs if start not in {to, LEFT_OUT}}


def test_the_drawn_map_is_the_imports() -> None:
    drawn, real = arrows(), imports_between_parts()
    assert {(start, to) for start, all_to in drawn.items() for to in all_to} <= real
    assert {(start, to) for start, to in real if to not in reachable(drawn, start)} == set()
    parts = {path.stem for path in Path(app.__file__).parent.iterdir() if path.suffix in {"", ".py"}}
    assert set(drawn) == {part for part in parts if not part.startswith("__")}


def test_an_arrow_that_follows_from_others_is_not_drawn() -> None:
    imports = {"a": frozenset("bcd"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset[str]()}
    assert reduced(imports) == {
        "a": frozenset("b"),
        "b": frozenset("c"),
        "c": frozenset("d"),
        "d": frozenset(),
    }
