"""Three books compared: what was produced, what ServiceTitan did, what tables and topics say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.booking.identity import KEPT, Progress, all_seen, look_up
from app.booking.reasons import Reason
from app.booking.record import Phase, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from aiokafka import TopicPartition

    from app.booking.record import Record
    from tests.kill.reading import KafkaBooks, Letter
    from tests.kill.story import Effect, Step, Story
    from tests.kill.upstream import Done, Upstream

# An identical write of these changes nothing, so that an unsure one is simply sent again.
IDEMPOTENT = frozenset({"appointment.rescheduled", "technicians.assigned"})


@dataclass(frozen=True, slots=True)
class Produced:
    """An event that the broker has taken, and where it stands."""

    story: Story
    step: Step
    partition: int
    offset: int
    at: float = 0.0
    """Monotonic seconds."""


@dataclass(slots=True)
class Books:
    """What the comparison found: each list must be empty, but `again`."""

    events: int
    lost: list[str] = field(default_factory=list)
    """Events without their effect, or that no row and no letter knows of."""
    jobs_twice: list[str] = field(default_factory=list)
    customers_twice: list[str] = field(default_factory=list)
    effects_twice: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    """Dead letters that nothing explains, and ones that are missing."""
    commits_ahead: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    """Rows and announcements that say something else than ServiceTitan."""
    stuck: list[str] = field(default_factory=list)
    """Lanes that did not come to rest, and partitions that were not worked off."""
    again: int = 0
    """Idempotent writes sent a second time after an unsure end."""
    second_jobs_cancelled: int = 0
    overtaken: int = 0
    retried_out: int = 0
    """Events whose attempts a fault used up, where that is expected."""
    told_late: int = 0
    """Customers twice, and effects twice or out of order, of which the worker that slept told."""
    redelivered: int = 0
    """Events that were done, and not committed by a worker that ended in good order."""

    @property
    def wrong(self) -> dict[str, list[str]]:
        """All that must not be, by name."""
        named = {
            "lost": self.lost,
            "jobs twice": self.jobs_twice,
            "customers twice": self.customers_twice,
            "effects twice": self.effects_twice,
            "out of order": self.out_of_order,
            "dead letters not expected": self.letters,
            "commits ahead of work": self.commits_ahead,
            "untrue": self.untrue,
            "stuck": self.stuck,
        }
        return {name: found for name, found in named.items() if found}

    def excuse(self, bookings: Collection[str], customers: Collection[str]) -> None:
        """Take out what a worker that slept before its socket did to these, having told of it."""

        def others(found: list[str], told: Collection[str]) -> list[str]:
            kept = [line for line in found if line.partition(":")[0] not in told]
            self.told_late += len(found) - len(kept)
            return kept

        self.customers_twice = others(self.customers_twice, customers)
        self.effects_twice = others(self.effects_twice, bookings)
        self.out_of_order = others(self.out_of_order, bookings)

    def __str__(self) -> str:
        counts = (
            f"events {self.events}, lost {len(self.lost)}, jobs twice {len(self.jobs_twice)}, "
            f"customers twice {len(self.customers_twice)}, effects twice {len(self.effects_twice)}, "
            f"order violations {len(self.out_of_order)}, dead letters not expected {len(self.letters)}, "
            f"commits ahead of work {len(self.commits_ahead)}, untrue {len(self.untrue)}, "
            f"stuck {len(self.stuck)}; idempotent writes again {self.again}, overtaken {self.overtaken}, "
            f"second jobs found and cancelled {self.second_jobs_cancelled}, "
            f"retries used up {self.retried_out}, told of by a sleeper {self.told_late}"
        )
        shown = [f"  {name}: {line}" for name, found in self.wrong.items() for line in found[:8]]
        return "\n".join([counts, *shown])


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a trial's own faults make of the rules."""

    retries_used_up: bool = False
    second_jobs: bool = False
    """A worker slept between its last check and its socket: a second job may be made, if it is cancelled."""


def compare(
    produced: Iterable[Produced], kafka: KafkaBooks, upstream: Upstream, allowed: Allowed | None = None
) -> Books:
    """Compare the books of a trial that has come to rest."""
    events = list(produced)
    by_story: dict[str, list[Produced]] = {}
    for event in events:
        by_story.setdefault(event.story.booking_id, []).append(event)
    letters = _by_origin(kafka.letters)
    books = Books(events=len(events), customers_twice=upstream.customers_twice())
    effects = upstream.by_booking()
    for booking_id, story_events in by_story.items():
        comparison = _Comparison(
            story_events,
            kafka.rows.get(booking_id),
            letters,
            effects.get(booking_id, []),
            books,
            _events(kafka),
        )
        comparison.run(allowed or Allowed())
        _true(booking_id, kafka, upstream, books)
    books.stuck = [_lane(row) for row in kafka.busy()]
    return books


