"""Names to ids: read once, shared, read again when in doubt."""

import asyncio
from datetime import UTC, datetime

from app.booking.business import NameKind
from app.booking.outcomes import Accepted, Failed, Outcome, Refused
from app.booking.reasons import Reason
from app.servicetitan.caller import Errand
from app.servicetitan.catalogue import DOUBT_SECONDS, KEEP_SECONDS, NameList, all_of
from app.servicetitan.pace import Priority
from app.servicetitan.wire import Named as Campaign
from app.servicetitan.wire import Page
from tests.unit.servicetitan.clock import Clock

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ERRAND = Errand(priority=Priority.CRITICAL, since=0.0)


class Office:
    """A list that the office changes; it counts how often each page is read."""

    def __init__(self, *pages: tuple[Campaign, ...], guess: bool = False) -> None:
        self.pages = list(pages)
        self.read: list[int] = []
        self.broken = False
        self.clock = Clock()
        self.names = NameList(NameKind.CAMPAIGN, all_of(self.page), self.clock, guess=guess)

    async def page(self, _: Errand, number: int) -> Outcome[Page[Campaign]]:
        self.read.append(number)
        await asyncio.sleep(0)
        if self.broken:
            return Failed(detail="503")
        rows = self.pages[number - 1]
        return Accepted(value=Page(data=rows, has_more=number < len(self.pages)), at=NOW)

    async def id_of(self, name: str) -> Outcome[int]:
        return await self.names.id_of(name, ERRAND)


def campaign(row_id: int, name: str, *, active: bool = True) -> Campaign:
    return Campaign(id=row_id, name=name, active=active)


GOOGLE, REFERRAL = campaign(1, "Google Ads"), campaign(2, "Referral")


async def found(office: Office, name: str = "Google Ads") -> int:
    outcome = await office.id_of(name)
    assert isinstance(outcome, Accepted)
    return outcome.value


async def test_all_pages_are_read_once() -> None:
    office = Office((GOOGLE,), (REFERRAL,))
    assert [await found(office, name) for name in ("Referral", "Google Ads")] == [2, 1]
    assert office.read == [1, 2]


async def test_many_that_need_it_at_once_share_one_read() -> None:
    office = Office((GOOGLE,))
    assert set(await asyncio.gather(*(found(office, "Google Ads") for _ in range(10)))) == {1}
    assert office.read == [1]


async def test_one_that_goes_away_does_not_stop_the_read_for_others() -> None:
    office = Office((GOOGLE,))
    first = asyncio.create_task(office.id_of("Google Ads"))
    second = asyncio.create_task(found(office))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    assert office.read == [1]


async def test_an_inactive_row_is_not_there() -> None:
    office = Office((campaign(3, "Old", active=False), GOOGLE))
    assert await found(office) == 1
    assert isinstance(await office.id_of("Old"), Refused)


async def test_a_name_is_found_as_it_is_written_and_once_or_not_at_all() -> None:
    twice = campaign(9, "Google Ads")
    for rows, name, wrong in (
        ((GOOGLE,), "google ads", "is not among ServiceTitan's active campaigns; there: Google Ads"),
        ((), "Radio", "is not among ServiceTitan's active campaigns; there: none"),
        (
            (GOOGLE, twice),
            "Google Ads",
            "stands 2 times among ServiceTitan's active campaigns; there: Google Ads, Google Ads",
        ),
    ):
        office = Office(rows)
        assert await office.id_of(name) == Refused(reason=Reason.REFUSED, detail=f"'{name}' {wrong}")
        assert office.names.complaint(name) == f"'{name}' {wrong}"


async def test_what_is_not_read_yet_is_not_complained_of() -> None:
    assert Office((GOOGLE,)).names.complaint("Radio") == ""


async def test_a_failed_read_is_told_and_tried_again_at_the_next_need() -> None:
    office = Office((GOOGLE,))
    office.broken = True
    assert await office.id_of("Google Ads") == Failed(detail="503")
    office.broken = False
    assert await found(office) == 1


async def test_the_list_is_read_again_after_an_hour() -> None:
    office = Office((GOOGLE,))
    await found(office)
    office.clock.now += KEEP_SECONDS + 1
    await found(office)
    assert office.read == [1, 1]


async def test_a_name_that_is_missing_is_looked_for_again_but_not_every_time() -> None:
    office = Office((GOOGLE,))
    await found(office)
    assert isinstance(await office.id_of("Referral"), Refused)
    assert office.read == [1]
    office.pages = [(GOOGLE, REFERRAL)]
    office.clock.now += DOUBT_SECONDS + 1
    assert await found(office, "Referral") == 2


async def test_in_simulation_the_first_stands_in_for_a_missing_name() -> None:
    office = Office((GOOGLE, REFERRAL), guess=True)
    assert [await found(office, name) for name in ("Radio", "Referral")] == [1, 2]
    office.clock.now += DOUBT_SECONDS + 1
    assert await found(office, "Radio") == 1
    assert office.read == [1]
    assert office.names.complaint("Radio") == ""


async def test_nothing_stands_in_where_there_is_nothing() -> None:
    assert isinstance(await Office((), guess=True).id_of("Radio"), Refused)


async def test_a_doubted_list_is_read_again_unless_it_is_fresh() -> None:
    office = Office((GOOGLE,))
    await found(office)
    office.names.doubt()
    await found(office)
    assert office.read == [1]
    office.clock.now += DOUBT_SECONDS + 1
    office.names.doubt()
    await found(office)
    assert office.read == [1, 1]
