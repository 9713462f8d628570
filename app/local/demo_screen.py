"""What people see of the demo: progress while it runs, and the summary at its end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table

from app.local.demo_script import Script
from app.local.demo_tally import Tally

_LINE_EVERY = 5.0
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """The moment's numbers; `ended` are bookings at their right end, `calls` those of the last second."""

    seconds: float
    ended: int
    bookings: int
    calls: int
    pace: float


class Screen:
    """Writes to one console; `NO_COLOR` is honoured, and without a terminal it writes plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live: Live | None = None
        self._last_line = -_LINE_EVERY

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[None]:
        """While it is open, `show` draws over what it drew before, if there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def show(self, tally: Tally, figures: Figures) -> None:
        """How far the demo is. Without a terminal, a line every few seconds."""
        pairs = rows(tally, figures)
        if self._live is not None:
            table = Table.grid(padding=(0, 2))
            for name, value in pairs:
                table.add_row(f"[dim]{name}[/dim]", value)
            self._live.update(table)
        elif figures.seconds - self._last_line >= _LINE_EVERY:
            self._last_line = figures.seconds
            self.say("  ".join(f"{name} {value}" for name, value in pairs))

    def summary(self, scripts: Sequence[Script], wrong: Sequence[tuple[Script, Sequence[str]]]) -> None:
        """A table of what was played and how it ended, and each booking that ended otherwise."""
        amiss = {script.booking_id for script, _ in wrong}
        table = Table("what happened to the booking", "bookings", "as it should", title="Summary")
        for title, number in Counter(script.title for script in scripts).items():
            right = sum(s.title == title and s.booking_id not in amiss for s in scripts)
            table.add_row(title, str(number), str(right), style="" if right == number else "red")
        table.add_section()
        table.add_row("all", str(len(scripts)), str(len(scripts) - len(amiss)))
        self._console.print(table)
        for script, clauses in wrong[:_SHOWN]:
            self.say(f"{script.booking_id} ({script.title}): {'; '.join(clauses)}")


def rows(tally: Tally, figures: Figures) -> Iterator[tuple[str, str]]:
    """Each figure's name and value."""
    yield "seconds", f"{figures.seconds:.0f}"
    yield "events in", str(tally.events)
    yield "jobs created", str(len(tally.jobs))
    yield "retried", str(tally.retried)
    yield "held", str(tally.held)
    yield "dead-lettered", str(tally.dead_letters)
    yield "retried by the operator", str(tally.by_operator)
    yield "calls/s", f"{figures.calls} of {figures.pace:g}"
    yield "bookings at their end", f"{figures.ended} of {figures.bookings}"
