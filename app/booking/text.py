"""Text and JSON as people and libraries write them, made plain before they are judged."""

import re
from typing import Any

import orjson

LONGEST_TEXT = 1000
"""Characters of a text that goes to ServiceTitan as a note of some kind (contract section 2)."""

_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"}
# Marks of direction, joiners of width zero, soft hyphens: what is copied from an address book has them.
_UNSEEN = dict.fromkeys(
    (0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
_NOT_SHOWN = _CONTROLS | _UNSEEN
SEEN = r"[^\s\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
"""The pattern, also in JSON Schema, of one character that is left of a text and is no space."""
_DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE63, 0xFF0D), "-")
# An escape as a whole, so that a backslash which is escaped itself begins none; a pair before half of one.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def one_line(text: object) -> object:
    """A text without what nobody sees, its spaces of any kind and its line feeds plain; else what it is."""
    return " ".join(text.translate(_NOT_SHOWN).split()) if isinstance(text, str) else text


def plain_dashes(text: str) -> str:
    """The same with a hyphen for each kind of dash."""
    return text.translate(_DASHES)


def free_text(text: str) -> str:
    """A text of any length, without what nobody sees; what is too long for ServiceTitan is cut."""
    shown = text.translate(_NOT_SHOWN).strip()
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[: LONGEST_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}"


def read_json(value: bytes) -> Any:  # noqa: ANN401 - any JSON
    """What the bytes say. A byte order mark is dropped, and half of a pair of surrogates becomes U+FFFD.

    Raises orjson.JSONDecodeError for what is no JSON all the same.
    """
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        try:
            text = value.decode("utf-8-sig", "surrogatepass")
        except UnicodeDecodeError:
            text = ""
        if not text:
            raise
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return orjson.loads(_ESCAPE.sub(_mended, whole))


def _mended(escape: re.Match[str]) -> str:
    return escape[0] if escape["half"] is None else "\\ufffd"
