"""Personal data: marked where it is declared, masked wherever it is shown.

A field of a model is marked with `Annotated[str, Personal.PHONE]`. What a mask leaves is enough to recognise
a customer one talks to, and not enough to find one.
"""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

HIDDEN = "***"


class Personal(Enum):
    """The kinds of personal data; a member marks a field, and `mask` hides a value of its kind."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    TEXT = "text"

    def mask(self, value: str) -> str:
        """The value, masked as its kind demands."""
        match self:
            case Personal.NAME:
                return mask_name(value)
            case Personal.PHONE:
                return mask_phone(value)
            case Personal.EMAIL:
                return mask_email(value)
            case Personal.ADDRESS | Personal.TEXT:
                return mask_address(value)


def mask_name(name: str) -> str:
    """The first letter of each word: `Ada Lovelace` gives `A*** L***`."""
    return " ".join(f"{word[0]}{HIDDEN}" for word in name.split())


def mask_phone(phone: str) -> str:
    """The last two digits: `(602) 555-0123` gives `***23`."""
    digits = [letter for letter in phone if letter.isdecimal()]
    return f"{HIDDEN}{''.join(digits[-2:])}" if len(digits) > 4 else HIDDEN


def mask_email(email: str) -> str:
    """The first letter and the domain: `ada@example.com` gives `a***@example.com`."""
    local, at, domain = email.rpartition("@")
    return f"{local[:1]}{HIDDEN}@{domain}" if at else HIDDEN


def mask_address(address: str) -> str:
    """Nothing of it; what is empty stays empty."""
    return HIDDEN if address.strip() else ""


# Names of fields in events and in ServiceTitan's bodies.
PERSONAL_KEYS: Mapping[str, Personal] = {
    "first_name": Personal.NAME,
    "last_name": Personal.NAME,
    "full_name": Personal.NAME,
    "customer_name": Personal.NAME,
    "phone": Personal.PHONE,
    "phone_number": Personal.PHONE,
    "mobile_phone": Personal.PHONE,
    "email": Personal.EMAIL,
    "email_address": Personal.EMAIL,
    "address": Personal.ADDRESS,
    "street": Personal.ADDRESS,
    "unit": Personal.ADDRESS,
    "latitude": Personal.ADDRESS,
    "longitude": Personal.ADDRESS,
    "special_instructions": Personal.TEXT,
}
# What stands under these is nobody's, as long as it is short. Whatever is not named here may be anything:
# people write their numbers into the strangest fields.
HARMLESS_KEYS = frozenset(
    {
        "problemtype",
        "scheduleddate",
        "timeslot",
        "doorcount",
        "doorage",
        "isrenter",
        "status",
        "technicianids",
        "specversion",
        "type",
        "time",
        "datacontenttype",
        "traceparent",
        "tracestate",
    }
)
_LONGEST_HARMLESS = 60
_BY_PLAIN_KEY = {key.replace("_", ""): kind for key, kind in PERSONAL_KEYS.items()}


@lru_cache(maxsize=256)
def plain_key(key: str) -> str:
    """A field's name however it is written: `firstName`, `first_name` and `FIRST-NAME` give `firstname`."""
    return key.replace("_", "").replace("-", "").lower()


def harmless(key: str, value: object) -> bool:
    """Whether a value may be shown to everybody: a short one under a key of which we know what it holds."""
    return plain_key(key) in HARMLESS_KEYS and len(str(value)) <= _LONGEST_HARMLESS


def personal_key(key: str) -> Personal | None:
    """What kind of personal data stands under such a key, if any."""
    return _BY_PLAIN_KEY.get(plain_key(key))
