"""The line on top of every page: ServiceTitan, Kafka, late bookings; what is said when one is not well."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.booking.record import Lane, Phase, Waits
from app.view import glance
from app.web.ops.figures import Figures, Latency, PaceFacts
from app.web.ops.standing import Standing, standing
from app.web.ops.words import Times, badge
from app.web.services import UpstreamFacts
from tests.support.rows import NOW, a_head, a_record, held
from tests.unit.web.ops.asking import get

if TYPE_CHECKING:
    from tests.support.web import Served

OPENED = NOW - timedelta(minutes=4)
AWAY = UpstreamFacts(status="down", breaker="open", trouble="outage", since=OPENED)


def seen(served: Served) -> Standing:
    return standing(served.services(), Times(NOW, served.settings.business.time_zone))


def told(standing: Standing) -> list[str]:
    return [f"{part.name} {part.word} {part.more}".strip() for part in standing.parts]


async def test_what_is_well_is_calm(served: Served) -> None:
    served.pace = PaceFacts(rate=60, used=12)
    found = seen(served)
    assert told(found) == ["ServiceTitan up 12 of 60 calls a second", "Kafka up", "Bookings none late"]
    assert {part.tone for part in found.parts} == {"good"}
    assert (found.banners, found.acts_off, found.away) == ((), "", False)


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("outage", "ServiceTitan does not answer since 01:56 MST (4 min ago)."),
        ("authentication", "ServiceTitan does not let this service in since 01:56 MST"),
        ("refusals", "ServiceTitan refuses nearly everything, so calls are stopped since 01:56 MST"),
    ],
)
async def test_servicetitan_away_is_red_on_every_page(served: Served, trouble: str, says: str) -> None:
    served.upstream = replace(AWAY, trouble=trouble)
    for path in ("/ops", "/ops/bookings", "/ops/bookings/nobody", "/ops/plans", "/ops/help"):
        _, text = await get(served, path)
        assert says in text
        assert "away since 01:56 MST" in text
    assert [banner.tone for banner in seen(served).banners] == ["bad"]


async def test_a_slow_servicetitan_is_told_with_its_times(served: Served) -> None:
    serving = served.services()
    times = Times(NOW, served.settings.business.time_zone)
    for _ in range(20):
        serving.figures.call_made("Accepted", NOW, 12.0)
    serving.figures.call_made("Accepted", NOW, 0.2)
    found = standing(serving, times)
    assert told(found)[0] == "ServiceTitan slow since 02:00 MST p50 12.0 s, p95 12.0 s"
    assert found.banners[0].text.startswith("ServiceTitan is slow since 02:00 MST (now): half of its answers")
    later = standing(serving, replace(times, now=NOW + timedelta(minutes=1)))
    assert "slow since 02:00 MST" in told(later)[0], "it is told since when, not that it is now"
    over = standing(serving, replace(times, now=NOW + timedelta(minutes=3)))
    assert told(over)[0] == "ServiceTitan up"


def test_half_and_nearly_all_of_the_calls() -> None:
    figures = Figures()
    for number in range(1, 101):
        figures.call_made("Accepted", NOW, number / 100)
    assert figures.latency(NOW) == Latency(0.5, 0.95)
    assert figures.latency(NOW + timedelta(minutes=3)) is None
    assert Figures().latency(NOW) is None


async def test_kafka_away_is_red_and_says_what_it_means(served: Served) -> None:
    served.view.put(held("b-1"))
    heard = NOW - timedelta(minutes=2)
    served.view.set_progress(heard=heard, as_of=heard)
    served.stream = replace(served.stream, group_answers=False)
    _, text = await get(served, "/ops")
    assert "Kafka has not answered since 01:58 MST (2 min ago). No booking is worked and acts are off" in text
    assert 'class="banner bad"' in text
    assert "records behind" not in text
    assert told(seen(served))[1:] == ["Kafka away since 01:58 MST", "Bookings not known"]
    _, text = await get(served, "/ops/bookings/b-1")
    assert "Kafka has not answered since 01:58 MST: nobody can act until it does." in text
    assert 'action="/ops/bookings/b-1/actions"' not in text, "what cannot be done is not offered"


async def test_late_bookings_are_counted_and_told(served: Served) -> None:
    head = a_head(type="booking.created")
    lane = Lane(phase=Phase.WAITING, head=head, waits=Waits.RETRY, due=NOW - timedelta(seconds=59))
    working = Lane(phase=Phase.WORKING, head=head)
    long_ago = NOW - timedelta(seconds=61)
    served.view.put(
        a_record("in-time", lane=lane),
        a_record("due", lane=replace(lane, due=long_ago)),
        a_record("stuck", lane=working, changed_at=long_ago),
        a_record("at-work", lane=working, changed_at=NOW),
        held("b-1"),
    )
    assert await served.view.ask(glance.late, NOW) == 2
    serving = served.services()
    serving.figures.late = 2
    found = standing(serving, Times(NOW, served.settings.business.time_zone))
    assert found.banners[0].text == "2 bookings are late: their next step was due more than a minute ago."
    served.upstream = AWAY
    found = standing(serving, Times(NOW, served.settings.business.time_zone))
    assert found.banners[0].text.endswith("2 bookings are late.")


@pytest.mark.parametrize("waits", [None, Waits.CUSTOMER, Waits.RETRY, Waits.SETTLE])
async def test_a_booking_that_waits_for_servicetitan_says_so(served: Served, waits: Waits | None) -> None:
    lane = Lane(phase=Phase.WAITING if waits else Phase.WORKING, head=a_head(), waits=waits, due=None)
    record = a_record("b-1", lane=lane)
    served.view.put(record)
    assert badge(record).word != "waits for ServiceTitan"
    served.upstream = AWAY
    for path in ("/ops/bookings", "/ops/bookings/b-1"):
        _, text = await get(served, path)
        assert "waits for ServiceTitan" in text
        assert "attempt 1 of 4" not in text
    soon = replace(record, lane=replace(lane, due=NOW + timedelta(seconds=4)))
    assert badge(soon, away_at=NOW).word == badge(soon).word, "its own time has not come"
    assert badge(held("b-2"), away_at=NOW).word == "held"
