"""What JSON Schema cannot say of a body: loaded by schemathesis (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import schemathesis
from email_validator import SPECIAL_USE_DOMAIN_NAMES

from app.booking.events import Invalid, validate
from app.booking.visits import SLOT_PATTERN, window

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext,  # noqa: ARG001 - its signature
    case: schemathesis.Case[Any],
    kwargs: Mapping[str, Any],  # noqa: ARG001 - as above
) -> None:
    """A slot that is none is none to the service too, which reads more than is asked for: marks, blanks."""
    body = case.body
    if not isinstance(body, dict):
        return
    slot = body.get("timeSlot")
    if isinstance(slot, str) and _SLOT.search(slot) is None and _is_read(slot):
        body["timeSlot"] = "noon"


def _is_read(slot: str) -> bool:
    data = {"scheduledDate": "2026-12-01T00:00:00Z", "timeSlot": slot}
    return not isinstance(validate("booking.rescheduled", data, "b"), Invalid)
