"""Every metric, declared once: what it counts, in which unit, by which labels, and what to do when it moves.

The table in deploy/METRICS.md is rendered from here by `as_markdown`; dashboard and alerts are held to it by
tests. Every label takes its values from a closed list or is bounded by what its `bound` says, so that no
booking, customer or stranger can make new series.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from app.booking.asks import Ask, CustomerAsk
from app.booking.reasons import Reason
from app.booking.record import Phase, State

PREFIX = "servicetitan_stream_"
OUTCOMES = ("Accepted", "Busy", "Failed", "Unsure", "Refused")
ASKED = tuple(ask.__name__ for ask in (*get_args(Ask), *get_args(CustomerAsk)))
ANSWERS = ("2xx", "3xx", "4xx", "401", "403", "404", "409", "429", "5xx", "none")
PRIORITIES = ("critical", "high", "medium", "low")
TROUBLES = ("outage", "authentication", "refusals")
HTTP_METHODS = ("GET", "POST", "PATCH", "DELETE", "other")


class CreationResult(StrEnum):
    """How the creation of a job ends."""

    CREATED = "created"
    HELD = "held"
    CLOSED = "closed"
    """Overtaken by its cancellation, or discarded: no job was or will be made."""


class WebhookResult(StrEnum):
    """What becomes of a webhook; the last five say what a taken one came to."""

    TAKEN = "taken"
    MALFORMED = "malformed"
    REFUSED = "refused"
    """Its signature is bad or stale."""
    TOO_LARGE = "too-large"
    UNAVAILABLE = "unavailable"
    """No secret is set, or Kafka is away: the sender was asked to come again."""
    OBSERVED = "observed"
    DUPLICATE = "duplicate"
    NOT_OURS = "not-ours"
    """Of a job that no booking here has, or of another tenant."""
    OTHER = "other"
    """Not about a job at all."""
    UNSHOWN = "unshown"
    """ServiceTitan does not show its job: left to the sweep."""


class Kind(StrEnum):
    """Prometheus' kinds of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """One label. Without `values` its number of values is bounded by what `bound` names."""

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. `says` and `remedy` are sentences; `buckets` are upper bounds in the metric's unit."""

    name: str
    kind: Kind
    unit: str
    says: str
    remedy: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names, in order."""
        return tuple(label.name for label in self.labels)

    @property
    def series(self) -> tuple[str, ...]:
        """The names by which its series are queried."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _counter(name: str, unit: str, says: str, remedy: str, *labels: Label) -> Metric:
    name = f"{PREFIX}{name}_total"
    return Metric(name=name, kind=Kind.COUNTER, unit=unit, says=says, remedy=remedy, labels=labels)


def _gauge(name: str, unit: str, says: str, remedy: str, *labels: Label) -> Metric:
    name = f"{PREFIX}{name}"
    return Metric(name=name, kind=Kind.GAUGE, unit=unit, says=says, remedy=remedy, labels=labels)


def _histogram(name: str, says: str, remedy: str, *labels: Label, buckets: tuple[float, ...]) -> Metric:
    return Metric(
        name=f"{PREFIX}{name}_seconds",
        kind=Kind.HISTOGRAM,
        unit="seconds",
        says=says,
        remedy=remedy,
        labels=labels,
        buckets=buckets,
    )


_ENDPOINT = Label("endpoint", bound="the endpoints this service calls")
_REASON = Label("reason", tuple(Reason))
_ROUTE = Label("route", bound="the routes this service answers, as templates")
_PARTITION = (Label("topic", bound="the topics read"), Label("partition", bound="TOPIC_PARTITIONS"))
_EVERYWHERE = "The same on every worker: take the maximum, never the sum."

# What the service is for -----------------------------------------------------------------------------------

CREATIONS = _counter(
    "creations",
    "bookings",
    "Creations that came to their end; created of created and held is the success rate.",
    "When held grows: group the page's attention list by reason and act on the largest.",
    Label("result", tuple(CreationResult)),
)
CALL_SECONDS = _histogram(
    "call",
    "How long ServiceTitan took to answer, from the request's start to the whole answer.",
    "When it grows on all endpoints: ServiceTitan is slow; lower the pace. On one: look at that call.",
    _ENDPOINT,
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0),
)
DEAD_LETTERS = _counter(
    "dead_letters",
    "events",
    "Events that failed for good, by reason.",
    "Each reason has its remedy and its owner: see the runbook's chapter of that name.",
    _REASON,
)
AUTHENTICATION_ERRORS = _counter(
    "authentication_errors",
    "answers",
    "Credentials refused: a token that was not given, or one that a call was answered 401 for.",
    "A single 401 cures itself. When it goes on: check client id, secret and app key with `/auth/test`.",
    Label("where", ("token", "call")),
)
NAMES_MISSING = _gauge(
    "names_missing",
    "names",
    "Names of the business file that ServiceTitan has not, or has twice, as its lists were read last.",
    "Bookings that need one are held: put it right there, or in the business file. The page says which.",
)
RATE_LIMITED = _counter(
    "rate_limited",
    "answers",
    "Calls that ServiceTitan answered 429, against its limit of calls per second.",
    "Lower SERVICETITAN_CALLS_PER_SECOND: another app or too many workers share the limit.",
)
BOOKING_TO_JOB = _histogram(
    "booking_to_job",
    "From the time of a booking's event to the moment its job was known here.",
    "When it grows: look at lag, then at calls waiting, then at the breaker.",
    buckets=(1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 86_400.0),
)

