"""The log: one format for our lines, Faust's, mode's and aiokafka's; masked; it never raises.

A module says `_log = get_logger(__name__)` and logs an event with its facts:
`_log.warning("retry", booking=id)`.
Everything is rendered in one place, the handler: what goes wrong there never reaches the caller.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from app.telemetry.masking import masked, masked_text

_NOISY_SECONDS = 10.0
_OF_MANY_LINES = frozenset({"exception", "stack"})
_LIBRARIES = (
    "aiokafka",
    "faust",
    "mode",
    "asyncio",
    "aiohttp",
    # Faust tells of its own life in the name of the module that subclasses it.
    "app.stream.recovery",
    "app.stream.store",
    "app.stream.transport",
    "app.worker.beside",
    "app.worker.watchdog",
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events carry facts as keyword arguments."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure(
    *,
    log_format: Literal["json", "console"],
    level: str,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Sends every line of this process to the stream (stderr when not given), from this level on.

    Libraries are heard from WARNING on, and from INFO on when the level is DEBUG. `NO_COLOR` is honoured.
    `clock` gives seconds and serves the limit on aiokafka's lines.
    """
    stream = stream or sys.stderr
    colours = stream.isatty() and not environ.get("NO_COLOR")
    handler = _Handler(stream)
    handler.addFilter(OncePerKind(clock))
    handler.setFormatter(_Formatter(processors=[*_FACTS, _renderer(log_format, colours=colours)]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(
            logging.INFO if level == "DEBUG" else max(logging.WARNING, root.level)
        )
    logging.captureWarnings(capture=True)
    # No line shows them, and asking for them costs each line a system call.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class OncePerKind(logging.Filter):
    """Lets one of aiokafka's lines of a kind through in 10 s; the next one says how many were left out.

    A kind is a logger, a level and a message before its arguments are put in. During a broker's outage
    aiokafka writes some hundred lines a second.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, noisy: str = "aiokafka") -> None:
        super().__init__()
        self._clock = clock
        self._noisy = noisy
        self._shown: dict[tuple[str, int, str], float] = {}
        self._left_out: dict[tuple[str, int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is shown; counts it when it is not."""
        if record.name.partition(".")[0] != self._noisy:
            return True
        kind = (record.name, record.levelno, str(record.msg)[:200])
        now = self._clock()
        if now - self._shown.get(kind, float("-inf")) < _NOISY_SECONDS:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._shown[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.suppressed = left_out
        return True


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; when even that fails (a closed pipe, a full disk) there is nowhere left to say so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


class _Formatter(ProcessorFormatter):
    """Renders a line; one that cannot be rendered is replaced by one that says whose it was."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception as wrong:  # noqa: BLE001 - logging must never raise
            return _line(
                {
                    "event": "a log line could not be rendered",
                    "logger": record.name,
                    "level": record.levelname.lower(),
                    "because": type(wrong).__name__,
                    "template": masked_text(record.msg) if isinstance(record.msg, str) else None,
                    "at": f"{record.pathname}:{record.lineno}",
                }
            )


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # What starts with an underscore is structlog's own and no part of the line.
    plain: EventDict = masked({key: value for key, value in event.items() if not key.startswith("_")})
    return plain


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {
        "time": event.pop("time", None),
        "level": event.pop("level", None),
        "event": event.pop("event", None),
    }
    return _line({**first, **event})


def _line(facts: Mapping[str, object]) -> str:
    """As JSON, which leaves DEL, C1 and direction marks as they are: they stand as its escapes too."""
    line = orjson.dumps(facts).decode()
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def _renderer(log_format: Literal["json", "console"], *, colours: bool) -> Processor:
    if log_format == "json":
        return _json
    render = structlog.dev.ConsoleRenderer(
        colors=colours, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
    )

    def console(logger: WrappedLogger, method: str, event: EventDict) -> str:
        shown = {printable(key): _printed(key, value) for key, value in event.items()}
        return str(render(logger, method, shown))

    return console


def _printed(key: str, value: object) -> object:
    # All but a text is shown by its repr.
    return printable(value, keep="\n" if key in _OF_MANY_LINES else "") if isinstance(value, str) else value


def printable(text: str, *, keep: str = "") -> str:
    """A text that does nothing to a terminal: control characters stand as escapes, but for those to keep."""
    if text.isprintable():
        return text
    shown = (one if one.isprintable() or one in keep else ascii(one)[1:-1] for one in text)
    return "".join(shown)


def _exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The traceback of what was raised."""
    raised = event.pop("exc_info", None)
    if raised is True or isinstance(raised, tuple):
        raised = raised[1] if isinstance(raised, tuple) else sys.exc_info()[1]
    if isinstance(raised, BaseException):
        event["exception"] = "".join(traceback.format_exception(raised)).rstrip()
    return event


_FACTS: tuple[Any, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.StackInfoRenderer(),
    _exception,
    _mask,
)
