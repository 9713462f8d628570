"""What JSON Schema cannot say of a body: loaded by schemathesis (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import re

import schemathesis

from app.booking.visits import SLOT_PATTERN, window

_SLOT = re.compile(SLOT_PATTERN)


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: object) -> bool:  # noqa: ARG001 - its signature
    """A slot looks like one, and must go forward too."""
    slot = body.get("timeSlot") if isinstance(body, dict) else None
    return not isinstance(slot, str) or _SLOT.search(slot) is None or window(slot) is not None
