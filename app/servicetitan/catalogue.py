"""Names to ids: the tenant's business units, job types, campaigns and cancel reasons, read once an hour."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from app.booking.outcomes import Accepted, Outcome, Refused
from app.booking.reasons import Reason
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand, nothing_to_check
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
    """One of the tenant's lists; `what` it holds, in the plural, for people."""

    def __init__(self, what: str, read: ReadAll, clock: Callable[[], float]) -> None:
        self._what = what
        self._read = read
        self._clock = clock
        self._kept: Accepted[tuple[Entry, ...]] | None = None
        self._read_at = 0.0
        self._reading: SingleFlight[Outcome[tuple[Entry, ...]]] = SingleFlight()

    async def id_of(self, name: str, errand: Errand, *, or_first: bool = False) -> Outcome[int]:
        """The id of the active row with this name, spelt loosely; of the first row for an empty name.

        With `or_first` the first row stands in for a missing name; else that is Refused, and the detail
        says which names there are.
        """
        rows = await self._rows(errand, KEEP_SECONDS)
        if isinstance(rows, Accepted) and not or_first and _pick(rows.value, name) is None:
            rows = await self._rows(errand, DOUBT_SECONDS)
        if not isinstance(rows, Accepted):
            return rows
        found = _pick(rows.value, name) or (_pick(rows.value, "") if or_first else None)
        if found is None:
            return self._missing(name, rows.value)
        return Accepted(value=found.id, at=rows.at)

    def doubt(self) -> None:
        """An id from this list was refused: read it again at the next need, unless it is fresh."""
        if self._clock() - self._read_at > DOUBT_SECONDS:
            self._kept = None

    async def close(self) -> None:
        """Stop a read under way."""
        await self._reading.close()

    async def _rows(self, errand: Errand, keep: float) -> Outcome[tuple[Entry, ...]]:
        if self._kept is not None and self._clock() - self._read_at <= keep:
            return self._kept
        shared = replace(errand, check=nothing_to_check)
        return await self._reading.result(lambda: self._read_now(shared))

    async def _read_now(self, errand: Errand) -> Outcome[tuple[Entry, ...]]:
        started = self._clock()
        rows = await self._read(errand)
        if isinstance(rows, Accepted):
            self._kept, self._read_at = rows, started
        return rows

    def _missing(self, name: str, rows: Sequence[Entry]) -> Refused:
        there = ", ".join(row.name for row in rows[:NAMES_SHOWN]) or "none"
        wanted = f"'{name}' is not" if name else "nothing is"
        detail = f"{wanted} among ServiceTitan's active {self._what}; there: {there}"
        return Refused(reason=Reason.REFUSED, detail=detail)


class Catalogue:
    """The four lists. An empty `campaign`, `job_type` or `cancel_reason` means the first active one."""

    def __init__(
        self,
        caller: Caller,
        *,
        job_type: str = "",
        campaign: str = "",
        cancel_reason: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._job_type = job_type
        self._campaign = campaign
        self._cancel_reason = cancel_reason
        self._units = _list_of("business units", caller, endpoints.LIST_BUSINESS_UNITS, clock)
        self._types = _list_of("job types", caller, endpoints.LIST_JOB_TYPES, clock)
        self._campaigns = _list_of("campaigns", caller, endpoints.LIST_CAMPAIGNS, clock)
        self._reasons = _list_of("job cancel reasons", caller, endpoints.LIST_CANCEL_REASONS, clock)

    async def business_unit(self, name: str, errand: Errand) -> Outcome[int]:
        """The business unit of this name."""
        return await self._units.id_of(name, errand)

    async def job_type(self, wanted: str, errand: Errand) -> Outcome[int]:
        """The configured job type; without one the type of the wanted name, else the first."""
        if self._job_type:
            return await self._types.id_of(self._job_type, errand)
        return await self._types.id_of(wanted, errand, or_first=True)

    async def campaign(self, errand: Errand) -> Outcome[int]:
        """The configured campaign, or the first."""
        return await self._campaigns.id_of(self._campaign, errand)

    async def cancel_reason(self, errand: Errand) -> Outcome[int]:
        """The configured reason for cancelling, or the first."""
        return await self._reasons.id_of(self._cancel_reason, errand)

    def doubt(self) -> None:
        """What was made with ids from here was refused."""
        for names in self._lists():
            names.doubt()

    async def close(self) -> None:
        """Stop reads under way."""
        for names in self._lists():
            await names.close()

    def _lists(self) -> Iterable[NameList]:
        return (self._units, self._types, self._campaigns, self._reasons)


def _pick(rows: Sequence[Entry], name: str) -> Entry | None:
    if not name:
        return rows[0] if rows else None
    return next((row for row in rows if _letters(row.name) == _letters(name)), None)


def _letters(name: str) -> str:
    """A name without case, blanks and punctuation: `door_wont_open` is `Door Won't Open`."""
    return "".join(filter(str.isalnum, name.casefold()))


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
    what: str, caller: Caller, endpoint: Endpoint[Page[Named]], clock: Callable[[], float]
) -> NameList:
    async def read_page(errand: Errand, number: int) -> Outcome[Page[Named]]:
        return await caller.call(endpoint, errand, query={"page": str(number)})

    return NameList(what, all_of(read_page), clock)


def _active(rows: Iterable[Named]) -> Iterable[Entry]:
    return (Entry(row.id, row.name) for row in rows if row.active is not False)
