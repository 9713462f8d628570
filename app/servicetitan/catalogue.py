"""Names to ids: the tenant's lists that the business file has names of, read again and again.

A name is found as it is written, once, among the active rows; nothing is guessed outside simulation.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from app.booking.business import Business, NameKind
from app.booking.outcomes import Accepted, Outcome, Refused
from app.booking.reasons import Reason
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand, nobody_waits, nothing_to_check
from app.servicetitan.endpoints import Endpoint
from app.servicetitan.single_flight import SingleFlight
from app.servicetitan.wire import Named, Page

KEEP_SECONDS = 3600.0
DOUBT_SECONDS = 60.0
"""A name that is missing, or was refused, is believed missing only from a list younger than this."""
MOST_PAGES = 20
NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of one of the lists."""

    id: int
    name: str


ReadAll = Callable[[Errand], Awaitable[Outcome[tuple[Entry, ...]]]]


class NameList:
    """One of the tenant's lists. With `guess` the first row stands in for a name that is not found once."""

    def __init__(
        self, kind: NameKind, read: ReadAll, clock: Callable[[], float], *, guess: bool = False
    ) -> None:
        self._kind = kind
        self._read = read
        self._clock = clock
        self._guess = guess
        self._kept: Accepted[tuple[Entry, ...]] | None = None
        self._newest: tuple[Entry, ...] | None = None
        self._read_at = 0.0
        self._reading: SingleFlight[Outcome[tuple[Entry, ...]]] = SingleFlight()

    async def id_of(self, name: str, errand: Errand) -> Outcome[int]:
        """The id of the active row with this name; else Refused, and why with the names there are."""
        rows = await self.rows(errand, KEEP_SECONDS)
        if isinstance(rows, Accepted) and not self._guess and isinstance(_pick(rows.value, name), str):
            rows = await self.rows(errand, DOUBT_SECONDS)
        if not isinstance(rows, Accepted):
            return rows
        found = _pick(rows.value, name)
        if isinstance(found, str) and self._guess and rows.value:
            found = rows.value[0]
        if isinstance(found, str):
            return Refused(reason=Reason.REFUSED, detail=self._sentence(name, found, rows.value))
        return Accepted(value=found.id, at=rows.at)

    def complaint(self, name: str) -> str:
        """What is wrong with a name by the list as it was read last; nothing before it was."""
        if self._newest is None or self._guess:
            return ""
        found = _pick(self._newest, name)
        return self._sentence(name, found, self._newest) if isinstance(found, str) else ""

    def doubt(self) -> None:
        """An id from this list was refused: read it again at the next need, unless it is fresh."""
        if self._clock() - self._read_at > DOUBT_SECONDS:
            self._kept = None

    async def close(self) -> None:
        """Stop a read under way."""
        await self._reading.close()

    async def rows(self, errand: Errand, keep: float) -> Outcome[tuple[Entry, ...]]:
        """The active rows, from a reading that is at most `keep` seconds old."""
        if self._kept is not None and self._clock() - self._read_at <= keep:
            return self._kept
        shared = replace(errand, check=nothing_to_check, ended=nobody_waits)
        return await self._reading.result(lambda: self._read_now(shared))

    async def _read_now(self, errand: Errand) -> Outcome[tuple[Entry, ...]]:
        started = self._clock()
        rows = await self._read(errand)
        if isinstance(rows, Accepted):
            self._kept, self._newest, self._read_at = rows, rows.value, started
        return rows

    def _sentence(self, name: str, wrong: str, rows: Sequence[Entry]) -> str:
        there = ", ".join(row.name for row in rows[:NAMES_SHOWN]) or "none"
        more = f" and {len(rows) - NAMES_SHOWN} more" if len(rows) > NAMES_SHOWN else ""
        return f"'{name}' {wrong} among ServiceTitan's active {self._kind}; there: {there}{more}"


_LISTS: Mapping[NameKind, Endpoint[Page[Named]]] = {
    NameKind.BUSINESS_UNIT: endpoints.LIST_BUSINESS_UNITS,
    NameKind.JOB_TYPE: endpoints.LIST_JOB_TYPES,
    NameKind.CAMPAIGN: endpoints.LIST_CAMPAIGNS,
    NameKind.CANCEL_REASON: endpoints.LIST_CANCEL_REASONS,
    NameKind.TAG_TYPE: endpoints.LIST_TAG_TYPES,
}


