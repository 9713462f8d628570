"""Whatever is logged, without personal data and secrets: any value in, plain JSON values out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.booking.personal import HIDDEN, PERSONAL_KEYS, Personal, mask_email, personal_key, plain_key

_DEPTH = 8
_SECRET_KEYS = {"authorization", "stappkey", "clientsecret", "accesstoken", "password", "apikey", "appkey"}
# A name or a contact's value is personal only below these; elsewhere `name` is a topic's or a job type's.
_PERSONS = {"customer", "contact", "location"}

# A run is tried from its beginning only: from each of its letters on, a long one would take for ever.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]{1,255}(?:\.[\w-]{1,255}){1,20}")
_KEYED = re.compile(
    rf"""(?P<key>\b(?:{"|".join(key.replace("_", "_?") for key in PERSONAL_KEYS)}))"""
    # What was cut before its closing quote is personal all the same.
    r"""(?P<between>\\?["']?\s{0,9}[:=]\s{0,9}\\?)(?P<quote>["'])(?P<value>.*?)(?P<end>\\?(?P=quote)|\Z)""",
    re.IGNORECASE | re.DOTALL,
)

# What pydantic refused, as its errors show it on one line: cut to some fifty characters.
_REFUSED = re.compile(r"input_value=(?:[^\n]{0,300}(?=, input_type=)|[^\n]{0,300})")
# The repr of this one error holds all of what could not be read.
_UNDECODED = re.compile(
    r"(?P<error>Unicode(?:De|En)codeError\('[\w-]{1,40}', ).*?(?=, \d{1,9}, \d{1,9}, ['\"]|\Z)", re.DOTALL
)


def masked(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value as plain dicts, lists, texts and numbers, with personal data and secrets masked at any depth.

    A model's fields are masked by their marks (`Personal`), a mapping's entries by their keys, and in a text
    e-mail addresses, `"phone": "..."` as in JSON or a repr, and values that an error shows. What is nested
    too deeply is cut off.
    """
    return _walk(value, _DEPTH, person=False)


def masked_text(text: str) -> str:
    """A text without what looks like personal data, and without half characters."""
    if text.isascii() and not ("@" in text or '"' in text or "'" in text or "input_value=" in text):
        # None of the patterns below can be in it; most texts of a log are such.
        return text
    whole = text.encode(errors="backslashreplace").decode()
    whole = _UNDECODED.sub(rf"\g<error>{HIDDEN}", _REFUSED.sub(f"input_value={HIDDEN}", whole))
    return _EMAIL.sub(lambda found: mask_email(found[0]), _KEYED.sub(_mask_keyed, whole))


def _mask_keyed(found: re.Match[str]) -> str:
    kind = personal_key(found["key"]) or Personal.TEXT
    return f"{found['key']}{found['between']}{found['quote']}{kind.mask(found['value'])}{found['end']}"


def _walk(value: object, depth: int, *, person: bool) -> Any:  # noqa: ANN401 - any JSON value
    if depth == 0:
        return "..."
    match value:
        case str():
            return masked_text(value)
        case int() if not isinstance(value, bool) and not -(2**63) <= value < 2**63:
            return str(value)
        case None | bool() | int() | float():
            return value
        case bytes() | bytearray() | memoryview():
            return masked_text(bytes(value).decode(errors="replace"))
        case BaseModel():
            return {key: _entry(key, item, kind, depth, person) for key, item, kind in _model(value)}
        case Mapping():
            return {str(key): _entry(str(key), item, None, depth, person) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_walk(item, depth - 1, person=person) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {
                field.name: _entry(field.name, getattr(value, field.name), None, depth, person)
                for field in fields(value)
            }
        case _:
            return masked_text(_shown(value))


def _shown(value: object) -> str:
    try:
        return str(value) if isinstance(value, BaseException) else repr(value)
    except Exception as wrong:  # noqa: BLE001 - a foreign repr may do anything
        return f"<{type(value).__name__}: its repr raised {type(wrong).__name__}>"


def _entry(key: str, value: object, kind: Personal | None, depth: int, person: bool) -> Any:  # noqa: ANN401 - as _walk
    plain = plain_key(key)
    if plain in _SECRET_KEYS:
        return HIDDEN
    kind = kind or personal_key(key) or (Personal.NAME if person and plain == "name" else None)
    if kind is None or value is None or isinstance(value, bool):
        return _walk(value, depth - 1, person=plain in _PERSONS)
    if isinstance(value, (str, int, float)):
        return kind.mask(str(value))
    if isinstance(value, (list, tuple)):
        return [_entry(key, item, kind, depth - 1, person) for item in value]
    return _walk(value, depth - 1, person=True)


def _model(model: BaseModel) -> Iterator[tuple[str, object, Personal | None]]:
    for name, field in type(model).model_fields.items():
        yield field.alias or name, getattr(model, name), _mark(field)


def _mark(field: FieldInfo) -> Personal | None:
    """The mark of a field: its own, or that of a part of its type, as in `Annotated[str, mark] | None`."""
    marks = (*field.metadata, *(part for option in get_args(field.annotation) for part in get_args(option)))
    return next((mark for mark in marks if isinstance(mark, Personal)), None)
