"""Running a worker: what is wrong is said before Faust starts, and every end has its status."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import click
import uvloop

from app.booking.outcomes import Accepted, Busy
from app.commands.data_dir import claimed, fitted
from app.commands.status import ExitStatus
from app.servicetitan.upstream import TRIES, Upstream
from app.setting_types import Mode
from app.settings import Settings, SettingsWrong, load
from app.stream.kafka import connection, wait_for_kafka
from app.stream.provision import Found, ensure
from app.stream.succession import Succession
from app.stream.topology import Topics
from app.stream.topology import topics as declared
from app.telemetry import log, tracing
from app.worker.upstream_config import upstream_config

if TYPE_CHECKING:
    from app.stream.faust_app import StreamApp

KAFKA_SECONDS = 60.0
NAMES_SECONDS = 60.0

_log = log.get_logger(__name__)

Build = Callable[[Settings, Topics], "StreamApp"]


def run_worker(build: Build, *, kafka_seconds: float = KAFKA_SECONDS) -> ExitStatus:
    """Runs a worker until SIGTERM, Ctrl-C or its own giving up.

    Reads the settings, claims DATA_DIR, waits for Kafka (seconds), creates or checks the topics, then builds
    the app with the loop that it runs in. Raises `SettingsWrong`, `KafkaAway` and `TopicsWrong` before Faust
    starts, and what the app says is wrong when it ended for that.
    """
    settings = load(os.environ)
    log.configure(log_format=settings.log_format, level=settings.log_level)
    # Until Faust has handlers of its own.
    signal.signal(signal.SIGTERM, _end)
    try:
        with claimed(settings.data_dir) as lock:
            _refuse_a_taken_port(settings)
            asyncio.run(_refuse_unknown_names(settings))
            signal.signal(signal.SIGTERM, _end)
            found = asyncio.run(_topics(settings, kafka_seconds))
            topics = found.topics
            # asyncio.run has put back the default, which would end the process with another status.
            signal.signal(signal.SIGTERM, _end)
            group = f"{found.cluster} {topics.consumer_group}"
            if not fitted(settings.data_dir, group):
                _log.warning("the stores are of another cluster or prefix: rebuilt from the changelogs")
            _say_what_runs(settings)
            send_last_spans = tracing.configure(os.environ)
            try:
                succession = None if lock is None else Succession(settings.data_dir, lock, group)
                return _run(settings, topics, build, succession)
            finally:
                send_last_spans()
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitStatus.DONE


def _run(settings: Settings, topics: Topics, build: Build, succession: Succession | None) -> ExitStatus:
    import faust  # noqa: PLC0415 - its modules read the environment when imported: after the settings are right

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    app = build(settings, topics)
    app.succession = succession
    _collect_seldom()
    worker = faust.Worker(
        app,
        loop=loop,
        loglevel=settings.log_level,
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
    )
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code in {None, 0} and app.gave_up is None:
            return ExitStatus.DONE
        if app.wrong is not None:
            raise app.wrong from None
        _log.error("the worker gave up", reason=app.gave_up or "it failed to start")
        return ExitStatus.GAVE_UP


def _collect_seldom() -> None:
    """Have the garbage collector leave alone what stays, and look at the rest less often.

    An event's work makes thousands of objects that go by themselves: with Python's own threshold of 700 a
    tenth of a busy worker's time went into looking through them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def _refuse_unknown_names(settings: Settings) -> None:
    """Outside simulation nothing is guessed: raises SettingsWrong, a line for each name that is not there.

    Of a list that cannot be read nothing can be said, and the worker starts: a name of it is looked for
    before the first job that needs it is made, and a booking whose name is not there is held.
    """
    if settings.mode is Mode.SIMULATION:
        return
    async with Upstream(upstream_config(settings)) as upstream:
        upstream.pace.set_share(1.0)
        try:
            found = await asyncio.wait_for(upstream.look_at_names(tries=TRIES), NAMES_SECONDS)
        except TimeoutError:
            found = Busy(detail=f"no answer within {NAMES_SECONDS:g} s")
        wrong = upstream.name_complaints
    if wrong:
        raise SettingsWrong("\n".join(wrong))
    if not isinstance(found, Accepted):
        _log.warning("the business's names could not be looked for in ServiceTitan", why=found.detail)


async def _topics(settings: Settings, kafka_seconds: float) -> Found:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    arguments = connection(settings)
    # The tries are said once, in our own words.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        await wait_for_kafka(arguments, seconds=kafka_seconds, say=_log.warning)
        found = await ensure(declared(settings), arguments)
    finally:
        logging.getLogger("aiokafka").setLevel(logging.WARNING)
    if found.created:
        _log.info("topics created", topics=found.created)
    return found


def _refuse_a_taken_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    try:
        socket.create_server((settings.web_host, settings.web_port), family=family).close()
    except OSError as wrong:
        raise SettingsWrong(
            f"WEB_HOST {settings.web_host!r} with WEB_PORT {settings.web_port} cannot be listened on: "
            f"{wrong.strerror}; allowed: an address of this machine and a free port"
        ) from None


def _say_what_runs(settings: Settings) -> None:
    _log.info(
        "starting",
        mode=settings.mode,
        upstream=settings.servicetitan_api_url,
        kafka=settings.kafka_bootstrap_servers,
        prefix=settings.topic_prefix,
        web=f"http://{settings.web_host}:{settings.web_port}",
    )
    for notice in settings.notices:
        _log.warning(notice)


def _end(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


_EXAMPLES = """\b
Examples:
  servicetitan-stream worker
  DATA_DIR=./data-2 WEB_PORT=6067 servicetitan-stream worker
"""


@click.command(epilog=_EXAMPLES)
def worker() -> int:
    """Run a worker: it turns bookings into jobs, and serves the web views.

    Start more of them, each with a DATA_DIR and WEB_PORT of its own, to share the work.
    """
    from app.worker.build import build  # noqa: PLC0415 - brings Faust in: after the settings are right
    from app.worker.watchdog import END_SECONDS  # noqa: PLC0415 - as above

    return run_worker(partial(build, end_seconds=END_SECONDS))
