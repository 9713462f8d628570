"""Small charts as rectangles, drawn on the server: places and sizes as attributes, colours by class. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.web.ops.figures import CALL_SECONDS, Figures, PaceFacts

WIDTH, HEIGHT = 240, 48
_TONES = {"Accepted": "good", "Busy": "quiet", "Failed": "warn", "Unsure": "warn", "Refused": "bad"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a chart, in the chart's own units."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart and the sentence that says the same; `limit` is the height of a dashed line."""

    title: str
    sentence: str
    bars: tuple[Bar, ...]
    limit: float | None = None
    width: int = WIDTH
    height: int = HEIGHT


def charts(figures: Figures, pace: PaceFacts | None, now: datetime) -> list[Chart]:
    """Calls against the pace, outcomes of the last hour, and lag."""
    return [_calls(figures, pace, now), _outcomes(figures, now), _lag(figures, now)]


def _calls(figures: Figures, pace: PaceFacts | None, now: datetime) -> Chart:
    rates = [calls / CALL_SECONDS for calls in figures.calls.values(now)]
    rate = 0.0 if pace is None else pace.rate
    top = max(1.0, rate * 1.1, *rates)
    most = max(rates)
    share = f", its share of the pace is {rate:g}" if rate else ""
    return Chart(
        title="Calls per second, 5 min",
        sentence=f"{most:.1f} at most{share}" if most else f"none{share}",
        bars=tuple(_bars([[(value, "busy")] for value in rates], top)),
        limit=round(HEIGHT * (1 - rate / top), 1) if rate else None,
    )


def _outcomes(figures: Figures, now: datetime) -> Chart:
    minutes = figures.outcomes.values(now)
    total = sum(minutes, Counter[str]())
    top = max(1, *(minute.total() for minute in minutes))
    told = [f"{total[kind]} {kind.lower()}" for kind in _TONES if total[kind]]
    stacks = [[(float(minute[kind]), tone) for kind, tone in _TONES.items()] for minute in minutes]
    return Chart(
        title="Outcomes, 1 h",
        sentence=", ".join(told) or "no call was made",
        bars=tuple(_bars(stacks, float(top))),
    )


def _lag(figures: Figures, now: datetime) -> Chart:
    lags = figures.lag.values(now)
    most = max(lags)
    return Chart(
        title="Lag, 5 min",
        sentence=f"{lags[-1]:,} now, {most:,} at most" if most else "none",
        bars=tuple(_bars([[(float(lag), "warn")] for lag in lags], float(max(1, most)))),
    )


def _bars(stacks: Sequence[Sequence[tuple[float, str]]], top: float) -> list[Bar]:
    """Columns of one width, each a stack of values; what is zero is not drawn."""
    step = WIDTH / len(stacks)
    width = round(step - 0.8, 2)
    found: list[Bar] = []
    for place, stack in enumerate(stacks):
        ground = float(HEIGHT)
        for value, tone in stack:
            height = HEIGHT * value / top
            ground -= height
            if value:
                found.append(Bar(round(place * step, 2), round(ground, 2), width, round(height, 2), tone))
    return found