def ahead(
    produced: Iterable[Produced], kafka: KafkaBooks, commits: Mapping[TopicPartition, int]
) -> list[str]:
    """Events that are committed, but neither in their row nor dead-lettered. Read the commits first."""
    letters = _by_origin(kafka.letters)
    upto = {tp.partition: offset for tp, offset in commits.items() if tp.topic == _events(kafka)}
    return [
        f"{event.step.event_id} at {event.partition}:{event.offset}"
        for event in produced
        if event.offset < upto.get(event.partition, 0) and not _known(event, kafka, letters)
    ]


def _events(kafka: KafkaBooks) -> str:
    return kafka.topics.booking_events.name


def _known(event: Produced, kafka: KafkaBooks, letters: Mapping[tuple[int, int], Letter]) -> bool:
    row = kafka.rows.get(event.story.booking_id)
    seen = row is not None and look_up(row.seen, event.step.digest) is not None
    return seen or _forgotten(event, row, _events(kafka)) or (event.partition, event.offset) in letters


def _forgotten(event: Produced, row: Record | None, topic: str) -> bool:
    """Whether a row has taken the event in, and has seen too many since to remember it."""
    return row is not None and len(all_seen(row.seen)) == KEPT and event.offset <= row.highest(topic)


def _by_origin(letters: Iterable[Letter]) -> dict[tuple[int, int], Letter]:
    """Letters of booking events; one that was sent again after a crash counts once."""
    return {letter.origin[1:]: letter for letter in letters}


def _lane(row: Record) -> str:
    lane = row.lane
    return f"{row.booking_id}: {row.state} {lane.phase} {lane.waits} turn {lane.turn} due {lane.due}"