# Lanes -----------------------------------------------------------------------------------------------------

ATTEMPTS = _counter(
    "attempts",
    "attempts",
    "Lines of bookings' timelines about something asked of ServiceTitan, by what it came to.",
    "Failed and Unsure are retried. When they grow: ServiceTitan or the network is ill.",
    Label("asked", ASKED),
    Label("outcome", OUTCOMES),
)
CUSTOMER_ANSWERS = _counter(
    "customer_answers",
    "answers",
    "What the search for a booking's customer came to.",
    "When anything but Known grows: as for attempts.",
    Label("outcome", ("Known", "Busy", "Failed", "Unsure", "Refused")),
)
BOOKINGS = _gauge(
    "bookings",
    "bookings",
    f"Bookings by state. {_EVERYWHERE}",
    "When pending stays high: nothing is being created. When held is not 0: somebody must act.",
    Label("state", tuple(State)),
)
LANES = _gauge(
    "lanes",
    "bookings",
    f"Lanes by what they do. {_EVERYWHERE}",
    "When waiting grows: retries, see attempts. When working stays: see `lanes_woken`.",
    Label("phase", tuple(Phase)),
)
EVENTS_BEHIND = _gauge(
    "events_behind",
    "events",
    f"Events that stand behind the head of their lane. {_EVERYWHERE}",
    "When it grows: held bookings gather changes; act on the held ones.",
)
ATTENTION = _gauge(
    "attention_bookings",
    "bookings",
    f"Bookings with a failed event that waits for a person. {_EVERYWHERE}",
    "Work it off on the page, the earliest visit first.",
    _REASON,
)
ATTENTION_NEXT_VISIT = _gauge(
    "attention_next_visit_timestamp_seconds",
    "seconds since 1970",
    f"The earliest visit that is not over among the bookings that wait for a person. {_EVERYWHERE}",
    "When it comes near: repair, retry or discard that booking, or call the customer.",
    _REASON,
)
SECOND_JOBS = _counter(
    "second_jobs",
    "jobs",
    "Jobs found to have been made twice, or that may have been.",
    "Look at the booking's timeline; make sure in ServiceTitan that one job is left.",
)
ROWS_MISSING = _counter(
    "rows_missing",
    "events",
    "Events behind a head whose stored row was gone.",
    "A changelog lost records: check its retention and the brokers, send the event again.",
)
LANES_WOKEN = _counter(
    "lanes_woken",
    "bookings",
    "Lanes that the scan had to wake: a timer was lost, nobody worked on them, or a row went back.",
    "It must stay 0. Report it with the booking's timeline: it is a fault of this service.",
    Label("why", ("overdue", "stuck", "restated")),
)

# ServiceTitan ----------------------------------------------------------------------------------------------

CALLS = _counter(
    "calls",
    "calls",
    "Calls made to ServiceTitan, by their HTTP answer; none when there was no whole answer.",
    "When 5xx or none grow: ServiceTitan is ill. When 403 grows: a scope is missing.",
    _ENDPOINT,
    Label("answer", ANSWERS),
)
ROWS_UNREADABLE = _counter(
    "rows_unreadable",
    "rows",
    "Rows of ServiceTitan's lists that could not be read and were left out.",
    "ServiceTitan answers otherwise than before: hold one of its rows against `app/servicetitan/wire.py`.",
    _ENDPOINT,
)
CALLS_IN_FLIGHT = _gauge(
    "calls_in_flight",
    "calls",
    "Calls under way.",
    "When it stands at MAX_CALLS_IN_FLIGHT: ServiceTitan answers too slowly for the pace.",
)
CALLS_WAITING = _gauge(
    "calls_waiting",
    "calls",
    "Calls that wait for their turn in the pace.",
    "When it grows: there is more to do than the pace allows.",
    Label("priority", PRIORITIES),
)
PACE_AVAILABLE = _gauge(
    "pace_available_calls_per_second",
    "calls per second",
    "This worker's share of SERVICETITAN_CALLS_PER_SECOND.",
    "When it is 0: the worker owns no partition.",
)
PACE_USED = _gauge(
    "pace_used_calls_per_second",
    "calls per second",
    "Calls that went out in the last second.",
    "When it stays at the share: raise the pace if ServiceTitan's limit allows it.",
)
PACE_STOPPED = _gauge(
    "pace_stopped_seconds",
    "seconds",
    "How much longer all calls stop after a 429.",
    "As for `rate_limited`.",
)
BREAKER_OPEN = _gauge(
    "breaker_open",
    "0 or 1",
    "Whether calls are stopped, by why; one real event probes.",
    "Outage: wait, nothing is lost. Authentication: mend the credentials. Refusals: undo the deployment.",
    Label("trouble", TROUBLES),
)
BREAKER_WAITING = _gauge(
    "breaker_waiting",
    "asks",
    "Asks that wait for the breaker to close.",
    "As for `breaker_open`.",
)
SWEEP_DIFFERENCES = _counter(
    "sweep_differences",
    "jobs",
    "Jobs that the sweep found to differ from our record.",
    "A few are people at work in ServiceTitan. Many: webhooks are lost, look at `webhooks`.",
)
SWEEP_ENDED = _gauge(
    "sweep_last_end_timestamp_seconds",
    "seconds since 1970",
    "When the last whole sweep ended on this worker; absent where none did.",
    "When it grows old: look for `sweep` in the log of the owner of partition 0.",
)

