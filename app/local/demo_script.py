"""What the demo sends: for each booking a few events, when to send each, and how it must end. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from random import Random
from typing import Any, TypeAlias

from app.booking.reasons import Reason
from app.booking.record import State
from app.booking.status import Status
from app.business_file import load_business
from app.local.examples import Examples, Person, Sent

PLAIN = "created"
"""The title of a booking to which nothing else happens."""
LIVING = "*-L"
"""How the ids of bookings look whose jobs are worked in ServiceTitan, and whose changes its webhooks tell."""
TECHNICIANS = (501, 502, 503, 504, 505, 506, 507, 508)
"""Those of the simulator."""


class After(Enum):
    """When a step is sent."""

    AT_ONCE = "right behind the step before it"
    JOB = "once the booking's job is announced"
    HELD = "once the booking is announced as held"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a script."""

    sent: Sent
    after: After = After.AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a booking may end. `state` None: it leaves no row.

    `effects` are what its job went through in ServiceTitan, in order; empty when no job was made.
    """

    state: State | None = State.ACTIVE
    status: Status | None = Status.SCHEDULED
    scheduled_date: str | None = None
    effects: tuple[str, ...] = ("job.created",)
    dead: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One booking: what is sent, and the endings that are right."""

    booking_id: str
    title: str
    steps: tuple[Step, ...]
    endings: tuple[Ending, ...]
    customer: tuple[str, str] | None
    """Name and phone of whom ServiceTitan is to have exactly once, None when it refuses them."""


@dataclass(slots=True)
class _Draft:
    """The pen that writes one script."""

    examples: Examples
    random: Random
    booking_id: str
    steps: list[Step] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def created(self, who: Person | None = None, **changes: object) -> None:
        """A creation, with these fields changed; by somebody new if nobody is named."""
        self.data = self.examples.booking(who or self.examples.person()) | changes
        self.say("created", self.data)

    def say(self, kind: str, data: dict[str, Any], after: After = After.AT_ONCE) -> dict[str, Any]:
        self.steps.append(Step(self.examples.event(kind, self.booking_id, data), after))
        return data

    def moved(self, after: After = After.AT_ONCE) -> str:
        """A reschedule; gives its date."""
        return str(self.say("rescheduled", self.examples.visit(), after)["scheduledDate"])

    def became(self, status: Status, after: After = After.AT_ONCE, **more: object) -> None:
        self.say("status_changed", {"status": status.value, **more}, after)

    def cancelled(self, after: After = After.AT_ONCE) -> None:
        self.say("cancelled", {"reason": "Customer request"}, after)

    def script(self, title: str, *endings: Ending) -> Script:
        refused = all(ending.dead and not ending.effects for ending in endings)
        data = self.data
        return Script(
            booking_id=self.booking_id,
            title=title,
            steps=tuple(self.steps),
            endings=endings,
            customer=None if refused else (f"{data['firstName']} {data['lastName']}", data["phone"]),
        )


def _plain(draft: _Draft) -> Script:
    draft.created()
    return draft.script(PLAIN, Ending(scheduled_date=draft.data["scheduledDate"]))


def _same_customer(draft: _Draft) -> Script:
    """Whoever booked last books another door: one customer, however close the two come."""
    draft.created(draft.examples.latest)
    return draft.script("the same customer again", Ending(scheduled_date=draft.data["scheduledDate"]))


def _worked(draft: _Draft) -> Script:
    """The whole life of a job, its changes sent in one breath: only in their order do they come out right."""
    draft.created()
    date = draft.moved(After.JOB)
    draft.became(Status.DISPATCHED, technicianIds=[draft.random.choice(TECHNICIANS)])
    draft.became(Status.IN_PROGRESS)
    draft.became(Status.COMPLETED)
    effects = ("job.created", "appointment.rescheduled", "technicians.assigned", "job.noted", "job.completed")
    return draft.script(
        "moved, dispatched, worked, completed",
        Ending(state=State.ENDED, status=Status.COMPLETED, scheduled_date=date, effects=effects),
    )


def _living(draft: _Draft) -> Script:
    """Nobody sends anything after the booking: office and technician go on in ServiceTitan."""
    draft.booking_id += LIVING.removeprefix("*")
    draft.created()
    return draft.script(
        "lives by itself, told by webhooks",
        Ending(
            state=State.ENDED,
            status=Status.COMPLETED,
            scheduled_date=draft.data["scheduledDate"],
            effects=("job.created", "technicians.assigned", "job.completed"),
        ),
    )


def _moved_at_once(draft: _Draft) -> Script:
    """Changes that stand behind the creation before its job is made."""
    draft.created()
    draft.moved()
    date = draft.moved()
    effects = ("job.created", "appointment.rescheduled")
    return draft.script("moved twice, at once", Ending(scheduled_date=date, effects=effects))


