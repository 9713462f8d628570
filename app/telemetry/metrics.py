"""The metrics of one worker: counters that are told what happens, and facts that are read when asked for.

Everything is declared in `app.telemetry.metric_list`. This module knows nothing of streams or ServiceTitan:
`app.worker.metrics` says to it what they do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from app.booking.reasons import Reason
from app.booking.record import Phase, State
from app.telemetry import metric_list as listed
from app.telemetry.metric_list import CreationResult, Kind, Metric, WebhookResult

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_OWN_ANSWERS = frozenset({401, 403, 404, 409, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """How delivery stands: ages in seconds, `lag` in records by (topic, partition)."""

    lag: Mapping[tuple[str, int], int]
    commit_age: float
    head_age: float
    unfinished: int
    finished: int
    recovering: bool
    recovery_remaining: int
    partitions_owned: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFacts:
    """How calling ServiceTitan stands.

    `waiting` is by priority; `trouble` is None while the breaker is closed; `token_denials` counts the tokens
    that were refused for the credentials, since the start.
    """

    in_flight: int
    waiting: Mapping[str, int]
    rate: float
    used: int
    stopped_for: float
    trouble: str | None
    breaker_waiting: int
    token_denials: int
    names_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What waits for a person for one reason: how many bookings, and their next visit if any is to come."""

    bookings: int
    next_visit: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFacts:
    """What the view of all bookings shows; `as_of` is None before it was whole."""

    states: Mapping[State, int]
    phases: Mapping[Phase, int]
    events_behind: int
    attention: Mapping[Reason, Attention]
    records_behind: int
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can be read at a moment; a part is None while there is nothing to read it from.

    `woken` counts the lanes that the scan had to wake since the start, by why.
    """

    delivery: DeliveryFacts
    woken: Mapping[str, int] = field(default_factory=dict)
    upstream: UpstreamFacts | None = None
    view: ViewFacts | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric; `labels` in the order of its list."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


class Metrics:
    """One worker's metrics, in a registry of its own. Its methods are told what happened."""

    def __init__(self, *, version: str, mode: str) -> None:
        self._registry = CollectorRegistry()
        self._counters = {m: self._counter(m) for m in _told(Kind.COUNTER)}
        self._histograms = {m: self._histogram(m) for m in _told(Kind.HISTOGRAM)}
        info = Gauge(listed.INFO.name, listed.INFO.says, listed.INFO.label_names, registry=self._registry)
        info.labels(version, mode).set(1)
        self._http: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._swept: datetime | None = None
        self._calls_unauthorized = 0
        self._collector = _FactsCollector(self._own_facts)
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)

    def render(self, facts: Facts, *, now: datetime | None = None) -> bytes:
        """Everything in Prometheus' text format (`CONTENT_TYPE`), with these facts."""
        self._collector.samples = tuple(samples(facts, now or datetime.now(UTC)))
        return generate_latest(self._registry)

    # What happened -----------------------------------------------------------------------------------------

    def creation_ended(self, result: CreationResult) -> None:
        """A booking's creation came to its end."""
        self._add(listed.CREATIONS, result)

    def job_known(self, seconds: float) -> None:
        """A job is there, so many seconds after its booking's event."""
        self._histograms[listed.BOOKING_TO_JOB].observe(max(0.0, seconds))

    def dead_lettered(self, reason: Reason) -> None:
        """An event failed for good."""
        self._add(listed.DEAD_LETTERS, reason)

    def attempted(self, asked: str, outcome: str) -> None:
        """Something was asked of ServiceTitan for a lane; other lines of a timeline are not counted."""
        if asked in listed.ASKED and outcome in listed.OUTCOMES:
            self._add(listed.ATTEMPTS, asked, outcome)

    def customer_answered(self, outcome: str) -> None:
        """A customer request was answered: Known, or an outcome."""
        self._add(listed.CUSTOMER_ANSWERS, outcome)

    def second_job(self) -> None:
        """A second job was found for a booking, or could not be ruled out."""
        self._add(listed.SECOND_JOBS)

    def row_missing(self) -> None:
        """A row that a lane counts on was not there."""
        self._add(listed.ROWS_MISSING)

    def call_made(self, *, endpoint: str, http_status: int | None, seconds: float, left_out: int = 0) -> None:
        """A call to ServiceTitan was made; `endpoint` is its method and template.

        `left_out` rows of its answer could not be read.
        """
        self._add(listed.CALLS, endpoint, answer(http_status))
        if left_out:
            self._counters[listed.ROWS_UNREADABLE].labels(endpoint).inc(left_out)
        self._histograms[listed.CALL_SECONDS].labels(endpoint).observe(seconds)
        if http_status == 429:
            self._add(listed.RATE_LIMITED)
        if http_status == 401:
            self._calls_unauthorized += 1

    def sweep_ended(self, *, differences: int, at: datetime) -> None:
        """A whole sweep ended, and found so many jobs to differ."""
        self._counters[listed.SWEEP_DIFFERENCES].inc(differences)
        self._swept = at

    def webhook(self, result: WebhookResult) -> None:
        """Something became of a webhook."""
        self._add(listed.WEBHOOKS, result)

    def http_answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its template, or one word for all that matched none."""
        known = method if method in listed.HTTP_METHODS else "other"
        requests, duration = self._http.get((route, known, status)) or self._http_of(route, known, status)
        requests.inc()
        duration.observe(seconds)

    def _http_of(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """The two that a request is counted in, found once: their labels are few."""
        found = (
            self._counters[listed.HTTP_REQUESTS].labels(route, method, str(status)),
            self._histograms[listed.HTTP_SECONDS].labels(route),
        )
        self._http[route, method, status] = found
        return found

    # How it is kept ----------------------------------------------------------------------------------------

    def _add(self, metric: Metric, *labels: str) -> None:
        counter = self._counters[metric]
        (counter.labels(*labels) if labels else counter).inc()

    def _counter(self, metric: Metric) -> Counter:
        counter = Counter(metric.name, metric.says, metric.label_names, registry=self._registry)
        for values in _closed(metric):
            # From the start at 0: a rate over the first one must not be missed.
            counter.labels(*values)
        return counter

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(
            metric.name, metric.says, metric.label_names, buckets=metric.buckets, registry=self._registry
        )

    def _own_facts(self) -> Iterator[Sample]:
        yield Sample(listed.AUTHENTICATION_ERRORS, self._calls_unauthorized, ("call",))
        if self._swept is not None:
            yield Sample(listed.SWEEP_ENDED, self._swept.timestamp())


@dataclass(slots=True, eq=False)
class _FactsCollector(Collector):
    """Gives what was read at the moment of asking, as Prometheus' families."""

    own: Callable[[], Iterable[Sample]]
    samples: tuple[Sample, ...] = field(default=())

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        families: dict[Metric, GaugeMetricFamily | CounterMetricFamily] = {}
        for sample in (*self.own(), *self.samples):
            metric = sample.metric
            family = families.setdefault(metric, _family(metric))
            family.add_metric(sample.labels, sample.value)
        yield from families.values()


