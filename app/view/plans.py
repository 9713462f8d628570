"""Plans of operators: what each acts on, how far it is, and what is left of it.

A plan is told in notes on `booking-signals`. Every note holds the whole definition and the latest step, so
that any worker can show the plan, and go on with it when the worker that sent its signals has gone.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import orjson

from app.booking.reasons import Reason
from app.booking.record import Head, Record, decode, decode_head
from app.view.queries import attention_line
from app.view.rows import AttentionLine
from app.view.schema import instant, milliseconds

MOST_TARGETS = 10_000
"""How many events one plan acts on at most."""
MOST_SELECTED = 500
"""How many bookings may be named one by one: a note stays well below 64 KB."""

Kind: TypeAlias = Literal["retry", "discard"]


class Step(StrEnum):
    """What was last said of a plan."""

    BEGUN = "begun"
    CONTINUED = "continued"
    GOING = "going"
    STOPPED = "stopped"
    ENDED = "ended"


RUNNING = frozenset({Step.BEGUN, Step.CONTINUED, Step.GOING})
_ENDS_A_STOP = (Step.BEGUN.value, Step.CONTINUED.value)
"""What an operator says; the plan's worker may say that it goes on before it has seen the stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a plan acts on: events that failed for one reason up to `until`, of these bookings; None is any.

    What fails again fails later than `until`, so no plan acts on one failure twice.
    """

    plan: str
    kind: Kind
    reason: Reason
    bookings: tuple[str, ...] | None
    until: datetime
    by: str
    why: str
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSeen:
    """A plan and what was last said of it."""

    definition: Definition
    begun: datetime
    step: Step
    step_by: str
    step_why: str
    step_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProgress:
    """What became of a plan's signals, in events. `left` were not sent, `overtaken` need it no more."""

    sent: int
    left: int
    queued: int
    working: int
    done: int
    failing: int

    @property
    def finished(self) -> int:
        """Those whose end is known."""
        return self.done + self.failing


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One event that a plan acts on, and its booking."""

    line: AttentionLine
    record: Record
    head: Head | None
    """The event put aside; None for a held creation, which the record has."""


def note_data(definition: Definition, step: Step) -> dict[str, object]:
    """A plan's definition and step, as a note carries them."""
    return {
        "step": step.value,
        "kind": definition.kind,
        "reason": definition.reason.value,
        "bookings": definition.bookings,
        "until": definition.until.isoformat(),
        "why": definition.why,
        "madeBy": definition.by,
        "total": definition.total,
    }


def take_note(writer: sqlite3.Connection, said: Mapping[str, Any], at: int) -> Step | None:
    """Keep what a note says of a plan, `at` in epoch milliseconds; None when it is about none."""
    read = _read(said)
    if read is None:
        return None
    definition, step = read
    writer.execute(
        "INSERT INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (plan) DO UPDATE "
        "SET step = excluded.step, step_by = excluded.step_by, step_why = excluded.step_why, "
        "step_at = excluded.step_at WHERE plans.step != 'stopped' OR excluded.step IN (?, ?)",
        (
            definition.plan,
            definition.kind,
            definition.reason.value,
            None if definition.bookings is None else orjson.dumps(definition.bookings).decode(),
            milliseconds(definition.until),
            definition.by,
            definition.why,
            definition.total,
            at,
            step.value,
            str(said.get("by", "")),
            str(said.get("text", "")),
            at,
            *_ENDS_A_STOP,
        ),
    )
    return step


def _read(said: Mapping[str, Any]) -> tuple[Definition, Step] | None:
    data = said.get("data")
    if not isinstance(data, dict) or not isinstance(said.get("plan"), str):
        return None
    try:
        bookings = data["bookings"]
        definition = Definition(
            plan=said["plan"],
            kind="discard" if data["kind"] == "discard" else "retry",
            reason=Reason(data["reason"]),
            bookings=None if bookings is None else tuple(str(one) for one in bookings),
            until=datetime.fromisoformat(data["until"]).astimezone(UTC),
            by=str(data["madeBy"]),
            why=str(data["why"]),
            total=max(0, min(int(data["total"]), MOST_TARGETS)),
        )
        return definition, Step(data["step"])
    except (KeyError, OverflowError, TypeError, ValueError):
        return None


