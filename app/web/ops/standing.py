"""How what bookings depend on stands: one line on top of every page, and a banner for what is not well."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.view.projector import Progress
from app.web.ops.figures import Latency, PaceFacts
from app.web.ops.words import Times, span
from app.web.services import Services, StreamFacts, UpstreamFacts

SLOW_SECONDS = 3.0
"""ServiceTitan is slow when half of its answers take this long."""

_AWAY = {
    "authentication": "ServiceTitan does not let this service in",
    "refusals": "ServiceTitan refuses nearly everything, so calls are stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that bookings depend on: how it is in a word, and figures beside it."""

    name: str
    word: str
    tone: str
    more: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """What is not well, since when, and what it means for bookings."""

    tone: str
    text: str
    shape: str = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it. `acts_off` says why nobody can act now, empty when they can."""

    parts: tuple[Part, ...]
    banners: tuple[Banner, ...]
    acts_off: str
    away: bool
    """Whether ServiceTitan is not called: bookings wait for it."""


def standing(serving: Services, times: Times) -> Standing:
    """How everything stands at this moment, as this worker sees it."""
    figures, upstream, latency = serving.figures, serving.upstream(), serving.figures.latency(times.now)
    word, kafka = _servicetitan(upstream, latency), serving.kafka
    silent = figures.since("Kafka", kafka, times.now)
    seen = _Seen(
        times=times,
        servicetitan=word,
        since=upstream.since or figures.since("ServiceTitan", word, times.now),
        latency=latency,
        upstream=upstream,
        pace=serving.pace(),
        late=figures.late,
        kafka=kafka,
        silent=(serving.view.progress.heard or silent) if kafka == "down" else silent,
        progress=serving.view.progress,
    )
    banners = (
        *seen.of_kafka(),
        *_of_stream(serving.stream()),
        *seen.of_servicetitan(),
        *(Banner(tone="bad", text=f"{name}. Bookings that need it are held.") for name in upstream.names),
    )
    return Standing(
        parts=(seen.servicetitan_part(), seen.kafka_part(), seen.late_part()),
        banners=banners,
        acts_off=f"{seen.no_answer}: nobody can act until it does." if kafka == "down" else "",
        away=word == "away",
    )


def _servicetitan(upstream: UpstreamFacts, latency: Latency | None) -> str:
    if upstream.breaker != "closed":
        return "away"
    if upstream.status == "down":
        return "failing"
    if latency is not None and latency.p50 >= SLOW_SECONDS:
        return "slow"
    return "up" if upstream.status == "up" else "not called yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is told of; `since` when ServiceTitan is as it is, `silent` since when Kafka does not answer."""

    times: Times
    servicetitan: str
    since: datetime
    latency: Latency | None
    upstream: UpstreamFacts
    pace: PaceFacts | None
    late: int
    kafka: str
    silent: datetime
    progress: Progress

    @property
    def no_answer(self) -> str:
        return f"Kafka has not answered since {self.times.clock(self.silent)}"

    @property
    def as_of(self) -> str:
        at = self.progress.as_of
        return "no time yet" if at is None else self.times.clock(at)

    @property
    def late_ones(self) -> str:
        return f"{self.late:,} booking{' is' if self.late == 1 else 's are'} late"

    def servicetitan_part(self) -> Part:
        word, told = self.servicetitan, []
        tone = {"up": "good", "away": "bad", "slow": "warn", "failing": "warn"}.get(word, "quiet")
        if tone in {"warn", "bad"}:
            word = f"{word} since {self.times.clock(self.since)}"
        if self.latency is not None:
            told.append(f"p50 {_took(self.latency.p50)}, p95 {_took(self.latency.p95)}")
        if self.pace is not None:
            told.append(f"{self.pace.used} of {round(self.pace.rate, 1):g} calls a second")
            if self.pace.stopped_for > 0:
                told.append(f"asked us to wait {span(self.pace.stopped_for)}")
        title = "Answers of the last 2 minutes and the pace, both of this worker"
        return Part(name="ServiceTitan", word=word, tone=tone, more=" · ".join(told), title=title)

    def kafka_part(self) -> Part:
        word, tone = {
            "down": (f"away since {self.times.clock(self.silent)}", "bad"),
            "behind": ("catching up", "warn"),
        }.get(self.kafka, ("up", "good"))
        return Part(name="Kafka", word=word, tone=tone, title=f"What is shown is as of {self.as_of}")

    def late_part(self) -> Part:
        word, tone = (f"{self.late:,} late", "warn") if self.late else ("none late", "good")
        if self.kafka == "down":
            word, tone = "not known", "quiet"
        title = "Their next step was due more than a minute ago"
        return Part(name="Bookings", word=word, tone=tone, title=title)

    def of_kafka(self) -> Iterator[Banner]:
        behind = self.progress.records_behind
        if self.kafka == "down":
            told = f"{self.no_answer} ({self.times.near(self.silent)})"
            lost = "No booking is worked and acts are off until it does; nothing is lost"
            yield Banner(tone="bad", text=f"{told}. {lost}. What is shown is as of {self.as_of}.")
        elif self.kafka == "behind" and behind:
            text = f"This page is {behind:,} records behind: what it shows may be old."
            yield Banner(tone="warn", text=text)
        elif self.kafka == "behind":
            text = f"What is shown is as of {self.as_of}: nothing newer has come from Kafka."
            yield Banner(tone="warn", text=text)

    def of_servicetitan(self) -> Iterator[Banner]:
        how_long = f"since {self.times.clock(self.since)} ({self.times.near(self.since)})"
        if self.servicetitan == "away":
            what = _AWAY.get(self.upstream.trouble or "", "ServiceTitan does not answer")
            wait = f" {self.late_ones}." if self.late else ""
            on = "Bookings wait, and go on by themselves when it is back"
            yield Banner(tone="bad", text=f"{what} {how_long}. {on}.{wait}")
        elif self.servicetitan == "slow" and self.latency is not None:
            half = f"half of its answers take {_took(self.latency.p50)} or longer"
            text = f"ServiceTitan is slow {how_long}: {half}. "
            yield Banner(
                tone="warn", text=text + (self.late_ones if self.late else "Bookings take longer") + "."
            )
        elif self.late:
            text = f"{self.late_ones}: their next step was due more than a minute ago."
            yield Banner(tone="warn", text=text)


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _of_stream(stream: StreamFacts) -> Iterator[Banner]:
    if stream.gave_up:
        text = f"This worker gave up and is about to end: {stream.gave_up}. The others take its work."
        yield Banner(tone="bad", text=text)
    elif stream.members == 0:
        yield Banner(tone="bad", text="No worker is consuming: bookings wait.")
    elif stream.recovering or stream.rebalancing:
        doing = "reading its tables" if stream.recovering else "changing partitions"
        text = f"This worker is {doing}: its bookings wait a moment."
        yield Banner(tone="warn", text=text, shape="clock")
