"""What JSON Schema cannot say of a body: loaded by schemathesis (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import re

import schemathesis
from email_validator import SPECIAL_USE_DOMAIN_NAMES

from app.booking.visits import SLOT_PATTERN, window

_SLOT = re.compile(SLOT_PATTERN)
# RFC 6761 keeps these, and an address there is refused.
_NOBODYS = frozenset(SPECIAL_USE_DOMAIN_NAMES)


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: object) -> bool:  # noqa: ARG001 - its signature
    """A slot looks like one, and must go forward too; an e-mail's domain is none that nobody can have."""
    if not isinstance(body, dict):
        return True
    slot, email = body.get("timeSlot"), body.get("email")
    if isinstance(email, str) and email.rpartition(".")[2].casefold() in _NOBODYS:
        return False
    return not isinstance(slot, str) or _SLOT.search(slot) is None or window(slot) is not None