@dataclass(slots=True)
class _Comparison:
    """One booking."""

    events: list[Produced]
    row: Record | None
    letters: Mapping[tuple[int, int], Letter]
    done: list[Done]
    books: Books
    topic: str

    def run(self, allowed: Allowed) -> None:
        story = self.events[0].story
        self._jobs(story, allowed)
        own = [done.effect for done in self.done if done.job == self._own_job()]
        self._effects(story, own, allowed)
        for event in self.events:
            self._letter(event, allowed)

    def _own_job(self) -> int | None:
        if self.row is not None and self.row.job is not None:
            return self.row.job.id
        return self.done[0].job if self.done else None

    def _jobs(self, story: Story, allowed: Allowed) -> None:
        made = [done.job for done in self.done if done.effect[0] == "job.created"]
        if len(made) < 2:
            return
        extra = set(made) - {self._own_job()}
        cancelled = {done.job for done in self.done if done.effect[0] == "job.canceled"}
        if allowed.second_jobs and extra <= cancelled:
            self.books.second_jobs_cancelled += len(extra)
            return
        self.books.jobs_twice.append(f"{story.booking_id}: {made}")

    def _effects(self, story: Story, own: list[Effect], allowed: Allowed) -> None:
        wanted = [event for event in self.events if event.step.effect and not event.step.again]
        missing = [event for event in wanted if event.step.effect not in own]
        overtaken = self._overtaken(story, allowed)
        for event in missing:
            if event.step.event_id in overtaken:
                self.books.overtaken += 1
            elif allowed.retries_used_up and self._reason(event) == Reason.RETRIES_USED_UP:
                self.books.retried_out += 1
            else:
                self.books.lost.append(
                    f"{event.step.event_id}: {event.step.effect} not in {own}; {self._standing(event)}"
                )
        expected = [event.step.effect for event in wanted if event.step.effect]
        for effect, count in Counter(own).items():
            if count > 1 and effect[0] in IDEMPOTENT:
                self.books.again += count - 1
            elif count > 1:
                self.books.effects_twice.append(f"{story.booking_id}: {effect} {count} times")
            if effect not in expected:
                self.books.effects_twice.append(f"{story.booking_id}: {effect} was never asked for")
        if not _in_order(own, expected):
            self.books.out_of_order.append(f"{story.booking_id}: {own} instead of {expected}")

    def _overtaken(self, story: Story, allowed: Allowed) -> set[str]:
        """A cancellation that found its creation not done: nothing was done at all, or only both."""
        if self.row is None or not story.cancels:
            return set()
        ids = [step.event_id for step in story.steps if not step.again]
        if self.row.state is State.CLOSED:
            self._nothing_is_left(story, allowed)
            return set(ids)
        cancelled = next(n for n, step in enumerate(story.steps) if step.effect == ("job.canceled", ""))
        between = [step for step in story.steps[1:cancelled] if step.effect]
        did = {done.effect for done in self.done}
        if any(step.effect in did for step in between):
            return set()
        return {step.event_id for step in between}

    def _nothing_is_left(self, story: Story, allowed: Allowed) -> None:
        """A closed booking has no job, unless a sleeper made one and it was cancelled."""
        made = {done.job for done in self.done if done.effect[0] == "job.created"}
        cancelled = {done.job for done in self.done if done.effect[0] == "job.canceled"}
        if made and allowed.second_jobs and made == cancelled:
            self.books.second_jobs_cancelled += len(made)
        elif self.done:
            self.books.untrue.append(f"{story.booking_id} is closed: {self.done}")

    def _reason(self, event: Produced) -> str | None:
        letter = self.letters.get((event.partition, event.offset))
        return letter.reason if letter else None

    def _standing(self, event: Produced) -> str:
        """What the tables and the dead letters say of an event."""
        letter = self.letters.get((event.partition, event.offset))
        told = f"letter {letter.reason} {letter.detail}" if letter else "no letter"
        if self.row is None:
            return f"{told}, no row"
        became = look_up(self.row.seen, event.step.digest)
        return f"{told}, {became} in its row, all done {self.done}, {_lane(self.row)}"

    def _letter(self, event: Produced, allowed: Allowed) -> None:
        step, reason = event.step, self._reason(event)
        closed = self.row is not None and self.row.state is State.CLOSED
        if step.letter is None and reason is not None:
            fine = (closed and reason == Reason.ILLEGAL_TRANSITION) or (
                allowed.retries_used_up and reason in {Reason.RETRIES_USED_UP, Reason.ILLEGAL_TRANSITION}
            )
            if not fine:
                self.books.letters.append(f"{step.event_id} {step.type}: {reason}")
        if step.letter is not None and not step.again and reason != step.letter and not closed:
            self.books.letters.append(f"{step.event_id} {step.type}: {reason} instead of {step.letter}")
        if reason is None:
            self._seen(event)

    def _seen(self, event: Produced) -> None:
        """Whatever was not dead-lettered must have been worked, by its row."""
        became = None if self.row is None else look_up(self.row.seen, event.step.digest)
        held = self.row is not None and self.row.lane.phase is Phase.HELD
        if became is None and _forgotten(event, self.row, self.topic):
            return
        if became is not Progress.WORKED and not held and not (event.step.again and became):
            self.books.lost.append(f"{event.step.event_id}: {became} in its row")


def _in_order(own: list[Effect], expected: list[Effect]) -> bool:
    """Whether no effect happened, first or again, after one of a later event."""
    places = [expected.index(effect) for effect in own if effect in expected]
    return places == sorted(places)


_STATUS = {"Canceled": "cancelled", "Completed": "completed"}


def _true(booking_id: str, kafka: KafkaBooks, upstream: Upstream, books: Books) -> None:
    """The row, the last announcement and ServiceTitan have to agree."""
    row = kafka.rows.get(booking_id)
    if row is None:
        return
    told = kafka.announced.get(booking_id)
    if told is not None and told["state"] != row.state:
        books.untrue.append(f"{booking_id}: announced {told['state']}, the row says {row.state}")
    if row.job is None:
        if told is None and row.state is not State.PENDING:
            books.untrue.append(f"{booking_id}: {row.state} was never announced")
        return
    there = upstream.world.jobs.rows[row.job.id]
    said = _STATUS.get(str(there.status.value), "open")
    is_open = row.job.status.value not in _STATUS.values()
    if (said == "open") != is_open or said not in {"open", row.job.status.value}:
        books.untrue.append(f"{booking_id}: ServiceTitan {there.status}, the row says {row.job.status}")
    if told is None or told["job"] is None or told["job"]["status"] != row.job.status.value:
        books.untrue.append(f"{booking_id}: the row's job is {row.job.status}, announced was {told}")
