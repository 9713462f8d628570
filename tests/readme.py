"""Writes into the README what code knows better: `python -m tests.readme`."""

from pathlib import Path

from app.settings import as_markdown

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- settings:begin -->\n", "<!-- settings:end -->"


def with_settings(text: str) -> str:
    """The README's text with the table of settings between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md has no {BEGIN.strip()} ... {END} to write the settings into")
    return f"{before}{begin}{as_markdown()}{end}{after}"


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
