"""The simulator's log: every line says that it is a simulation."""

import logging
from collections.abc import MutableMapping
from typing import Any

_MARK = "SIMULATION"


class _Marked(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:  # noqa: ANN401 - logging's own signature
        return f"{_MARK}: {msg}", kwargs


class MarkedFormatter(logging.Formatter):
    """Marks the lines of the libraries too, which do not know that they serve a simulation."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, marked once."""
        line = super().format(record)
        return line if _MARK in line else f"{_MARK}: {line}"


log = _Marked(logging.getLogger("app.simulator"))