class Catalogue:
    """The lists, and what of the business's names they do not have."""

    def __init__(
        self,
        caller: Caller,
        business: Business,
        *,
        guess: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._business = business
        self._guess = guess
        self._lists = {
            kind: _list_of(kind, caller, endpoint, clock, guess=guess) for kind, endpoint in _LISTS.items()
        }

    async def business_unit(self, name: str, errand: Errand) -> Outcome[int]:
        """The business unit of this name."""
        return await self._lists[NameKind.BUSINESS_UNIT].id_of(name, errand)

    async def job_type(self, name: str, errand: Errand) -> Outcome[int]:
        """The job type of this name."""
        return await self._lists[NameKind.JOB_TYPE].id_of(name, errand)

    async def campaign(self, errand: Errand) -> Outcome[int]:
        """The business's campaign."""
        return await self._lists[NameKind.CAMPAIGN].id_of(self._business.campaign, errand)

    async def cancel_reason(self, errand: Errand) -> Outcome[int]:
        """The business's reason for cancelling."""
        return await self._lists[NameKind.CANCEL_REASON].id_of(self._business.cancel_reason, errand)

    async def tags(self, names: Iterable[str], errand: Errand) -> Outcome[tuple[int, ...]]:
        """The tag types of these names, each once; guessing leaves out what there is nothing for."""
        found: Accepted[tuple[int, ...]] = Accepted(value=(), at=datetime.now(UTC))
        for name in names:
            one = await self._lists[NameKind.TAG_TYPE].id_of(name, errand)
            if isinstance(one, Refused) and self._guess:
                continue
            if not isinstance(one, Accepted):
                return one
            found = Accepted(value=tuple(dict.fromkeys((*found.value, one.value))), at=one.at)
        return found

    async def look(self, errand: Errand) -> Outcome[tuple[str, ...]]:
        """Read anew the lists that the business has names of, and give what is wrong: a line for each.

        All are read, whatever becomes of one; the first that could not be is what it came to.
        """
        kinds = dict.fromkeys(used.kind for used in self._business.names())
        read = [await self._lists[kind].rows(errand, DOUBT_SECONDS) for kind in kinds]
        failed = next((rows for rows in read if not isinstance(rows, Accepted)), None)
        return failed or Accepted(value=self.complaints, at=datetime.now(UTC))

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with the business's names by the lists as they were read last; a line for each."""
        places: dict[tuple[NameKind, str], list[str]] = {}
        for used in self._business.names():
            places.setdefault((used.kind, used.name), []).append(used.place)
        found = ((self._lists[kind].complaint(name), where) for (kind, name), where in places.items())
        return tuple(f"BUSINESS_FILE {', '.join(where)}: {wrong}" for wrong, where in found if wrong)

    def doubt(self) -> None:
        """What was made with ids from here was refused."""
        for names in self._lists.values():
            names.doubt()

    async def close(self) -> None:
        """Stop reads under way."""
        for names in self._lists.values():
            await names.close()


def _pick(rows: Sequence[Entry], name: str) -> Entry | str:
    """The row with this name, or what is wrong with the name."""
    found = [row for row in rows if row.name.strip() == name.strip()]
    match found:
        case [one]:
            return one
        case []:
            return "is not"
        case _:
            return f"stands {len(found)} times"


def all_of(read_page: Callable[[Errand, int], Awaitable[Outcome[Page[Named]]]]) -> ReadAll:
    """A reader of every page of a list, active rows only."""

    async def read(errand: Errand) -> Outcome[tuple[Entry, ...]]:
        found: list[Entry] = []
        number = 1
        while True:
            page = await read_page(errand, number)
            if not isinstance(page, Accepted):
                return page
            found.extend(_active(page.value.data))
            if not page.value.has_more or number == MOST_PAGES:
                return Accepted(value=tuple(found), at=page.at)
            number += 1

    return read


def _list_of(
    kind: NameKind,
    caller: Caller,
    endpoint: Endpoint[Page[Named]],
    clock: Callable[[], float],
    *,
    guess: bool,
) -> NameList:
    async def read_page(errand: Errand, number: int) -> Outcome[Page[Named]]:
        return await caller.call(endpoint, errand, query={"page": str(number)})

    return NameList(kind, all_of(read_page), clock, guess=guess)


def _active(rows: Iterable[Named]) -> Iterable[Entry]:
    return (Entry(row.id, row.name) for row in rows if row.active is not False)