# Delivery --------------------------------------------------------------------------------------------------

LAG = _gauge(
    "lag_records",
    "records",
    "Records of a partition that are not done.",
    "When it does not shrink: look at commit age, head age, pace and breaker; add workers last.",
    *_PARTITION,
)
COMMIT_AGE = _gauge(
    "commit_age_seconds",
    "seconds",
    "How long the oldest finished message has waited for its commit.",
    "When it grows: Kafka does not take commits; look at the brokers.",
)
HEAD_AGE = _gauge(
    "head_age_seconds",
    "seconds",
    "How long the oldest unfinished message has been unfinished.",
    "When it grows while the breaker is closed: a lane is stuck; look for its booking in the log.",
)
MESSAGES_UNFINISHED = _gauge(
    "messages_unfinished",
    "messages",
    "Messages in memory that are not done.",
    "When it stays at its bound: as for lag.",
)
MESSAGES_FINISHED = _counter(
    "messages_finished",
    "messages",
    "Messages that were done since the start.",
    "When it stands still while there is lag: as for commit age.",
)
RECOVERING = _gauge(
    "recovering",
    "0 or 1",
    "Whether the worker waits for its partitions or its tables.",
    "After a start or rebalance it is 1 for a while; if it stays, look at `recovery_remaining_records`.",
)
RECOVERY_REMAINING = _gauge(
    "recovery_remaining_records",
    "records",
    "Changelog records still to be read before the tables are whole.",
    "When it does not shrink: Kafka is slow or away.",
)
PARTITIONS_OWNED = _gauge(
    "partitions_owned",
    "partitions",
    "Partitions of this worker; all workers' together are TOPIC_PARTITIONS.",
    "When the sum is lower: a rebalance is under way, or no worker is in the group.",
)
GROUP_MEMBERS = _gauge(
    "group_members",
    "workers",
    "Members of the group at the last assignment.",
    "When it differs from the workers that run: one cannot reach Kafka.",
)
VIEW_BEHIND = _gauge(
    "view_behind_records",
    "records",
    "Records that this worker's view has not read yet.",
    "When it does not shrink: the disk or Kafka is slow; answers over HTTP are 503 meanwhile.",
)
VIEW_AGE = _gauge(
    "view_age_seconds",
    "seconds",
    "How old the view's answers are.",
    "As for `view_behind_records`.",
)

# Web -------------------------------------------------------------------------------------------------------

WEBHOOKS = _counter(
    "webhooks",
    "webhooks",
    "Webhooks by what became of them.",
    "When refused grows: a secret differs from the sender's, or a stranger tries. "
    "When unshown grows: see whether the scope to read jobs is there.",
    Label("result", tuple(WebhookResult)),
)
HTTP_REQUESTS = _counter(
    "http_requests",
    "requests",
    "Requests answered, by route and status.",
    "When 5xx grows: look at the view and at Kafka.",
    _ROUTE,
    Label("method", HTTP_METHODS),
    Label("status", bound="the statuses this service answers"),
)
HTTP_SECONDS = _histogram(
    "http_request",
    "How long an answer took; routes that wait for a job do so up to WEB_WAIT_SECONDS.",
    "When it grows on reading routes: the worker's machine or disk is too slow.",
    _ROUTE,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
INFO = _gauge(
    "info",
    "1",
    "The version that runs, and its mode.",
    "When workers differ for long: finish the deployment.",
    Label("version", bound="the one that runs"),
    Label("mode", ("simulation", "sandbox", "live")),
)

METRICS: tuple[Metric, ...] = tuple(each for each in globals().values() if isinstance(each, Metric))
"""All of the above, in their order."""


def as_markdown() -> str:
    """The metrics as a Markdown table: name, kind, unit, labels, meaning, what to do when it moves."""
    rows = ["| metric | kind | unit | labels | meaning | when it moves |", "|---|---|---|---|---|---|"]
    rows += [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {_labels(metric)} "
        f"| {metric.says} | {metric.remedy} |"
        for metric in METRICS
    ]
    return "\n".join(rows) + "\n"


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{name}`" for name in metric.label_names) or "-"
