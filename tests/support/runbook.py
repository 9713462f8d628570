"""The commands of deploy/RUNBOOK.md: in blocks, and between back quotes in running text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.readme import RUNBOOK

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = RUNBOOK.read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
COMPOSE, KUBERNETES, *_ = (block[2] for block in _BLOCK.finditer(TEXT) if block[1] == "sh")
"""What is pasted first: shell functions, the same for both places."""


def functions(set_up: str) -> Sequence[str]:
    """The names that a set-up defines."""
    return re.findall(r"^([a-z_-]+)\(\) \{", set_up, flags=re.MULTILINE)


def commands() -> Sequence[str]:
    """Every command but the set-ups, once, in the order of the document."""
    inline = re.compile(rf"`((?:{'|'.join(functions(COMPOSE))})(?: [^`]*)?)`")
    found: list[str] = []
    at = 0
    for block in _BLOCK.finditer(TEXT):
        found += inline.findall(TEXT[at : block.start()])
        if block[1] == "sh" and block[2] not in {COMPOSE, KUBERNETES}:
            found += block[2].splitlines()
        at = block.end()
    found += inline.findall(TEXT[at:])
    return list(dict.fromkeys(found))


def queries() -> Sequence[str]:
    """Every PromQL query that is written by hand."""
    return re.findall(r"`((?:sum [^`]+\()?servicetitan_stream_[^`]*)`", TEXT)
