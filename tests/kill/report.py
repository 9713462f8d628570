"""What a trial is told, and what it came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.kill.books import Books

if TYPE_CHECKING:
    from tests.kill.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long and how hard."""

    seed: int = 1
    kills: int = 200
    workers: int = 2
    rate: float = 40.0
    store: str = "rocksdb"
    copies: int = 200_000
    """How often one event is sent again, in `poison`."""
    failing: int = 10_000
    """How many bookings fail, in `poison`."""
    behind: int = 1_000
    """How many events stand behind a held one, in `poison`; 1,000 at most."""
    timers: int = 10_000
    """How many retries are due at once, in `due`."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"w{number}" for number in range(self.workers))


@dataclass(slots=True)
class Report:
    """What a trial came to."""

    books: Books
    faults: int
    settled_after: float
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of_figures(cls, note: str) -> Report:
        """A trial that measures and compares nothing."""
        return cls(Books(events=0), 0, 0.0, [note])

    @property
    def clean(self) -> bool:
        return not self.books.wrong

    def __str__(self) -> str:
        verdict = "clean" if self.clean else "WRONG"
        lines = [
            f"{verdict}, {self.faults} faults, settled after {self.settled_after:.0f} s",
            str(self.books),
            *(f"  note: {note}" for note in self.notes),
        ]
        return "\n  ".join(lines)


async def report(running: Trial, *notes: str) -> Report:
    """Wait for rest, compare, and say how workers ended."""
    books = await running.finish()
    ends = Counter(f"{how.partition(':')[0]} {status}" for _, how, status in running.fleet.statuses)
    noted = [*notes, f"ends {dict(ends)}, rows of an older rank {running.kafka.lower_rows}"]
    return Report(books, running.faults, running.settled_after, noted)
