"""The business file: the one that the settings name, else A1's, which the package ships."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from app.booking.business import Business, parse

SHIPPED = "business.toml"


class BusinessWrong(Exception):  # noqa: N818 - read as a sentence: "business wrong"
    """The file cannot be used; the text has a line for each thing that is wrong, with its place."""


def text_of(path: Path | None) -> str:
    """The file's text. Raises `BusinessWrong`."""
    if path is None:
        return files("app").joinpath(SHIPPED).read_text(encoding="utf-8")
    try:
        # Editors of Windows put a byte order mark before it, which TOML does not take.
        return path.read_text(encoding="utf-8-sig")
    except OSError as wrong:
        raise BusinessWrong(f"BUSINESS_FILE {path}: cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise BusinessWrong(f"BUSINESS_FILE {path}: not UTF-8, as TOML is") from None


def load_business(path: Path | None = None) -> Business:
    """The business; the shipped one without a path, which is read once. Raises `BusinessWrong`."""
    return _shipped() if path is None else _read(path)


@cache
def _shipped() -> Business:
    return _read(None)


def _read(path: Path | None) -> Business:
    found = parse(text_of(path))
    if isinstance(found, Business):
        return found
    raise BusinessWrong("\n".join(f"BUSINESS_FILE {path}: {line}" for line in found))
