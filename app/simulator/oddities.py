"""Answers with keys and words that ServiceTitan's documents do not have: some were seen, more will come."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

KEYS: Mapping[str, object] = {"isAutoDispatched": False, "equipmentIds": [], "summaryOfWork": None}
WORD = "Escalated"
_WORDS_IN = ("jobStatus", "status", "priority", "type")


def beyond_documents(body: bytes, is_strange: Callable[[Mapping[str, Any]], bool]) -> bytes:
    """The answer with unknown keys in each row, and unknown words in the rows that are strangers'."""
    said = orjson.loads(body) if body else None
    if not isinstance(said, dict):
        return body
    rows = said["data"] if isinstance(said.get("data"), list) else [said]
    for row in rows:
        if is_strange(row):
            row.update((name, WORD) for name in _WORDS_IN if isinstance(row.get(name), str))
        row.update(KEYS)
    return orjson.dumps(said)
