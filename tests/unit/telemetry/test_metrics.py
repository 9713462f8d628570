"""The metrics: each declared one is there, from the start, with closed labels, and counts what it says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.booking.reasons import Reason
from app.booking.record import Phase, State
from app.telemetry import metric_list as listed
from app.telemetry.metric_list import METRICS, CreationResult, Kind, Metric, WebhookResult
from app.telemetry.metrics import (
    Attention,
    DeliveryFacts,
    Facts,
    Metrics,
    UpstreamFacts,
    ViewFacts,
    answer,
)

NOW = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
IDLE = DeliveryFacts(
    lag={},
    commit_age=0.0,
    head_age=0.0,
    unfinished=0,
    finished=0,
    recovering=False,
    recovery_remaining=0,
    partitions_owned=12,
    members=1,
)
CALM = UpstreamFacts(
    in_flight=0,
    waiting={},
    rate=60.0,
    used=0,
    stopped_for=0.0,
    trouble=None,
    breaker_waiting=0,
    token_denials=0,
)
EMPTY = ViewFacts(states={}, phases={}, events_behind=0, attention={}, records_behind=0, as_of=NOW)
WHOLE = Facts(delivery=IDLE, upstream=CALM, view=EMPTY)

# What Prometheus' library tells of the process itself.
_PROCESS = "process_"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", mode="simulation")


def read(metrics: Metrics, facts: Facts = WHOLE) -> dict[tuple[str, ...], float]:
    """Every sample as (name, label, value, label, value ...) -> value, labels in the order of their names."""
    return {
        (sample.name, *(part for pair in sorted(sample.labels.items()) for part in pair)): sample.value
        for family in text_string_to_metric_families(metrics.render(facts, now=NOW).decode())
        for sample in family.samples
    }


def value(metrics: Metrics, metric: Metric, *labels: str, facts: Facts = WHOLE) -> float:
    names = (part for pair in sorted(zip(metric.label_names, labels, strict=True)) for part in pair)
    return read(metrics, facts)[(metric.name, *names)]


def everything(metrics: Metrics) -> Facts:
    """Have something happen to every metric."""
    metrics.creation_ended(CreationResult.CREATED)
    metrics.job_known(1.5)
    metrics.dead_lettered(Reason.REFUSED)
    metrics.attempted("CreateJob", "Accepted")
    metrics.customer_answered("Known")
    metrics.second_job()
    metrics.row_missing()
    metrics.call_made(endpoint="POST /jobs", http_status=200, seconds=0.8, left_out=2)
    metrics.sweep_ended(differences=1, at=NOW)
    metrics.webhook(WebhookResult.TAKEN)
    metrics.http_answered(route="/health", method="GET", status=200, seconds=0.01)
    attention = {Reason.REFUSED: Attention(bookings=1, next_visit=NOW)}
    return Facts(
        delivery=DeliveryFacts(
            lag={("booking-events", 3): 7},
            commit_age=1.0,
            head_age=2.0,
            unfinished=3,
            finished=4,
            recovering=True,
            recovery_remaining=5,
            partitions_owned=6,
            members=2,
        ),
        upstream=CALM,
        view=ViewFacts(
            states={}, phases={}, events_behind=0, attention=attention, records_behind=0, as_of=NOW
        ),
    )


def families(metrics: Metrics, facts: Facts) -> Iterator[tuple[str, str, str]]:
    """(name, kind, help) of everything rendered that is ours; counters with their `_total`."""
    for family in text_string_to_metric_families(metrics.render(facts, now=NOW).decode()):
        if family.name.startswith(_PROCESS) or family.name.endswith("_created"):
            continue
        yield family.name + "_total" * (family.type == "counter"), family.type, family.documentation


def test_what_is_rendered_is_the_list_no_more_and_no_less(metrics: Metrics) -> None:
    rendered = {name: (kind, says) for name, kind, says in families(metrics, everything(metrics))}
    assert rendered == {metric.name: (metric.kind.value, metric.says) for metric in METRICS}


def test_every_label_is_the_listed_one_and_in_its_closed_list(metrics: Metrics) -> None:
    by_series = {series: metric for metric in METRICS for series in metric.series}
    seen = 0
    for family in text_string_to_metric_families(metrics.render(everything(metrics), now=NOW).decode()):
        for sample in family.samples:
            if sample.name.startswith(_PROCESS) or sample.name.endswith("_created"):
                continue
            metric = by_series[sample.name]
            labels = {name: said for name, said in sample.labels.items() if name != "le"}
            assert set(labels) == set(metric.label_names)
            for label in metric.labels:
                assert not label.values or labels[label.name] in label.values, sample
                seen += 1
    assert seen > 100


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_declaration_is_whole(metric: Metric) -> None:
    assert re.fullmatch(r"servicetitan_stream_[a-z_]+[a-z]", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert metric.buckets == tuple(sorted(metric.buckets))
    for sentence in (metric.says, metric.remedy):
        assert sentence.endswith(".")
        assert "|" not in sentence
    assert metric.unit
    for label in metric.labels:
        assert bool(label.values) is not bool(label.bound), label


def test_no_metric_is_declared_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_counters_with_closed_labels_are_there_from_the_start_at_0(metrics: Metrics) -> None:
    at_start = read(metrics)
    for reason in Reason:
        assert at_start[(listed.DEAD_LETTERS.name, "reason", reason.value)] == 0
    for result in CreationResult:
        assert at_start[(listed.CREATIONS.name, "result", result.value)] == 0
    assert at_start[(listed.RATE_LIMITED.name,)] == 0
    assert at_start[(listed.AUTHENTICATION_ERRORS.name, "where", "token")] == 0
    assert at_start[(listed.AUTHENTICATION_ERRORS.name, "where", "call")] == 0


def test_without_upstream_and_view_nothing_is_made_up(metrics: Metrics) -> None:
    names = {name for name, *_ in read(metrics, Facts(delivery=IDLE))}
    assert listed.PARTITIONS_OWNED.name in names
    assert not names & {listed.BREAKER_OPEN.name, listed.BOOKINGS.name, listed.VIEW_AGE.name}


def test_facts_are_of_the_moment_of_asking(metrics: Metrics) -> None:
    busy = Facts(
        delivery=IDLE,
        upstream=UpstreamFacts(
            in_flight=3,
            waiting={"critical": 2},
            rate=30.0,
            used=29,
            stopped_for=1.5,
            trouble="authentication",
            breaker_waiting=9,
            token_denials=4,
        ),
    )
    assert value(metrics, listed.CALLS_WAITING, "critical", facts=busy) == 2
    assert value(metrics, listed.CALLS_WAITING, "low", facts=busy) == 0
    assert value(metrics, listed.BREAKER_OPEN, "authentication", facts=busy) == 1
    assert value(metrics, listed.BREAKER_OPEN, "outage", facts=busy) == 0
    assert value(metrics, listed.AUTHENTICATION_ERRORS, "token", facts=busy) == 4
    assert value(metrics, listed.BREAKER_OPEN, "authentication") == 0


def test_what_waits_for_a_person_shows_its_next_visit(metrics: Metrics) -> None:
    visit = NOW + timedelta(hours=3)
    view = ViewFacts(
        states={State.HELD: 2},
        phases={Phase.HELD: 2},
        events_behind=5,
        attention={Reason.PHONE_REFUSED: Attention(bookings=2, next_visit=visit)},
        records_behind=7,
        as_of=NOW - timedelta(seconds=4),
    )
    facts = Facts(delivery=IDLE, view=view)
    assert value(metrics, listed.BOOKINGS, "held", facts=facts) == 2
    assert value(metrics, listed.LANES, "held", facts=facts) == 2
    assert value(metrics, listed.EVENTS_BEHIND, facts=facts) == 5
    assert value(metrics, listed.ATTENTION, "phone-refused", facts=facts) == 2
    assert value(metrics, listed.ATTENTION, "refused", facts=facts) == 0
    assert value(metrics, listed.ATTENTION_NEXT_VISIT, "phone-refused", facts=facts) == visit.timestamp()
    assert value(metrics, listed.VIEW_AGE, facts=facts) == 4
    assert (listed.ATTENTION_NEXT_VISIT.name, "reason", "refused") not in read(metrics, facts)


def test_a_429_and_a_401_count_for_themselves_too(metrics: Metrics) -> None:
    for status in (200, 429, 401, None, 503):
        metrics.call_made(endpoint="GET /jobs", http_status=status, seconds=0.1)
    assert value(metrics, listed.RATE_LIMITED) == 1
    assert value(metrics, listed.AUTHENTICATION_ERRORS, "call") == 1
    assert value(metrics, listed.CALLS, "GET /jobs", "none") == 1
    assert value(metrics, listed.CALLS, "GET /jobs", "5xx") == 1
    assert read(metrics)[("servicetitan_stream_call_seconds_count", "endpoint", "GET /jobs")] == 5


@pytest.mark.parametrize("status", [None, *range(100, 700)])
def test_every_status_has_its_word(status: int | None) -> None:
    assert answer(status) in listed.ANSWERS


def test_only_what_is_asked_of_servicetitan_is_an_attempt(metrics: Metrics) -> None:
    before = read(metrics)
    metrics.attempted("retry by ann: phone corrected", "accepted")
    metrics.attempted("CreateJob", "turned away")
    assert {key: n for key, n in read(metrics).items() if "attempts" in key[0]} == {
        key: n for key, n in before.items() if "attempts" in key[0]
    }


def test_a_stranger_s_method_makes_no_series_of_its_own(metrics: Metrics) -> None:
    metrics.http_answered(route="/health", method="BREW", status=405, seconds=0.01)
    assert value(metrics, listed.HTTP_REQUESTS, "/health", "other", "405") == 1


def test_a_sweep_tells_when_it_ended_and_what_it_found(metrics: Metrics) -> None:
    assert (listed.SWEEP_ENDED.name,) not in read(metrics)
    metrics.sweep_ended(differences=3, at=NOW)
    assert value(metrics, listed.SWEEP_ENDED) == NOW.timestamp()
    assert value(metrics, listed.SWEEP_DIFFERENCES) == 3


def test_two_workers_in_one_process_share_nothing(metrics: Metrics) -> None:
    metrics.second_job()
    assert value(Metrics(version="1", mode="live"), listed.SECOND_JOBS) == 0


def test_lag_is_told_per_partition_of_each_topic(metrics: Metrics) -> None:
    assert value(metrics, listed.LAG, "booking-events", "3", facts=everything(metrics)) == 7
