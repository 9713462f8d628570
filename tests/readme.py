"""Writes into the README what code knows better: `python -m tests.readme`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from app import settings
from app.telemetry import metric_list

README = Path(__file__).parents[1] / "README.md"
TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings.as_markdown,
    "metrics": metric_list.as_markdown,
}


def with_tables(text: str) -> str:
    """The README's text with each table between its two marks."""
    for name, render in TABLES.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise SystemExit(f"README.md has no {begin.strip()} ... {end} to write the {name} into")
        text = f"{before}{begin}{render()}{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
