"""What people see of the demo: drawn over in a terminal, lines without one, no colours when not wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from itertools import islice

import pytest
from rich.console import Console

from app.local.demo_screen import Figures, Screen
from app.local.demo_script import scripts
from app.local.demo_tally import Tally

SCRIPTS = list(islice(scripts(1, datetime(2026, 11, 24, tzinfo=UTC)), 20))


def figures(seconds: float) -> Figures:
    return Figures(seconds=seconds, ended=3, bookings=200, calls=41, pace=60)


def test_without_a_terminal_a_line_every_few_seconds() -> None:
    out = StringIO()
    screen = Screen(Console(file=out, width=300))
    with screen.live():
        for seconds in range(11):
            screen.show(Tally(events=7), figures(seconds))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert "events in 7" in lines[0]
    assert "calls/s 41 of 60" in lines[0]
    assert "bookings at their end 3 of 200" in lines[0]
    assert "\x1b" not in out.getvalue()


def test_in_a_terminal_it_draws_over_itself() -> None:
    out = StringIO()
    screen = Screen(Console(file=out, force_terminal=True, width=100))
    with screen.live():
        screen.show(Tally(), figures(1))
    assert "\x1b[" in out.getvalue()
    assert "41 of 60" in out.getvalue()


@pytest.mark.parametrize(
    ("environ", "colours"), [({"NO_COLOR": "1"}, False), ({"TERM": "xterm-256color"}, True)]
)
def test_no_color_is_honoured(environ: dict[str, str], colours: bool) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=120, _environ=environ)
    Screen(console).summary(SCRIPTS, [(SCRIPTS[0], ("it is active",))])
    assert ("\x1b[31m" in out.getvalue()) is colours


def test_the_summary_counts_each_kind_and_names_what_went_wrong() -> None:
    out = StringIO()
    Screen(Console(file=out, width=120)).summary(SCRIPTS, [(SCRIPTS[0], ("it is [active]", "2 jobs"))])
    text = out.getvalue()
    assert "BK-1001 (created): it is [active]; 2 jobs" in text
    (all_line,) = [line for line in text.splitlines() if line.startswith("│ all")]
    assert [cell.strip() for cell in all_line.strip("│").split("│")] == ["all", "20", "19"]
