"""What lives as long as a worker: its ServiceTitan client, its lanes, and the tasks beside them."""

import traceback
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from aiokafka.errors import KafkaError

from app.booking.events import Unusable
from app.booking.inputs import Observed, Policy
from app.booking.reasons import Reason
from app.servicetitan.caller import CallMade
from app.servicetitan.upstream import HealthSeen, Upstream
from app.settings import Settings
from app.stream import codec
from app.stream.booking_lanes import BookingLanes, LaneParts, Tables
from app.stream.calls import LaneCalls
from app.stream.customer_lanes import CustomerLanes
from app.stream.dispatcher import Handler
from app.stream.errors import NotMine, TooLarge
from app.stream.faust_app import StreamApp
from app.stream.kafka import connection
from app.stream.message import Message
from app.stream.partition import partition_for
from app.stream.provision import with_other_partitions
from app.stream.scan import Scan
from app.stream.sender import Outgoing
from app.stream.settling import Settling
from app.stream.topology import Topics
from app.telemetry.log import get_logger
from app.telemetry.tracing import CallSpans
from app.view.config import ViewConfig, ViewTopics
from app.view.view import View, ViewAway
from app.web.ops.figures import Figures
from app.worker.beside import HEALTH_SECONDS, NAMES_SECONDS, SCAN_SECONDS, TOPICS_SECONDS, Beside, Rounds
from app.worker.metrics import WorkerMetrics
from app.worker.sweep import Sweep
from app.worker.upstream_config import upstream_config
from app.worker.watchdog import Seen
from app.worker.webhooks import Webhooks

_log = get_logger(__name__)

