"""Builds a worker's app: which topic is read by which lane, and what lives as long as the worker."""

from app.booking.record import rank
from app.settings import Settings
from app.stream.booking_lanes import Tables
from app.stream.config import AppConfig, WebConfig
from app.stream.faust_app import StreamApp, build_app
from app.stream.kafka import connection
from app.stream.message import Message
from app.stream.scan import booking_chain
from app.stream.topology import Topics
from app.web.guard import web_options
from app.web.install import install
from app.worker.runtime import Runtime
from app.worker.serving import services
from app.worker.watchdog import Watch

_DRAIN_MARGIN_SECONDS = 5.0


def build(settings: Settings, topics: Topics, *, end_seconds: float | None = None) -> StreamApp:
    """A worker, ready to be started. Nothing is connected before it is.

    With `end_seconds` it ends the whole process when it gave up and does not end by itself in that time.
    """
    app = build_app(
        AppConfig(
            group=topics.consumer_group,
            connection=connection(settings),
            data_dir=settings.data_dir,
            partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
            store=settings.store,
            session_timeout=float(settings.kafka_session_timeout_seconds),
            drain_limit=settings.servicetitan_timeout_seconds + _DRAIN_MARGIN_SECONDS,
            largest={topic.name: topic.max_message_bytes for topic in topics},
            web=WebConfig(host=settings.web_host, port=settings.web_port, options=web_options(settings)),
        )
    )
    tables = Tables(
        bookings=app.owned_table("bookings", rank=rank),
        intents=app.owned_table("intents", rank=rank),
        behind=app.owned_table("behind", rank=rank),
        customers=app.owned_table("customers"),
    )
    runtime = Runtime(app, settings, topics, tables)
    _read_topics(app, topics, runtime)
    app.accompany(runtime.beside())
    app.guard(Watch(runtime.seen, give_up=app.give_up, gave_up=lambda: app.gave_up, end_seconds=end_seconds))
    app.on_assigned(runtime.assigned)
    app.on_draining(runtime.draining)
    app.on_revoked(runtime.revoked)
    install(app, services(app, settings, topics, runtime))
    return app


def _read_topics(app: StreamApp, topics: Topics, runtime: Runtime) -> None:
    """Every topic's handler and chain: all that concerns one booking, or one phone, is one chain."""
    app.source(topics.booking_events.name, runtime.on_event, key=_booking)
    app.source(topics.signals.name, runtime.on_signal, key=_booking)
    for retry in topics.retry_read:
        app.source(retry.name, runtime.on_timer, key=_booking, delay=float(retry.delay))
    app.source(topics.webhooks.name, runtime.on_webhook, key=_job)
    app.source(topics.customer_requests.name, runtime.on_request, key=_phone)


def _booking(message: Message) -> bytes:
    return booking_chain(message.key or b"")


def _phone(message: Message) -> bytes:
    return b"c/" + (message.key or b"")


def _job(message: Message) -> bytes:
    return b"j/" + (message.key or b"")
