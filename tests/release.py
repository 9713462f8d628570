"""Whether the events' schemas may follow those of the last release: `python -m tests.release`.

The last release is the last tag like `v1.2.3` before this commit; its schemas are read from git.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from tests.support.compatibility import breaches

ROOT = Path(__file__).parents[1]
_FOLDER = "schemas/events"


def last_release(repo: Path) -> str | None:
    """The tag of the last release before the commit that is checked out; None while there is none."""
    found = _git(repo, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    return found.stdout.decode().strip() if found.returncode == 0 else None


def broken(repo: Path, tag: str) -> list[str]:
    """What of the schemas in the folder breaks somebody who goes by those of the tag, one line each."""
    names = _git(repo, "ls-tree", "--name-only", tag, f"{_FOLDER}/").stdout.decode().split()
    return [line for name in names for line in _broken(repo, tag, name)]


def _broken(repo: Path, tag: str, name: str) -> list[str]:
    now = repo / name
    if not now.is_file():
        return [f"{name}: was released in {tag}, and is gone"]
    old = orjson.loads(_git(repo, "show", f"{tag}:{name}").stdout)
    return [f"{name}: {breach}" for breach in breaches(old, orjson.loads(now.read_bytes()))]


def _git(repo: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, check=False)


def main(repo: Path = ROOT) -> int:
    """Say how it is; 1 when a schema may not follow."""
    tag = last_release(repo)
    if tag is None:
        print("Nothing is released yet (no tag v*): there is nothing that the schemas must follow.")
        return 0
    found = broken(repo, tag)
    print("\n".join(found) or f"The schemas may follow those of {tag}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
