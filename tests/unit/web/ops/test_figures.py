"""The worker's own figures, and the charts that are drawn of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from app.web.ops.charts import HEIGHT, WIDTH, charts
from app.web.ops.figures import CALL_POINTS, CALL_SECONDS, Figures, PaceFacts
from tests.support.rows import NOW


def test_what_is_old_is_forgotten() -> None:
    figures = Figures()
    for second in range(2 * CALL_POINTS * CALL_SECONDS):
        figures.call_made("Accepted", NOW + timedelta(seconds=second), 0.1)
    end = NOW + timedelta(seconds=2 * CALL_POINTS * CALL_SECONDS - 1)
    assert figures.calls.values(end) == [CALL_SECONDS] * CALL_POINTS
    assert len(figures.calls._kept) == CALL_POINTS
    assert figures.calls.values(end + timedelta(hours=1)) == [0] * CALL_POINTS


def test_outcomes_are_counted_by_minute_and_lag_by_its_highest() -> None:
    figures = Figures()
    for kind in ("Accepted", "Accepted", "Failed"):
        figures.call_made(kind, NOW, 0.1)
    figures.lag_seen(7, NOW)
    figures.lag_seen(3, NOW)
    assert figures.outcomes.values(NOW)[-1] == Counter(Accepted=2, Failed=1)
    assert figures.lag.values(NOW)[-1] == 7


def test_a_speed_is_of_lately_and_counts_no_pause() -> None:
    figures, later = Figures(), NOW + timedelta(minutes=10)
    assert figures.speed("p-1", 0, NOW) is None, "not yet known"
    assert figures.speed("p-1", 20, NOW + timedelta(seconds=10)) == 2.0
    assert figures.speed("p-1", 20, later) is None, "after a pause it is measured anew"
    assert figures.speed("p-1", 60, later + timedelta(seconds=10)) == 4.0
    assert figures.speed("p-1", 60, later + timedelta(seconds=25)) == 1.6
    assert figures.speed("p-2", 7, later) is None
    for number in range(200):
        figures.speed(f"other-{number}", 0, later)
    assert figures.speed("p-1", 60, later + timedelta(seconds=26)) is None, "few are remembered"


def test_charts_say_what_they_show_and_stay_in_their_frame() -> None:
    figures = Figures()
    for second in range(60):
        for _ in range(second):
            kind = "Refused" if second % 7 == 0 else "Accepted"
            figures.call_made(kind, NOW - timedelta(seconds=second), 0.1)
    figures.lag_seen(1200, NOW)
    calls, outcomes, lag = charts(figures, PaceFacts(rate=30, used=1), NOW)
    assert calls.sentence.endswith("its share of the pace is 30")
    assert calls.limit is not None
    assert outcomes.sentence == "1518 accepted, 252 refused"
    assert lag.sentence == "1,200 now, 1,200 at most"
    for chart in (calls, outcomes, lag):
        assert chart.bars
        for bar in chart.bars:
            assert 0 <= bar.x <= WIDTH - bar.width
            assert bar.y >= -0.01
            assert bar.y + bar.height <= HEIGHT + 0.01


def test_without_calls_the_charts_say_none() -> None:
    calls, outcomes, lag = charts(Figures(), None, NOW)
    assert (calls.sentence, outcomes.sentence, lag.sentence) == ("none", "no call was made", "none")
    assert calls.bars == outcomes.bars == lag.bars == ()
