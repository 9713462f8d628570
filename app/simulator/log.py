"""The simulator's log: every line says that it is a simulation."""

import logging
from collections.abc import MutableMapping
from typing import Any


class _Marked(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:  # noqa: ANN401 - logging's own signature
        return f"SIMULATION: {msg}", kwargs


log = _Marked(logging.getLogger("app.simulator"))