def samples(facts: Facts, now: datetime) -> Iterator[Sample]:
    """The facts as values of metrics."""
    yield from _of_delivery(facts.delivery)
    for (why,) in _closed(listed.LANES_WOKEN):
        yield Sample(listed.LANES_WOKEN, facts.woken.get(why, 0), (why,))
    if facts.upstream is not None:
        yield from _of_upstream(facts.upstream)
    if facts.view is not None:
        yield from _of_view(facts.view, now)


def _of_delivery(seen: DeliveryFacts) -> Iterator[Sample]:
    for (topic, partition), records in seen.lag.items():
        yield Sample(listed.LAG, records, (topic, str(partition)))
    yield Sample(listed.COMMIT_AGE, seen.commit_age)
    yield Sample(listed.HEAD_AGE, seen.head_age)
    yield Sample(listed.MESSAGES_UNFINISHED, seen.unfinished)
    yield Sample(listed.MESSAGES_FINISHED, seen.finished)
    yield Sample(listed.RECOVERING, seen.recovering)
    yield Sample(listed.RECOVERY_REMAINING, seen.recovery_remaining)
    yield Sample(listed.PARTITIONS_OWNED, seen.partitions_owned)
    yield Sample(listed.GROUP_MEMBERS, seen.members)


def _of_upstream(seen: UpstreamFacts) -> Iterator[Sample]:
    yield Sample(listed.CALLS_IN_FLIGHT, seen.in_flight)
    for priority in listed.PRIORITIES:
        yield Sample(listed.CALLS_WAITING, seen.waiting.get(priority, 0), (priority,))
    yield Sample(listed.PACE_AVAILABLE, seen.rate)
    yield Sample(listed.PACE_USED, seen.used)
    yield Sample(listed.PACE_STOPPED, seen.stopped_for)
    for trouble in listed.TROUBLES:
        yield Sample(listed.BREAKER_OPEN, seen.trouble == trouble, (trouble,))
    yield Sample(listed.BREAKER_WAITING, seen.breaker_waiting)
    yield Sample(listed.AUTHENTICATION_ERRORS, seen.token_denials, ("token",))
    yield Sample(listed.NAMES_MISSING, seen.names_missing)


def _of_view(seen: ViewFacts, now: datetime) -> Iterator[Sample]:
    for state in State:
        yield Sample(listed.BOOKINGS, seen.states.get(state, 0), (state,))
    for phase in Phase:
        yield Sample(listed.LANES, seen.phases.get(phase, 0), (phase,))
    yield Sample(listed.EVENTS_BEHIND, seen.events_behind)
    for reason in Reason:
        group = seen.attention.get(reason)
        yield Sample(listed.ATTENTION, group.bookings if group else 0, (reason,))
        if group and group.next_visit is not None:
            yield Sample(listed.ATTENTION_NEXT_VISIT, group.next_visit.timestamp(), (reason,))
    yield Sample(listed.VIEW_BEHIND, seen.records_behind)
    if seen.as_of is not None:
        yield Sample(listed.VIEW_AGE, max(0.0, (now - seen.as_of).total_seconds()))


def answer(http_status: int | None) -> str:
    """An HTTP status as one of `metric_list.ANSWERS`."""
    if http_status is None:
        return "none"
    if http_status in _OWN_ANSWERS:
        return str(http_status)
    return f"{http_status // 100}xx" if 200 <= http_status < 600 else "none"


_READ = frozenset({listed.AUTHENTICATION_ERRORS, listed.LANES_WOKEN, listed.MESSAGES_FINISHED})
"""Counters that are kept elsewhere and read when asked for."""


def _told(kind: Kind) -> Iterator[Metric]:
    return (metric for metric in listed.METRICS if metric.kind is kind and metric not in _READ)


def _closed(metric: Metric) -> Iterator[tuple[str, ...]]:
    """Every combination of a metric's labels, when all of their values are known beforehand."""
    if not metric.labels or not all(label.values for label in metric.labels):
        return iter(())
    return product(*(label.values for label in metric.labels))


def _family(metric: Metric) -> GaugeMetricFamily | CounterMetricFamily:
    family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return family(metric.name, metric.says, labels=metric.label_names)
