"""Tells a worker's metrics what its lanes, its calls and its Kafka do; `app.telemetry.metrics` keeps them."""

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from app.booking.customer_lane import CustomerRequest, Known
from app.booking.lane import Unhappy
from app.booking.record import Entry, Means, Record, SendDeadLetter, State
from app.servicetitan.caller import CallMade
from app.servicetitan.upstream import Upstream
from app.setting_types import Mode
from app.stream.faust_app import StreamApp
from app.stream.narrator import Narrator, new_entries
from app.telemetry.metric_list import CreationResult, WebhookResult
from app.telemetry.metrics import Attention, DeliveryFacts, Facts, Metrics, UpstreamFacts, ViewFacts
from app.view.view import View, ViewAway
from app.web.operations import PREFIX
from app.web.services import Answered

if TYPE_CHECKING:
    from app.stream.scan import Scan


_WEBHOOK = f"{PREFIX}/webhook"
_WEBHOOK_RESULTS = {
    200: WebhookResult.TAKEN,
    400: WebhookResult.MALFORMED,
    401: WebhookResult.REFUSED,
    413: WebhookResult.TOO_LARGE,
    503: WebhookResult.UNAVAILABLE,
}


class WorkerMetrics:
    """One worker's metrics, to be scraped by `await render()`.

    `narrator` is for the lanes, `call_made` for ServiceTitan's client, `metrics` for the web and the sweep;
    `upstream`, `view` and `scan` are set when they are there.
    """

    def __init__(self, app: StreamApp, mode: Mode) -> None:
        self.metrics = Metrics(version=version("servicetitan-stream"), mode=mode.value)
        self.narrator = CountingNarrator(self.metrics)
        self.upstream: Upstream | None = None
        self.view: View | None = None
        self.scan: Scan | None = None
        self._app = app

    def call_made(self, made: CallMade) -> None:
        """A call to ServiceTitan was made."""
        self.metrics.call_made(
            endpoint=f"{made.method} {made.endpoint}",
            http_status=made.http_status,
            seconds=made.seconds,
            left_out=made.left_out,
        )

    def answered(self, answered: Answered) -> None:
        """A request over HTTP was answered."""
        self.metrics.http_answered(
            route=answered.route, method=answered.method, status=answered.status, seconds=answered.seconds
        )
        result = _WEBHOOK_RESULTS.get(answered.status)
        if answered.route == _WEBHOOK and result is not None:
            self.metrics.webhook(result)

    async def render(self) -> bytes:
        """Everything, as of now, in Prometheus' text format (`telemetry.metrics.CONTENT_TYPE`)."""
        woken = asdict(self.scan.counts) if self.scan is not None else {}
        upstream = upstream_facts(self.upstream) if self.upstream is not None else None
        view = await view_facts(self.view) if self.view is not None else None
        facts = Facts(delivery=delivery_facts(self._app), woken=woken, upstream=upstream, view=view)
        return self.metrics.render(facts)


class CountingNarrator(Narrator):
    """Tells the log what happened, and counts it."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def saved(self, before: Record | None, record: Record) -> None:
        """A row was written."""
        super().saved(before, record)
        count_saved(self._metrics, before, record)

    def turned_away(self, letter: SendDeadLetter) -> None:
        """A record that belongs to no booking, or to one without a row, was dead-lettered."""
        super().turned_away(letter)
        self._metrics.dead_lettered(letter.trouble.reason)

    def customer(self, request: CustomerRequest, answer: Known | Unhappy) -> None:
        """A customer request was answered."""
        super().customer(request, answer)
        self._metrics.customer_answered(type(answer).__name__)


def count_saved(metrics: Metrics, before: Record | None, record: Record) -> None:
    """Count what a row says that the one before it did not."""
    for entry in new_entries(before, record):
        _count_entry(metrics, entry)
    result = creation_result(before, record)
    if result is not None:
        metrics.creation_ended(result)
    head = before.lane.head if before is not None else None
    if result is CreationResult.CREATED and head is not None:
        metrics.job_known((record.changed_at - head.time).total_seconds())
    owed_before = before.owes if before is not None else ()
    for owed in record.owes:
        if isinstance(owed, SendDeadLetter) and owed not in owed_before:
            metrics.dead_lettered(owed.trouble.reason)


def creation_result(before: Record | None, record: Record) -> CreationResult | None:
    """How the creation ended, if it ended between these two rows."""
    if record.job is not None:
        return CreationResult.CREATED if before is None or before.job is None else None
    if before is not None and before.state is record.state:
        return None
    match record.state:
        case State.HELD:
            return CreationResult.HELD
        case State.CLOSED:
            return CreationResult.CLOSED
        case State.PENDING | State.ACTIVE | State.ENDED:
            return None


def _count_entry(metrics: Metrics, entry: Entry) -> None:
    if entry.came is not None:
        metrics.attempted(entry.asked, entry.came)
    match entry.means:
        case Means.SECOND_JOB:
            metrics.second_job()
        case Means.ROW_MISSING:
            metrics.row_missing()
        case Means.GAVE_UP | None:
            # Counted by the dead letter that it owes.
            pass


def delivery_facts(app: StreamApp) -> DeliveryFacts:
    """How delivery stands."""
    return DeliveryFacts(
        lag={(tp.topic, tp.partition): records for tp, records in app.lag().items()},
        commit_age=app.commit_age(),
        head_age=app.oldest_head_age(),
        unfinished=app.unfinished(),
        finished=app.dispatcher.progress.finished,
        recovering=app.recovering,
        recovery_remaining=app.tables.recovery.active_remaining_total(),
        partitions_owned=len(app.owned_partitions),
        members=app.members,
    )


def upstream_facts(upstream: Upstream) -> UpstreamFacts:
    """How calling ServiceTitan stands."""
    pace, breaker = upstream.pace.snapshot(), upstream.gate.snapshot()
    return UpstreamFacts(
        in_flight=pace.in_flight,
        waiting={priority.name.lower(): number for priority, number in pace.waiting.items()},
        rate=pace.rate,
        used=pace.used,
        stopped_for=pace.stopped_for,
        trouble=breaker.trouble,
        breaker_waiting=upstream.gate.waiting,
        token_denials=upstream.token_denials,
        names_missing=len(upstream.name_complaints),
    )


async def view_facts(view: View) -> ViewFacts | None:
    """What the view shows, or None while it cannot be asked."""
    try:
        counts, groups = await view.counts(), await view.attention_groups()
    except ViewAway:
        return None
    return ViewFacts(
        states=counts.states,
        phases=counts.phases,
        events_behind=counts.events_behind,
        attention={g.reason: Attention(bookings=g.bookings, next_visit=g.next_visit) for g in groups},
        records_behind=view.progress.records_behind,
        as_of=view.as_of,
    )
