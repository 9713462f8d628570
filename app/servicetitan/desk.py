"""The desk: where the lanes ask ServiceTitan for something, and wait for the outcome.

What is no booking's fault is waited out here, in memory, and never reaches a lane: a 429, a token that is
not to be had, an outage. Whether a failure is an outage is asked with the cheapest read, which may fail
without harm: when that is answered, or another call just was, the failure is the ask's own and is told.
While the breaker is open, one ask at a time probes in the same way; a failure of any other then counts for
nobody: the ask waits and is asked again. Two things cannot be taken back so: a creation or a note that was
sent and not answered is told as Unsure, because it must be looked up once it cannot be running any more.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, TypeAlias, overload

from app.booking.asks import (
    AddContact,
    Ask,
    Cancel,
    Complete,
    ContactSeen,
    CreateCustomer,
    CreateJob,
    CreateLocation,
    CustomerAsk,
    CustomerSeen,
    Dispatch,
    FindCustomers,
    FindJob,
    FindLocations,
    JobSeen,
    LocationSeen,
    Note,
    PutBack,
    ReadContacts,
    ReadCustomer,
    Reschedule,
    is_a_note,
)
from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure
from app.booking.reasons import Reason
from app.servicetitan.breaker import Trouble
from app.servicetitan.caller import Caller, Check, Ended, Errand, nobody_waits, nothing_to_check
from app.servicetitan.gate import Gate, Passage
from app.servicetitan.jobs import Jobs
from app.servicetitan.pace import Priority
from app.servicetitan.people import People
from app.servicetitan.single_flight import SingleFlight

AnyAsk: TypeAlias = Ask | CustomerAsk
Change: TypeAlias = Reschedule | Cancel | PutBack | Dispatch | Note | Complete

DEPLOYMENT_REASONS = frozenset({Reason.REFUSED, Reason.NOT_PERMITTED})
"""Refusals that, when most lanes get them, say that something is wrong with this deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and how.

    `lane` is the booking id, or the phone's key. `check` is called before each call's first byte; what it
    raises stops the call, and nothing of it is sent. `ended` is called with what each call came to: the desk
    asks again by itself while the breaker is open, and may need several calls. `live` is False for what an
    operator sends again: it goes last, and does not count as a sign of a wrong deployment. `again` says that
    this ask may have been sent before: what it came to is then looked at first.
    """

    lane: str
    check: Check
    traceparent: str | None = None
    live: bool = True
    again: bool = False
    ended: Ended = nobody_waits


class Desk:
    """Performs asks. `clock` gives monotonic seconds."""

    def __init__(
        self,
        *,
        caller: Caller,
        gate: Gate,
        jobs: Jobs,
        people: People,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._caller = caller
        self._gate = gate
        self._jobs = jobs
        self._people = people
        self._clock = clock
        self._knocking: SingleFlight[Outcome[object]] = SingleFlight()

    @overload
    async def perform(self, ask: FindJob, asker: Asker) -> Outcome[tuple[JobSeen, ...]]: ...
    @overload
    async def perform(self, ask: CreateJob, asker: Asker) -> Outcome[JobSeen]: ...
    @overload
    async def perform(self, ask: Change, asker: Asker) -> Outcome[None]: ...
    @overload
    async def perform(self, ask: FindCustomers, asker: Asker) -> Outcome[tuple[CustomerSeen, ...]]: ...
    @overload
    async def perform(self, ask: FindLocations, asker: Asker) -> Outcome[tuple[LocationSeen, ...]]: ...
    @overload
    async def perform(self, ask: CreateCustomer, asker: Asker) -> Outcome[CustomerSeen]: ...
    @overload
    async def perform(self, ask: CreateLocation, asker: Asker) -> Outcome[LocationSeen]: ...
    @overload
    async def perform(self, ask: ReadCustomer, asker: Asker) -> Outcome[CustomerSeen | None]: ...
    @overload
    async def perform(self, ask: ReadContacts, asker: Asker) -> Outcome[tuple[ContactSeen, ...]]: ...
    @overload
    async def perform(self, ask: AddContact, asker: Asker) -> Outcome[None]: ...
    @overload
    async def perform(self, ask: AnyAsk, asker: Asker) -> Outcome[Any]: ...

    async def perform(self, ask: AnyAsk, asker: Asker) -> Outcome[Any]:
        """Do what is asked and give its outcome, which is never Busy. Waits as long as it must.

        The values: FindJob gives the jobs that carry the booking's id, oldest first; CreateJob the job;
        FindCustomers, FindLocations, CreateCustomer, CreateLocation, ReadCustomer and ReadContacts what they
        found or made; all others None. What `asker.check` raises comes out of here.
        """
        since = self._clock()
        again = asker.again
        unsure: Unsure | None = None
        priority = _priority(ask) if asker.live else Priority.LOW
        while True:
            async with self._gate.passage(priority, since=since) as passage:
                errand = Errand(
                    priority=priority,
                    since=since,
                    lane=asker.lane,
                    traceparent=asker.traceparent,
                    probing=passage.probing,
                    check=asker.check,
                    ended=asker.ended,
                )
                if await self._is_reachable(errand, passage):
                    outcome = await self._once(ask, errand, again=again)
                    own = passage.probing or await self._is_its_own(outcome, errand)
                    if self._is_final(ask, outcome, passage, asker, own=own):
                        # What an earlier try of it may have done is not undone by one that was not sent.
                        return unsure if unsure and isinstance(outcome, Failed) else outcome
                    if isinstance(outcome, Unsure):
                        again, unsure = True, outcome
                if passage.probing:
                    since = self._clock()  # so that the next probe is somebody else's

    async def close(self) -> None:
        """Stop a knock under way."""
        await self._knocking.close()

    async def _is_its_own(self, outcome: Outcome[Any], errand: Errand) -> bool:
        """Whether what an ask came to is its own, and no outage. A failure is when ServiceTitan is there."""
        breaker = self._gate.breaker
        if not isinstance(outcome, Failed | Unsure) or self._gate.is_open:
            return not self._gate.is_open
        if not breaker.has_just_succeeded(self._clock()):
            knocking = replace(errand, lane="health", check=nothing_to_check, ended=nobody_waits)
            knock = await self._knocking.result(lambda: self._caller.ping(knocking))
            if isinstance(knock, Failed | Unsure):
                breaker.unreachable(self._clock(), knock.detail)
        return not self._gate.is_open

    async def _is_reachable(self, errand: Errand, passage: Passage) -> bool:
        """Whether a real ask may go: a probe, only when the cheapest read is answered."""
        if not passage.probing:
            return True
        match await self._caller.ping(errand):
            case Failed(detail=detail) | Unsure(detail=detail):
                passage.failed(detail)
                return False
            case Busy(detail=detail, http_status=status):
                if status == 429:
                    passage.answered()
                passage.failed(detail)
                return False
            case Accepted() | Refused():
                return True

    async def _once(self, ask: AnyAsk, errand: Errand, *, again: bool) -> Outcome[Any]:
        match ask:
            case FindJob():
                return await self._jobs.find(ask, errand)
            case CreateJob():
                return await self._jobs.create(ask, errand)
            case Reschedule():
                return await self._jobs.reschedule(ask, errand, again=again)
            case Cancel():
                return await self._jobs.cancel(ask, errand, again=again)
            case PutBack():
                return await self._jobs.put_back(ask, errand, again=again)
            case Dispatch():
                return await self._jobs.dispatch(ask, errand, again=again)
            case Note():
                return await self._jobs.note(ask, errand, again=again)
            case Complete():
                return await self._jobs.complete(ask, errand, again=again)
            case _:
                return await self._people.perform(ask, errand)

    def _is_final(
        self, ask: AnyAsk, outcome: Outcome[Any], passage: Passage, asker: Asker, *, own: bool
    ) -> bool:
        """Whether the lane is told; if not, the ask waits at the gate and is asked again."""
        match outcome:
            case Busy(detail=detail, http_status=status):
                if status == 429:
                    passage.answered()
                passage.failed(detail)
                return False
            case Failed(detail=detail):
                passage.failed_alone(detail)
                return own
            case Unsure(detail=detail):
                passage.failed_alone(detail)
                return own or _creates(ask) or is_a_note(ask)
            case Refused(reason=Reason.REFUSED, http_status=None):
                # A name of the business is missing: that is told by itself, and concerns only who needs it.
                passage.answered()
                return True
            case Refused(reason=reason, detail=detail):
                refused = reason in DEPLOYMENT_REASONS
                return self._count(ask, passage, asker, refused=refused, why=detail)
            case Accepted():
                return self._count(ask, passage, asker, refused=False, why="")

    def _count(self, ask: AnyAsk, passage: Passage, asker: Asker, *, refused: bool, why: str) -> bool:
        """Tell the breaker how a lane's event ended; a refusal while it is open for refusals waits."""
        if asker.live and (refused or _ends_an_event(ask)):
            self._gate.breaker.lane_ended(asker.lane, self._clock(), refused=refused, why=why)
        if refused and self._gate.trouble is Trouble.REFUSALS:
            passage.failed(why)
            return False
        if _ends_an_event(ask):
            passage.came_through()
        passage.answered()
        return True


def _creates(ask: AnyAsk) -> bool:
    return isinstance(ask, CreateJob | CreateCustomer | CreateLocation | AddContact)


def _ends_an_event(ask: AnyAsk) -> bool:
    """Whether it is what its event is about; all others lead there, and end it only when they are refused."""
    return isinstance(ask, CreateJob | Change)


def _priority(ask: AnyAsk) -> Priority:
    match ask:
        case Cancel():
            return Priority.HIGH
        case Reschedule() | PutBack() | Dispatch() | Note() | Complete():
            return Priority.MEDIUM
        case (
            FindJob()
            | CreateJob()
            | FindCustomers()
            | FindLocations()
            | CreateCustomer()
            | CreateLocation()
            | ReadCustomer()
            | ReadContacts()
            | AddContact()
        ):
            return Priority.CRITICAL
