"""deploy/Dockerfile, read as far as the tests ask."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parents[2] / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """The instructions of one stage, in order, as (word, rest)."""

    steps: tuple[tuple[str, str], ...]

    def of(self, word: str) -> list[str]:
        return [rest for each, rest in self.steps if each == word]

    @property
    def env(self) -> dict[str, str]:
        pairs = (pair.partition("=") for rest in self.of("ENV") for pair in shlex.split(rest))
        return {name: value for name, _, value in pairs}

    @property
    def from_the_repo(self) -> list[list[str]]:
        """[source ..., target] of each COPY that takes from the build context."""
        return [shlex.split(rest) for rest in self.of("COPY") if not rest.startswith("--from")]


@dataclass(frozen=True)
class Dockerfile:
    """The build stage, and the stage that becomes the image."""

    path: Path
    build: Stage
    image: Stage

    @classmethod
    def read(cls) -> Dockerfile:
        text = re.sub(r"^#.*\n", "", PATH.read_text(encoding="utf-8"), flags=re.MULTILINE)
        joined = re.sub(r"\\\n\s*", " ", text)
        steps = [
            (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line
        ]
        starts = [number for number, (word, _) in enumerate(steps) if word == "FROM"]
        first, second = starts
        return cls(PATH, Stage(tuple(steps[first:second])), Stage(tuple(steps[second:])))

    @property
    def env(self) -> dict[str, str]:
        return self.image.env

    @property
    def health_check(self) -> list[str]:
        (rest,) = self.image.of("HEALTHCHECK")
        words: list[str] = json.loads(rest.partition("CMD ")[2])
        return words