_FAULTS_OF_INPUT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a message can bring about that nobody thought of. The store and Kafka raise errors of their own."""


class Runtime:
    """Made before the app starts; connects when partitions are assigned for the first time."""

    def __init__(self, app: StreamApp, settings: Settings, topics: Topics, tables: Tables) -> None:
        self._app = app
        self._settings = settings
        self._topics = topics
        self._tables = tables
        self._process = uuid.uuid4().hex[:12]
        self.upstream: Upstream | None = None
        self._calls: LaneCalls | None = None
        self._complained: tuple[str, ...] = ()
        self.health: HealthSeen | None = None
        self.health_at: datetime | None = None
        self.view = View(
            ViewConfig(
                connection=connection(settings),
                data_dir=settings.data_dir,
                prefix=settings.topic_prefix,
                partitions=settings.topic_partitions,
                business=settings.business,
                topics=ViewTopics(
                    bookings=tables.bookings.changelog,
                    behind=tables.behind.changelog,
                    dead_letters=topics.dead_letter.name,
                    signals=topics.signals.name,
                    webhooks=topics.webhooks.name,
                ),
            )
        )
        self.scan = Scan(
            app,
            self.view,
            topic=topics.retry[0].name,
            wakers=frozenset(
                (*(one.name for one in topics.retry_read), topics.signals.name, topics.customer_requests.name)
            ),
            stopped=self._calls_are_stopped,
            keep_ended=timedelta(days=settings.keep_ended_days),
            now=_now,
        )
        self.sweep = Sweep(self.view, self.report, _now)
        self._spans = CallSpans()
        self.figures = Figures()
        self.metrics = WorkerMetrics(app, settings.mode)
        self.metrics.view = self.view
        self.metrics.scan = self.scan
        self._webhooks = Webhooks(
            self.view,
            report=self.report,
            dead_letter=self._dead_letter,
            count=self.metrics.metrics.webhook,
            give_up=self._give_up,
            retry_delays=settings.retry_delays,
            tenant=settings.tenant_number,
        )
        self._lanes: BookingLanes
        self._customers: CustomerLanes

    # Handlers are declared before the lanes can be made, which takes a running loop.

    async def on_event(self, message: Message) -> None:
        """A record of `booking-events`."""
        await self._worked(message, self._lanes.on_event)

    async def on_timer(self, message: Message) -> None:
        """A record of a retry topic."""
        await self._worked(message, self._lanes.on_timer)

    async def on_signal(self, message: Message) -> None:
        """A record of `booking-signals`."""
        await self._worked(message, self._lanes.on_signal)

    async def on_request(self, message: Message) -> None:
        """A record of `customer-requests`."""
        await self._worked(message, self._customers.on_request)

    async def on_webhook(self, message: Message) -> None:
        """A record of `servicetitan-webhooks`."""
        await self._worked(message, lambda one: self._webhooks.on_webhook(one, self.open().watch))

    async def _worked(self, message: Message, work: Handler) -> None:
        """Have a message worked; whatever it is, it neither ends nor stops the worker.

        What Kafka or the disk does to us is no message's fault, and goes on up.
        """
        if message.broken is not None:
            await self._turn_away(message, Reason.UNREADABLE, message.broken.why)
            return
        try:
            await work(message)
        except TooLarge as wrong:
            detail = f"what is to be kept of it is too large: {wrong}"
            await self._turn_away(message, Reason.TOO_LARGE, detail)
        except _FAULTS_OF_INPUT as wrong:
            # Not its text, which may hold what the message says.
            where = [f"{at.name}:{at.lineno}" for at in traceback.extract_tb(wrong.__traceback__)]
            _log.error(
                "a message could not be worked",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                error=type(wrong).__name__,
                where=where,
            )
            detail = f"it could not be worked ({type(wrong).__name__}); the log of its worker says more"
            await self._turn_away(message, Reason.UNREADABLE, detail)

    async def _turn_away(self, message: Message, reason: Reason, detail: str) -> None:
        raw = codec.raw_event(message)
        await self._lanes.dead_letter_alone(Unusable(reason=reason, detail=detail, raw=raw), message.broken)

    async def _put_right(self) -> None:
        """Tell what is no row in the changelogs, and write what counts behind it."""
        tables = self._tables
        for table in (tables.bookings, tables.intents, tables.behind, tables.customers):
            for message in await table.put_right():
                detail = "no row of this service" if message.broken is None else message.broken.why
                await self._turn_away(message, Reason.UNREADABLE, detail)

    async def _dead_letter(self, unusable: Unusable) -> None:
        await self._lanes.dead_letter_alone(unusable)

    def _give_up(self, partition: int) -> None:
        if self._calls is None or self._calls.letting_go:
            raise NotMine(partition)

    async def assigned(self) -> None:
        """Partitions were assigned: rows are touched anew, and the pace follows the share."""
        upstream = self.open()
        self._lanes.forget()
        if self._calls is not None:
            self._calls.take_hold()
        with suppress(NotMine):
            await self._put_right()
        upstream.pace.set_share(len(self._app.owned_partitions) / self._settings.topic_partitions)

    def draining(self, late: bool) -> None:
        """Partitions are about to go: what only waits is given up, at once when nothing can be called."""
        if self._calls is not None and (late or self._calls_are_stopped()):
            self._calls.let_go()

    def _calls_are_stopped(self) -> bool:
        upstream = self.upstream
        return upstream is None or upstream.gate.is_open or upstream.pace.snapshot().stopped_for > 0

    async def revoked(self) -> None:
        """No partition is ours: nothing is called."""
        if self.upstream is not None:
            self.upstream.pace.set_share(0)

    def beside(self) -> Beside:
        """What goes on beside the streams."""
        rounds: Rounds = {
            "scan": (SCAN_SECONDS, self.scan.look),
            "health": (HEALTH_SECONDS, self._ask_health),
            "topics": (TOPICS_SECONDS, self._check_topics),
            "names": (NAMES_SECONDS, self._look_at_names),
            "sweep": (float(self._settings.servicetitan_sweep_seconds), self._sweep),
        }
        return Beside(self.view, rounds=rounds, close=self.close)

    def seen(self) -> Seen:
        """What the watchdog judges."""
        app = self._app
        return Seen(
            finished=app.dispatcher.progress.finished,
            heads=app.heads(),
            unread=app.unread(),
            lag=sum(app.readable().values()),
            commit_age=app.commit_age(),
            group_answers=app.ownership.membership.fresh,
            recovering=app.recovering,
            to_replay=app.recovery_remaining(),
            excused=self._calls_are_stopped(),
        )

    async def _check_topics(self) -> None:
        """Stop when a topic's number of partitions was changed: bookings would part from their rows."""
        with suppress(KafkaError, OSError):
            found = await self._app.partitions([topic.name for topic in self._topics])
            wrong = with_other_partitions(self._topics, found, connection(self._settings))
            if wrong is not None:
                self._app.give_up_for(wrong)

    async def _ask_health(self) -> None:
        """One worker asks how ServiceTitan is; the others tell of their last real call."""
        if self.upstream is not None and 0 in self._app.owned_partitions:
            self.health = await self.upstream.check_health()
            self.health_at = _now()

    async def _look_at_names(self) -> None:
        """Every worker reads the lists that it needs anyway: a name that disappears is told at once."""
        if self.upstream is None:
            return
        await self.upstream.look_at_names()
        complaints = self.upstream.name_complaints
        for complaint in set(complaints) - set(self._complained):
            _log.error("a name of the business is not in ServiceTitan", what=complaint)
        self._complained = complaints

    async def _sweep(self) -> None:
        if self.upstream is not None and 0 in self._app.owned_partitions:
            differences = await self.sweep.look(self.upstream.watch)
            if differences is not None:
                self.metrics.metrics.sweep_ended(differences=differences, at=_now())

    async def report(self, booking_id: str, seen: Observed) -> None:
        """Tell a booking's owner what ServiceTitan was seen showing; returns when Kafka has it."""
        value = codec.encode_observed(booking_id, seen, now=_now())
        signals = self._topics.signals
        key = booking_id.encode()
        partition = partition_for(key, signals.partitions)
        headers = codec.CLOUD_EVENT_HEADERS
        await self._app.publish_all([Outgoing(signals.name, key, value, headers, partition)])

    async def close(self) -> None:
        """End what was opened."""
        if self.upstream is not None:
            await self.upstream.close()

    def open(self) -> Upstream:
        """The worker's ServiceTitan client; made, with the lanes that use it, when first asked for."""
        if self.upstream is not None:
            return self.upstream
        settings = self._settings
        upstream = Upstream(upstream_config(settings), observe=self._call_made)
        calls = LaneCalls(upstream.desk, self._app.still_mine)
        parts = LaneParts(
            app=self._app,
            topics=self._topics,
            tables=self._tables,
            calls=calls,
            settling=Settling(settings.servicetitan_settle_seconds),
            policy=Policy(
                retry_delays=settings.retry_delays,
                business=settings.business,
                keep_ended_days=settings.keep_ended_days,
            ),
            narrator=self.metrics.narrator,
            me=self._me,
            is_used=self._is_used,
        )
        self._lanes = BookingLanes(parts)
        self._customers = CustomerLanes(parts)
        self._calls = calls
        self.upstream = upstream
        self.metrics.upstream = upstream
        return upstream

    async def _is_used(self, gone: codec.CustomerForgotten) -> bool:
        try:
            return await self.view.uses_customer(gone.phone, gone.digest, gone.booking_id)
        except ViewAway:
            # What leaves too early is searched again.
            return False

    def _me(self) -> str:
        return f"{self._process}/{self._app.epoch}"

    def _call_made(self, made: CallMade) -> None:
        self.metrics.call_made(made)
        self.figures.call_made(made.kind, made.at, made.seconds)
        self._spans.call_made(
            method=made.method,
            endpoint=made.endpoint,
            http_status=made.http_status,
            outcome=made.kind,
            booking=made.lane,
            traceparent=made.traceparent,
            at=made.at,
            seconds=made.seconds,
        )


def _now() -> datetime:
    return datetime.now(UTC)