def tidy(writer: sqlite3.Connection, before: int) -> None:
    """Leave out plans made before this time (epoch milliseconds), and actions that no plan needs.

    A plan leaves whole, and by the time in its definition, which is the same at every worker: without its
    actions it would tell that it had done nothing.
    """
    writer.execute("DELETE FROM plans WHERE until < ?", (before,))
    writer.execute(
        "DELETE FROM actions WHERE at < ? AND (plan IS NULL OR plan NOT IN (SELECT plan FROM plans))",
        (before,),
    )


# Questions ------------------------------------------------------------------------------------------------


def plans(reader: sqlite3.Connection, *, limit: int) -> list[PlanSeen]:
    """Plans, newest first."""
    rows = reader.execute("SELECT * FROM plans ORDER BY begun DESC LIMIT ?", (limit,))
    return [_plan(row) for row in rows]


def plan(reader: sqlite3.Connection, name: str) -> PlanSeen | None:
    """The plan of this id."""
    row = reader.execute("SELECT * FROM plans WHERE plan = ?", (name,)).fetchone()
    return None if row is None else _plan(row)


def _plan(row: Any) -> PlanSeen:  # noqa: ANN401 - sqlite3's rows have no types
    return PlanSeen(
        definition=Definition(
            plan=row["plan"],
            kind=row["kind"],
            reason=Reason(row["reason"]),
            bookings=None if row["bookings"] is None else tuple(orjson.loads(row["bookings"])),
            until=instant(row["until"]),
            by=row["by"],
            why=row["why"],
            total=row["total"],
        ),
        begun=instant(row["begun"]),
        step=Step(row["step"]),
        step_by=row["step_by"],
        step_why=row["step_why"],
        step_at=instant(row["step_at"]),
    )


def targets(reader: sqlite3.Connection, definition: Definition, *, limit: int = MOST_TARGETS) -> list[Target]:
    """What the plan would act on now and was not sent yet, the earliest visit first."""
    condition, values = _condition(definition)
    rows = reader.execute(
        f"SELECT a.*, b.row AS record, h.row AS head FROM attention a JOIN bookings b USING (booking_id) "  # noqa: S608 - words of our own
        f"LEFT JOIN behind h ON h.booking_id = a.booking_id AND h.slot = a.slot WHERE {condition} "
        f"AND {_NOT_SENT} ORDER BY a.visit LIMIT ?",
        (*values, definition.plan, limit),
    )
    return [_target(row) for row in rows]


def _target(row: Any) -> Target:  # noqa: ANN401 - sqlite3's rows have no types
    head = None if row["head"] is None else decode_head(row["head"])
    return Target(line=attention_line(row), record=decode(row["record"]), head=head)


_NOT_SENT = """NOT EXISTS (
    SELECT 1 FROM actions s WHERE s.plan = ? AND s.subject = a.booking_id AND s.event = a.event_id
)"""


def _condition(definition: Definition) -> tuple[str, tuple[object, ...]]:
    parts = ["a.at <= ?", "a.reason = ?"]
    given: list[object] = [milliseconds(definition.until), definition.reason.value]
    if definition.bookings is not None:
        parts.append(f"a.booking_id IN ({', '.join('?' * len(definition.bookings))})")
        given += definition.bookings
    return " AND ".join(parts), tuple(given)


def progress(reader: sqlite3.Connection, definition: Definition) -> PlanProgress:
    """How far the plan is, by what became of each event that it sent a signal for."""
    condition, values = _condition(definition)
    (left,) = reader.execute(
        f"SELECT COUNT(*) FROM attention a WHERE {condition} AND {_NOT_SENT}",  # noqa: S608 - words of our own
        (*values, definition.plan),
    ).fetchone()
    rows = reader.execute(
        "SELECT CASE WHEN t.at > ? THEN 'failing' WHEN t.at IS NOT NULL THEN 'queued' "
        "WHEN b.phase IN ('waiting', 'working') THEN 'working' ELSE 'done' END, COUNT(*) "
        "FROM (SELECT DISTINCT subject, event FROM actions WHERE plan = ? AND event IS NOT NULL) s "
        "LEFT JOIN attention t ON t.booking_id = s.subject AND t.event_id = s.event "
        "LEFT JOIN bookings b ON b.booking_id = s.subject GROUP BY 1",
        (milliseconds(definition.until), definition.plan),
    ).fetchall()
    found: dict[str, int] = {row[0]: row[1] for row in rows}
    return PlanProgress(
        sent=sum(found.values()),
        left=left,
        queued=found.get("queued", 0),
        working=found.get("working", 0),
        done=found.get("done", 0),
        failing=found.get("failing", 0),
    )
