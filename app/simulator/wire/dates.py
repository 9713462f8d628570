"""ServiceTitan's instants: UTC, ISO 8601, 0 to 7 fractional digits with trailing zeros cut."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo

SEVEN_DIGITS = {"seven_digits": True}
"""Serialization context that adds the seventh digit ServiceTitan's own clock has; a client never sends it."""


def parse_instant(value: object) -> datetime:
    """The UTC datetime of ISO text or of a datetime.

    Digits past microseconds are cut; a date alone is its midnight; text without a zone is UTC, as in V1
    webhooks. Raises ValueError for anything else.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"The value '{value}' is not a valid date.") from None
    if not isinstance(value, datetime):
        raise ValueError("A date must be ISO 8601 text.")  # noqa: TRY004 - pydantic reports ValueError only
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("The date is out of range.") from None


def print_instant(moment: datetime, *, seven_digits: bool = False) -> str:
    """`2024-03-21T12:11:54.2435119Z`: fractional digits only as far as they are not zero.

    With `seven_digits` a seventh digit is derived from the microseconds, so that the same instant is always
    printed the same and parses back to itself.
    """
    moment = moment.astimezone(UTC)
    text = moment.isoformat()[:19]
    if not moment.microsecond:
        return text + "Z"
    digits = f"{moment.microsecond:06d}"
    if seven_digits:
        digits += str(moment.microsecond * 7 % 10)
    return f"{text}.{digits.rstrip('0')}Z"


def _serialize(moment: datetime, info: SerializationInfo) -> str:
    return print_instant(moment, seven_digits=info.context is SEVEN_DIGITS)


Instant = Annotated[
    datetime, BeforeValidator(parse_instant), PlainSerializer(_serialize, return_type=str, when_used="json")
]
"""A UTC instant as ServiceTitan reads and writes it."""