def _cancelled(draft: _Draft) -> Script:
    draft.created()
    draft.cancelled(After.JOB)
    return draft.script("cancelled", _ended_cancelled())


def _put_back(draft: _Draft) -> Script:
    draft.created()
    draft.became(Status.CANCELLED, After.JOB, reason="Rain")
    draft.became(Status.SCHEDULED)
    return draft.script(
        "cancelled and put back", Ending(effects=("job.created", "job.canceled", "job.uncanceled"))
    )


def _overtaken(draft: _Draft) -> Script:
    """The cancellation comes right behind: closed, or, when the job was faster, cancelled."""
    draft.created()
    draft.cancelled()
    return draft.script(
        "cancelled at once", Ending(state=State.CLOSED, status=None, effects=()), _ended_cancelled()
    )


def _duplicates(draft: _Draft) -> Script:
    """The same event three times, and the same booking under another event id."""
    draft.created()
    draft.steps += draft.steps * 2
    draft.say("created", draft.data)
    draft.say("created", draft.data, After.JOB)
    return draft.script("sent five times", Ending(scheduled_date=draft.data["scheduledDate"]))


def _other_data(draft: _Draft) -> Script:
    draft.created()
    first = draft.data
    draft.say("created", {**first, "lastName": "Somebody-Else"}, After.JOB)
    return draft.script(
        "id used twice", Ending(scheduled_date=first["scheduledDate"], dead=(Reason.BOOKING_EXISTS,))
    )


def _illegal(draft: _Draft) -> Script:
    draft.created()
    draft.cancelled(After.JOB)
    draft.moved()
    return draft.script("moved after its end", _ended_cancelled(Reason.ILLEGAL_TRANSITION))


def _conflict(draft: _Draft) -> Script:
    draft.created(email="error@test.com")
    draft.moved()
    return draft.script("e-mail error@test.com", _held(Reason.CUSTOMER_CONFLICT))


def _no_area(draft: _Draft) -> Script:
    draft.created(zip="00000")
    return draft.script("ZIP 00000", _held(Reason.AREA_NOT_SUPPORTED))


def _bad_phone(draft: _Draft) -> Script:
    draft.created(phone="0000000000")
    return draft.script("phone 0000000000", _held(Reason.PHONE_REFUSED))


def _held_then_cancelled(draft: _Draft) -> Script:
    draft.created(zip="00000")
    draft.moved()
    draft.cancelled(After.HELD)
    closed = Ending(state=State.CLOSED, status=None, effects=(), dead=(Reason.AREA_NOT_SUPPORTED,))
    return draft.script("held, then cancelled", closed)


def _unreadable(draft: _Draft) -> Script:
    draft.steps.append(Step(Sent(draft.booking_id.encode(), b'{"specversion": "1.0", "id": ')))
    return draft.script("unreadable", _no_row(Reason.UNREADABLE))


def _invalid(draft: _Draft) -> Script:
    draft.created(zip="8501", phone="555", problemType="broken_window")
    return draft.script("invalid", _held(Reason.INVALID))


def _unknown_booking(draft: _Draft) -> Script:
    draft.moved()
    return draft.script("never created", _no_row(Reason.UNKNOWN_BOOKING))


def _ended_cancelled(*dead: Reason) -> Ending:
    return Ending(
        state=State.ENDED, status=Status.CANCELLED, effects=("job.created", "job.canceled"), dead=dead
    )


def _held(reason: Reason) -> Ending:
    return Ending(state=State.HELD, status=None, effects=(), dead=(reason,))


def _no_row(reason: Reason) -> Ending:
    return Ending(state=None, status=None, effects=(), dead=(reason,))


_Writer: TypeAlias = Callable[[_Draft], Script]
# How many of a hundred bookings go this way; each comes once first, in this order.
_SHARES: dict[_Writer, int] = {
    _plain: 26,
    _living: 6,
    _same_customer: 4,
    _worked: 14,
    _conflict: 1,
    _cancelled: 7,
    _unreadable: 1,
    _moved_at_once: 12,
    _overtaken: 6,
    _no_area: 1,
    _duplicates: 8,
    _bad_phone: 1,
    _put_back: 5,
    _illegal: 2,
    _invalid: 2,
    _other_data: 1,
    _held_then_cancelled: 1,
    _unknown_booking: 2,
}


def scripts(seed: int, now: datetime) -> Iterator[Script]:
    """Scripts without end: one of each kind first, then by their shares. A seed gives the same ones."""
    random = Random(seed)  # noqa: S311 - has to be repeatable, not secret
    examples = Examples(random, now, load_business().problem_types)
    firsts = iter(_SHARES)
    number = 1000
    while True:
        number += 1
        write = next(firsts, None) or random.choices(list(_SHARES), list(_SHARES.values()))[0]
        yield write(_Draft(examples, random, f"BK-{number}"))
